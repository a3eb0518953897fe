"""Tokens per second of generation, beside `transformers.generate` on the same weights, in the same run.

    python -m tests.benchmarks.bench_generation [new tokens a prompt]

A network of 6.1 million random weights in fp32 on the CPU, greedy, prompts of equal length; batches of 1 and 8. Both sides
write the same ids, which is checked; the best of three runs in turn counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
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


def race(ours: Callable[[], int], theirs: Callable[[], int]) -> tuple[float, float]:
    """Tokens a second of both, run in turn, the fastest of three each."""
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(3):
        for work, told in zip((ours, theirs), rates, strict=True):
            start = time.perf_counter()
            told.append(work() / (time.perf_counter() - start))
    return max(rates[0]), max(rates[1])


def main(new_tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), SPEC.build(VOCABULARY, 0), SPEC, VOCABULARY)
        module = load(Path(folder)).module
        peer = AutoModelForCausalLM.from_pretrained(folder).eval()
    peer.generation_config.eos_token_id = None
    generator = Generator(module, Wide())  # type: ignore[arg-type]
    settings = Sampling(max_new_tokens=new_tokens)
    print(f"{SPEC.parameters(VOCABULARY) / 1e6:.1f}M parameters, {torch.get_num_threads()} threads, {new_tokens} new tokens a prompt")
    for batch in (1, 8):
        prompts = [Prompt(text=TEXTS[0][:60])] * batch
        ids = torch.tensor([encode(prompt, tokenizer(), 100, cut=False).ids for prompt in prompts])

        def theirs(ids: torch.Tensor = ids) -> list[list[int]]:
            out = peer.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
            return out[:, ids.shape[1] :].tolist()

        def ours(prompts: list[Prompt] = prompts) -> list[list[int]]:
            return [list(one.tokens) for one in generator.complete(prompts, settings)]

        assert ours() == theirs(), "both write the same"
        a, b = race(lambda ours=ours: sum(map(len, ours())), lambda theirs=theirs: sum(map(len, theirs())))
        print(f"batch {batch}: minisc {a:,.0f} tokens/s, transformers {b:,.0f} tokens/s, ratio {a / b:.2f}")


class Wide:
    """The small tokenizer with a vocabulary as wide as the network's, so that both sides choose among the same ids."""

    vocab_size, eot, special = VOCABULARY, 0, tokenizer().special

    def encode(self, text: str) -> list[int]:
        return tokenizer().encode(text)

    def decode_bytes(self, ids: list[int]) -> bytes:
        return b"?" * len(ids)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
