"""train_tokenizer: a tokenizer from the training split.

In: documents. Out: a `tokenizer` artifact: tokenizer.json. Held-out documents are never read: a tokenizer that had seen
them would flatter the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from minisc.core.artifact import Figures, Work
from minisc.core.document import TRAIN
from minisc.core.parts import read_docs
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.tokenizer.base import TokenizerTrainer

BYTES_PER_TOKEN = 3.6  # a guess for the plan: a vocabulary of 4,096 on Python
BYTES_PER_SECOND = 5e6  # of text through the trainer; measured, see recipes/README.md


@dataclass(frozen=True, kw_only=True)
class TrainTokenizer(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("tokenizer",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    tokenizer: TokenizerTrainer

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        size = min(inputs["documents"].get("bytes_kept", 0), self.tokenizer.train_bytes)
        return Cost(seconds=size / BYTES_PER_SECOND, expect={"vocabulary": self.tokenizer.vocab_size, "bytes_per_token": BYTES_PER_TOKEN})

    def run(self, work: Work, inputs: Inputs) -> Figures:
        texts = (doc.text for doc in read_docs(inputs["documents"].files("kept"), TRAIN))
        return self.tokenizer.train(texts, work.path, work.context.speak)
