"""What text to ids to samples costs, on the Python source of the running environment. By hand: python -m tests.benchmarks.bench_tokens

Compared in the same run: bytes a token of our word pattern and of StarCoder2's (digits, then GPT-2's expression), on texts of
distributions that were not trained on; tiktoken and `tokenizers` on the same vocabulary; samples with and without
fill-in-the-middle.
"""

from __future__ import annotations

import hashlib
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from minisc.tokenizer.bpe import Bpe
from tests.silent import Silent
from tests.tokens.corpora import reader, store

TRAIN_BYTES, HELD_BYTES = 12_000_000, 3_000_000
VOCABULARIES = (4096, 16_384)


def python_files() -> tuple[list[str], list[str]]:
    """(texts to train on, texts of other distributions), each by the hash of its top folder's name."""
    site = Path(sysconfig.get_paths()["purelib"])
    train: list[str] = []
    held: list[str] = []
    for path in sorted(site.rglob("*.py"), key=lambda path: hashlib.sha256(str(path.relative_to(site)).encode()).digest()):
        folder = path.relative_to(site).parts[0]
        chosen, limit = (held, HELD_BYTES) if hashlib.sha256(folder.encode()).digest()[0] % 5 == 0 else (train, TRAIN_BYTES)
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if text and "\0" not in text and sum(map(len, chosen)) + len(text) <= limit:
            chosen.append(text)
    return train, held


def seconds(work: Callable[[], Any]) -> float:
    """Of CPU time, over all threads: what else the machine does hardly shows."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def starcoder2s(texts: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=2, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(iter(texts), trainer)
    return made


def main() -> None:
    train, held = python_files()
    size = sum(len(text.encode()) for text in held)
    print(f"trained on {sum(map(len, train)) / 1e6:.1f} MB, measured on {size / 1e6:.1f} MB of other distributions")
    with tempfile.TemporaryDirectory() as name:
        for vocab_size in VOCABULARIES:
            folder = Path(name) / str(vocab_size)
            folder.mkdir()
            settings = Bpe(vocab_size=vocab_size, train_bytes=1 << 30, min_frequency=2, shrink=False, seed=0)
            print(f"\nvocabulary {vocab_size:,}: trained in {seconds(lambda: settings.train(train, folder, Silent())):.1f} CPU s")  # noqa: B023
            measure(Tokenizer.load(folder), starcoder2s(train, vocab_size), held, size)
            sampling(Tokenizer.load(folder), held, folder / "store")


def measure(tokenizer: Tokenizer, theirs: tokenizers.Tokenizer, held: list[str], size: int) -> None:
    ours = size / sum(len(tokenizer.encode(text)) for text in held)
    other = size / sum(len(theirs.encode(text, add_special_tokens=False).ids) for text in held)
    print(f"  bytes a token: {ours:.4f}; with StarCoder2's words {other:.4f}; ratio {ours / other:.3f}")
    loaded = tokenizers.Tokenizer.from_file(str(tokenizer.path))
    loaded.encode_special_tokens = True
    fast = seconds(lambda: [tokenizer.encode(text) for text in held])
    slow = seconds(lambda: [told.ids for told in loaded.encode_batch_fast(held, add_special_tokens=False)])
    assert all(tokenizer.encode(text) == loaded.encode(text, add_special_tokens=False).ids for text in held[:200])
    print(
        f"  encoding, a CPU second: tiktoken {size / fast / 1e6:.1f} MB/s, tokenizers {size / slow / 1e6:.1f} MB/s; ratio {slow / fast:.1f}"
    )


def sampling(tokenizer: Tokenizer, held: list[str], folder: Path) -> None:
    opened = store(folder, tokenizer, held)
    for label, changes in (
        ("left to right", {}),
        ("fim_rate 0.5", {"fim_rate": 0.5, "slack": 16}),
        ("repositories", {"fim_rate": 0.5, "slack": 16, "order": "repository", "names_rate": 0.5}),
    ):
        windows = reader(seq_len=1024, **changes).open([opened], tokenizer)
        windows.sample(0)
        count = min(300, windows.len_epoch(0))
        took = seconds(lambda: windows.batch(0, count))  # noqa: B023
        print(f"  sample of 1,024 tokens, {label}: {took / count * 1e3:.3f} ms, {count * 1024 / took / 1e6:.1f} M tokens/s")


if __name__ == "__main__":
    main()
