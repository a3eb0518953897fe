from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.artifact import Figures
from minisc.core.step import Speaker, Step
from minisc.steps.collect import Collect
from minisc.steps.train_tokenizer import TrainTokenizer
from minisc.tokenizer.base import TokenizerTrainer
from tests import made


@dataclass(frozen=True, kw_only=True)
class Written(TokenizerTrainer):
    """Writes down what it was given to read."""

    version: ClassVar[int] = 1
    vocab_size: int
    train_bytes: int

    def train(self, texts: Iterable[str], folder: Path, speak: Speaker) -> Figures:
        (folder / "tokenizer.json").write_text("".join(texts))
        return {"vocabulary": self.vocab_size}


def test_held_out_documents_are_never_read(tmp_path: Path) -> None:
    rows = [made.row(f"r{n}", "a.py", f"text {n:03}\n") for n in range(100)]
    steps: dict[str, Step] = {
        "collect": Collect(source=made.Listed(given=[rows]), seed=0, held_out=0.2, budget="20x"),
        "train_tokenizer": TrainTokenizer(tokenizer=Written(vocab_size=300, train_bytes=1000)),
    }
    artifacts = made.run(steps, made.context(tmp_path))
    read = artifacts["train_tokenizer"].file("tokenizer.json").read_text().splitlines()
    assert len(read) == 100 - artifacts["collect"].figures["held_out_documents"] < 90
    assert artifacts["train_tokenizer"].kinds == ("tokenizer",)
