"""Tokens a second of training, by number format, optimizer, micro batch and mask; run by hand.

    python -m tests.benchmarks.bench_train [size] [seq_len]

Every line is compared with fp32 AdamW in the same run. Random tokens serve: the arithmetic is the same. Two figures a line:
per second of wall time, which other work on the machine disturbs, and per second of processor time, which it hardly does.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import torch

from minisc.model.starcoder2 import Starcoder2
from minisc.trainer import optimizer
from tests.model.sizes import size

VOCAB, TOKENS, REPEATS = 4096, 4096, 3


@dataclass(frozen=True)
class Case:
    name: str
    autocast: bool = True
    weights: torch.dtype = torch.float32
    rule: str = "muon"
    micro_tokens: int = 2048
    segments: bool = True


CASES = (
    Case("fp32 adamw", autocast=False, rule="adamw"),
    Case("fp32 muon", autocast=False),
    Case("bf16 autocast, adamw", rule="adamw"),
    Case("bf16 autocast, muon"),
    Case("bf16 weights, muon", autocast=False, weights=torch.bfloat16),
    Case("bf16 autocast, muon, no document mask", segments=False),
    Case("bf16 autocast, muon, micro batch of 1,024", micro_tokens=1024),
    Case("bf16 autocast, muon, micro batch of 4,096", micro_tokens=4096),
)


def step(network: Any, rule: optimizer.Together, case: Case, ids: torch.Tensor) -> None:
    """One optimizer step over TOKENS tokens."""
    segments = (torch.arange(ids.shape[1] - 1) // 200).expand(ids.shape[0], -1)
    count = max(1, case.micro_tokens // (ids.shape[1] - 1))
    for start in range(0, len(ids), count):
        part = ids[start : start + count]
        with torch.autocast("cpu", torch.bfloat16, enabled=case.autocast):
            nll, _ = network.loss(part[:, :-1], part[:, 1:], segments[start : start + count] if case.segments else None)
        (nll / TOKENS).backward()
    rule.step()
    rule.zero_grad()


def measure(spec: Starcoder2, case: Case, seq_len: int) -> tuple[float, float]:
    """Tokens a wall second and a processor second: the best of REPEATS steps after one to warm up."""
    network = spec.build(VOCAB, seed=0).to(case.weights)
    rule = optimizer.build(
        network, kind=case.rule, max_lr=1e-3, muon_ratio=1.0, muon_momentum=0.95, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1
    )
    ids = torch.randint(0, VOCAB, (TOKENS // seq_len, seq_len + 1), generator=torch.Generator().manual_seed(0))
    step(network, rule, case, ids)
    times = []
    for _ in range(REPEATS):
        wall, processor = time.perf_counter(), time.process_time()
        step(network, rule, case, ids)
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return TOKENS / min(time_ for time_, _ in times), TOKENS / min(time_ for _, time_ in times)


def main(name: str = "tiny", seq_len: str = "512") -> None:
    spec, first = size(name), None
    print(f"{name}, {spec.parameters(VOCAB):,} parameters, windows of {seq_len}, {torch.get_num_threads()} threads")
    for case in CASES:
        wall, processor = measure(spec, case, int(seq_len))
        first = first or (wall, processor)
        print(
            f"{case.name:45} {wall:8,.0f} tokens/s ({wall / first[0]:.2f}x)  {processor:8,.0f} tokens/cpu-s ({processor / first[1]:.2f}x)"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
