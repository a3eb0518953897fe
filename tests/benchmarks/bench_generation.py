"""Tokens per second of generation, beside `transformers.generate` on the same weights, in the same run.

    python -m tests.benchmarks.bench_generation [new tokens a prompt] [folder of a trained model, with its tokenizer.json] [rounds]

fp32 on the CPU, greedy, prompts of equal length, batches of 1 and 8; both sides write the same ids, which is checked. Without a folder:
6.1 million random weights, whose text does not repeat itself so soon, so that nothing is guessed (`generation/echo.py`). With one: a
trained model on HumanEval-like prompts; ours is told with its guesses and without, for guesses win as much as a text repeats itself.
transformers runs with one thread and with as many as torch takes by itself, which is what its users get. All run in turn, several
rounds; told are the medians, and the median of the rounds' ratios of ours to the faster of theirs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Sampling
from minisc.model.base import load, save
from minisc.model.starcoder2 import Starcoder2
from minisc.tokenizer.base import Tokenizer
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
TASKS = [  # a signature and what it is for, as in HumanEval
    ("add_all(numbers)", "Return the sum of all numbers in the list."), ("is_prime(n)", "Return True if n is a prime number."),
    ("reverse(text)", "Return the text with its characters in reverse order."), ("flatten(rows)", "Return all values of the nested lists in order."),
    ("count_words(text)", "Return a dictionary of each word and its count."), ("read_lines(path)", "Read the file and return its lines."),
    ("merge(left, right)", "Merge two sorted lists into one sorted list."), ("area(width, height)", "Return the area of a rectangle."),
]  # fmt: skip
PROMPT = 24  # ids of a trained model's prompt


def race(roads: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Tokens a second of each, run in turn."""
    rates: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(rounds):
        for name, work in roads.items():
            start = time.perf_counter()
            rates[name].append(work() / (time.perf_counter() - start))
    return rates


def compare(module: nn.Module, peer: Any, ids: list[list[int]], prompts: list[Prompt], cut: Any, new_tokens: int, rounds: int) -> None:
    threads = torch.get_num_threads()
    given = torch.tensor(ids)
    settings = Sampling(max_new_tokens=new_tokens)
    guessing, plain = Generator(module, cut), Generator(module, cut, at_once=0)

    def theirs(used: int) -> list[list[int]]:
        torch.set_num_threads(used)
        out = peer.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
        torch.set_num_threads(threads)
        return out[:, given.shape[1] :].tolist()

    def ours(generator: Generator) -> list[list[int]]:
        return [list(one.tokens) for one in generator.complete(prompts, settings)]

    assert ours(guessing) == ours(plain) == theirs(threads) == theirs(1), "all write the same"
    roads: dict[str, Callable[[], list[list[int]]]] = {
        "minisc": lambda: ours(guessing), "minisc without guesses": lambda: ours(plain),
        f"transformers, {threads} threads": lambda: theirs(threads), "transformers, 1 thread": lambda: theirs(1),
    }  # fmt: skip
    rates = race({name: lambda road=road: sum(map(len, road())) for name, road in roads.items()}, rounds)  # type: ignore[misc]
    told = ", ".join(f"{name} {median(found):,.0f}" for name, found in rates.items())
    own, bare, *both = rates.values()
    best = [max(pair) for pair in zip(*both, strict=True)]
    ratios = [[mine / theirs for mine, theirs in zip(found, best, strict=True)] for found in (own, bare)]
    shown = " and ".join(f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})" for found in ratios)
    print(f"batch {len(ids)}, tokens/s: {told}; ratio to the faster, with guesses and without: {shown}", flush=True)


def main(new_tokens: int, folder: Path | None, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            save(Path(made), SPEC.build(VOCABULARY, 0), SPEC, VOCABULARY)
        module = load(folder or Path(made)).module
        peer = AutoModelForCausalLM.from_pretrained(folder or made).eval()
    peer.generation_config.eos_token_id = None
    real = Tokenizer.load(folder / "tokenizer.json") if folder else tokenizer()
    print(f"{sum(one.numel() for one in module.parameters()) / 1e6:.1f}M parameters, {new_tokens} new tokens a prompt, {rounds} rounds")
    for batch in (1, 8):
        texts = [f'def {name}:\n    """{what}"""\n' for name, what in TASKS[:batch]] if folder else [TEXTS[0][:60]] * batch
        cut = Wide(real, PROMPT if folder else None)
        prompts = [Prompt(text=text) for text in texts]
        compare(module, peer, [encode(prompt, cut, 100, cut=False).ids for prompt in prompts], prompts, cut, new_tokens, rounds)  # type: ignore[arg-type]


class Wide:
    """A tokenizer that takes any id a network writes, knows no end, and gives prompts of one length, the last `ids` of each."""

    vocab_size, eot = VOCABULARY, 0

    def __init__(self, real: Tokenizer, ids: int | None) -> None:
        self._real, self._ids = real, ids
        self.special = dict.fromkeys(real.special, -1)  # never chosen: both sides write on to the same length

    def encode(self, text: str) -> list[int]:
        found = self._real.encode(text)
        if self._ids is None:
            return found
        return ([*found] * self._ids)[-self._ids :]

    def decode_bytes(self, ids: list[int]) -> bytes:
        return b"?" * len(ids)


if __name__ == "__main__":
    told = [*sys.argv[1:], *["128", "", "5"][len(sys.argv) - 1 :]]
    main(int(told[0]), Path(told[1]) if told[1] else None, int(told[2]))
