"""Tokens per second of generation, beside `transformers.generate` on the same weights, in the same run.

    python -m tests.benchmarks.bench_generation [new tokens a prompt]

A network of 6.1 million random weights in fp32 on the CPU, greedy, prompts of equal length; batches of 1 and 8. Both sides
write the same ids, which is checked. The best of three runs in turn counts; transformers runs with one thread and with as many
as torch takes by itself, which is what its users get, and is judged by the faster.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Sampling
from minisc.model.base import load, save
from minisc.model.starcoder2 import Starcoder2
from tests.generation.small import TEXTS, tokenizer

SPEC = Starcoder2(
    hidden=256,
    layers=7,
    heads=4,
    kv_heads=2,
    mlp_ratio=4,
    window=None,
    rope_theta=10_000.0,
    norm_eps=1e-5,
    init_std=None,
    max_positions=2048,
)
VOCABULARY = 4096


def race(roads: Mapping[str, Callable[[], int]]) -> dict[str, float]:
    """Tokens a second of each, run in turn, the fastest of three."""
    rates: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(3):
        for name, work in roads.items():
            start = time.perf_counter()
            rates[name].append(work() / (time.perf_counter() - start))
    return {name: max(found) for name, found in rates.items()}


def main(new_tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), SPEC.build(VOCABULARY, 0), SPEC, VOCABULARY)
        module = load(Path(folder)).module
        peer = AutoModelForCausalLM.from_pretrained(folder).eval()
    peer.generation_config.eos_token_id = None
    generator = Generator(module, Wide())  # type: ignore[arg-type]
    settings = Sampling(max_new_tokens=new_tokens)
    threads = torch.get_num_threads()
    print(f"{SPEC.parameters(VOCABULARY) / 1e6:.1f}M parameters, {threads} threads, {new_tokens} new tokens a prompt")
    for batch in (1, 8):
        prompts = [Prompt(text=TEXTS[0][:60])] * batch
        ids = torch.tensor([encode(prompt, tokenizer(), 100, cut=False).ids for prompt in prompts])

        def theirs(used: int, ids: torch.Tensor = ids) -> list[list[int]]:
            torch.set_num_threads(used)
            out = peer.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
            return out[:, ids.shape[1] :].tolist()

        def ours(prompts: list[Prompt] = prompts) -> list[list[int]]:
            torch.set_num_threads(threads)
            return [list(one.tokens) for one in generator.complete(prompts, settings)]

        assert ours() == theirs(threads) == theirs(1), "all write the same"
        rates = race({
            "minisc": lambda ours=ours: sum(map(len, ours())),
            "transformers": lambda theirs=theirs: sum(map(len, theirs(threads))),
            "transformers, one thread": lambda theirs=theirs: sum(map(len, theirs(1))),
        })  # fmt: skip
        best = max(rate for name, rate in rates.items() if name != "minisc")
        told = ", ".join(f"{name} {rate:,.0f} tokens/s" for name, rate in rates.items())
        print(f"batch {batch}: {told}; ratio to the faster {rates['minisc'] / best:.2f}")


class Wide:
    """The small tokenizer with a vocabulary as wide as the network's, so that both sides choose among the same ids."""

    vocab_size, eot, special = VOCABULARY, 0, tokenizer().special

    def encode(self, text: str) -> list[int]:
        return tokenizer().encode(text)

    def decode_bytes(self, ids: list[int]) -> bytes:
        return b"?" * len(ids)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
