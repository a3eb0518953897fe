"""Tokens per second of generation, beside `transformers.generate` on the same weights, in the same run.

    python -m tests.benchmarks.bench_generation [new tokens a prompt]

A network of 6.4 million random weights in fp32 on the CPU, greedy, prompts of equal length; batches of 1 and 8. Both sides
write the same ids, which is checked; the best of three runs counts.
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
    hidden=256, layers=7, heads=4, kv_heads=2, mlp_ratio=4, window=None, rope_theta=10_000.0, norm_eps=1e-5, init_std=None, max_positions=2048
)
VOCABULARY = 4096


def best(work: Callable[[], int]) -> float:
    """Tokens a second, of the fastest of three runs."""
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        rates.append(work() / (time.perf_counter() - start))
    return max(rates)


def main(new_tokens: int) -> None:
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), SPEC.build(VOCABULARY, 0), SPEC, VOCABULARY)
        ours = load(Path(folder))
        theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    theirs.generation_config.eos_token_id = None
    generator = Generator(ours.module, tokenizer())
    generator._tokenizer = Wide()  # type: ignore[assignment]  # the whole vocabulary, so that both choose among the same ids
    print(f"{SPEC.parameters(VOCABULARY) / 1e6:.1f}M parameters, {torch.get_num_threads()} threads, {new_tokens} new tokens a prompt")
    for batch in (1, 8):
        prompts = [Prompt(text=TEXTS[0][:60])] * batch
        ids = torch.tensor([encode(prompt, tokenizer(), 100, cut=False).ids for prompt in prompts])
        settings = Sampling(max_new_tokens=new_tokens)

        def mine(prompts: list[Prompt] = prompts, settings: Sampling = settings) -> int:
            return sum(len(one.tokens) for one in generator.complete(prompts, settings))

        def peer(ids: torch.Tensor = ids) -> int:
            with torch.inference_mode():
                out = theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
            return int(out.shape[0] * (out.shape[1] - ids.shape[1]))

        with torch.inference_mode():
            same = theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
        assert [list(one.tokens) for one in generator.complete(prompts, settings)] == same[:, ids.shape[1] :].tolist(), "both write the same"
        a, b = best(mine), best(peer)
        print(f"batch {batch}: minisc {a:,.0f} tokens/s, transformers {b:,.0f} tokens/s, ratio {a / b:.2f}")


class Wide:
    """The small tokenizer with a vocabulary as wide as the network's; ids that it does not know are shown as '?'."""

    vocab_size, eot, special = VOCABULARY, 0, tokenizer().special

    def encode(self, text: str) -> list[int]:
        return tokenizer().encode(text)

    def decode_bytes(self, ids: list[int]) -> bytes:
        return b"?" * len(ids)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
