"""Samples: what the model sees at step i, as a pure function of (tokens, settings, i).

In: token stores, a tokenizer. Out: `Windows`, whose sample i is window (e, w): the w-th stretch of `seq_len - slack` tokens of
the stream of epoch e (see `epoch`). The windows of an epoch are told in a seeded order of their own: told as they stand, a small
batch would be one long document, and learn from that alone. There is no iterator and no state but i: a run that is killed, or goes on with other
workers or devices, sees the same batches bit for bit.

Guarantees: every token of the stream is a target once an epoch, nothing is cropped (a loader that crops loses a third,
nanochat's log of 2026-01-13). A window's first input is the token before it (`<|endoftext|>` before the first window), so
that its first token is predicted too. Only an epoch's last window is short.

Fill-in-the-middle happens inside a window (see `fim`): each document's piece in it may be told as prefix, suffix, middle. That takes 3
sentinels and, for text that is encoded in three parts, some tokens more; `slack` keeps room for them. A piece that would not
fit stays left to right, so no middle is ever lost; what is left of the room is `<fim_pad>`. Every character is a target once.

    left to right    input    x9 x10 x11 x12          a transformed piece    input    sep <fim_prefix> p0 p1           <fim_suffix> s0
                     target   x10 x11 x12 x13                                target   -   p0           p1 -            s0           s1

The loss leaves out (target -100) the padding and the three sentinels: where they stand was thrown by our dice, which nobody can
predict, and who asks for a middle writes them himself. So the targets are the tokens of the corpus and nothing else, but for one thing: a middle
that ends where its window ends, before its document's end, is followed by the token that separates documents (`<|endoftext|>`, or
`<file_sep>` in repository order), so that the model learns to stop there too. Where a window opens with a transformed piece, its first input is
that same token, as before any other transformed piece.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minisc.core.errors import UserError
from minisc.tokenizer.base import Tokenizer
from minisc.tokens.draws import Purpose, words
from minisc.tokens.epoch import Corpus
from minisc.tokens.pack import TokenStore
from minisc.tokens.window import Assembly, Sample

ORDERS = ("file", "repository")
SENTINELS = 4  # tokens that a transformation adds: three sentinels, and a separating token at the window's end


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How tokens become samples. Rates are probabilities, 0 .. 1."""

    version: ClassVar[int] = 2

    seq_len: int
    seed: int
    order: str
    names_rate: float
    fim_group_rate: float
    fim_rate: float
    fim_spm_rate: float
    slack: int
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise UserError(
                "there is no such order of documents", where=f"tokens.order={self.order}", do=f"choose from: {', '.join(ORDERS)}"
            )
        for name in ("names_rate", "fim_group_rate", "fim_rate", "fim_spm_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError("a rate is a probability", where=f"tokens.{name}={getattr(self, name)}", do=f"tokens.{name}=0.5")
        if self.order == "file" and self.names_rate:
            raise UserError("names stand in repository context only", where=f"tokens.names_rate={self.names_rate}", do="tokens=repository")
        if not 0 <= self.seed < 1 << 64:
            raise UserError("a seed is a whole number of 64 bits", where=f"seed={self.seed}", do="seed=0")
        if self.slack < 0 or self.seq_len - self.slack < 1:
            raise UserError(
                "a sample has no room for text",
                where=f"seq_len={self.seq_len}, tokens.slack={self.slack}",
                do=f"seq_len={max(64, 4 * abs(self.slack))}",
            )
        if self.fim_rate and self.slack < SENTINELS:
            raise UserError(
                "fill-in-the-middle finds no room in a window", where=f"tokens.slack={self.slack}", do="tokens.slack=16, or tokens=plain"
            )
        if any(weight < 0 for weight in self.weights):
            raise UserError(
                "a weight is how often an epoch tells a store", where=f"tokens.weights={list(self.weights)}", do="tokens.weights=[]"
            )

    def open(self, stores: Sequence[TokenStore], tokenizer: Tokenizer) -> Windows:
        """Raises UserError for stores without a document, of another tokenizer, or not one for each weight."""
        for store in stores:
            if store.tokenizer_digest != tokenizer.digest:
                raise UserError(
                    "these tokens were made with another tokenizer",
                    where=f"{store.folder}, {tokenizer.path}",
                    do="steps=[pack,…] to make them anew, or the inputs.tokens that belong to it",
                )
        if self.weights and len(self.weights) != len(stores):
            raise UserError(
                f"there are {len(stores)} stores of tokens, each wants its weight",
                where=f"tokens.weights={list(self.weights)}",
                do="tokens.weights=[]",
            )
        if not any(len(store) and weight for store, weight in zip(stores, self.weights_of(stores), strict=True)):
            where = ", ".join(str(store.folder) for store in stores)
            raise UserError("there is not one document to train on", where=where, do="look into the waterfall of the documents: report.md")
        return Windows(self, tuple(stores), tokenizer)

    def weights_of(self, stores: Sequence[TokenStore]) -> list[float]:
        """How often an epoch tells each store: once, where nothing is said."""
        return [float(weight) for weight in self.weights] or [1.0] * len(stores)


@dataclass(frozen=True, eq=False)
class Windows:
    """All samples, of all epochs. Picklable; safe to use from several threads."""

    reader: Reader
    stores: tuple[TokenStore, ...]
    tokenizer: Tokenizer

    def __reduce__(self) -> tuple[object, ...]:  # neither tables nor orders travel to another process
        return (Windows, (self.reader, self.stores, self.tokenizer))

    @property
    def tokens_a_window(self) -> int:
        """Tokens of the stream in one sample; the rest of `seq_len` is room for fill-in-the-middle."""
        return self.reader.seq_len - self.reader.slack

    @functools.cached_property
    def _corpus(self) -> Corpus:
        return Corpus(self.stores, self.reader.weights_of(self.stores), self.reader.order == "repository", self.tokenizer)

    @functools.cached_property
    def _epoch(self) -> Callable[[int], Assembly]:
        """Epochs as they are asked for; the last two are kept, for the batch that spans both."""

        def laid_out(epoch: int) -> Assembly:
            layout = self._corpus.layout(self.reader.seed, epoch, self.reader.names_rate, self.reader.fim_group_rate)
            return Assembly(self.reader, self._corpus, self.tokenizer, layout, epoch)

        return functools.lru_cache(maxsize=2)(laid_out)

    @functools.cached_property
    def _lengths(self) -> Callable[[int], int]:
        def length(epoch: int) -> int:
            return -(-self._corpus.groups(self.reader.seed, epoch, self.reader.names_rate).total // self.tokens_a_window)

        return functools.lru_cache(maxsize=None)(length)

    def len_epoch(self, epoch: int) -> int:
        """Samples of an epoch. Names told by chance and fractions of weights make epochs differ in length."""
        alike = self.reader.names_rate in (0.0, 1.0) and all(float(weight).is_integer() for weight in self.reader.weights)
        return self._lengths(0 if alike else epoch)

    @functools.cached_property
    def _order(self) -> Callable[[int], np.ndarray]:
        """Which window each sample of an epoch is: 8 bytes a window, of the last two epochs."""

        def order(epoch: int) -> np.ndarray:
            return np.argsort(words(self.reader.seed, Purpose.WINDOWS, epoch, self.len_epoch(epoch)), kind="stable")

        return functools.lru_cache(maxsize=2)(order)

    def locate(self, index: int) -> tuple[int, int]:
        """Sample i of a run is (epoch, window of that epoch)."""
        assert index >= 0
        epoch = 0
        while index >= (length := self.len_epoch(epoch)):
            index, epoch = index - length, epoch + 1
        return epoch, int(self._order(epoch)[index])

    def sample(self, index: int) -> Sample:
        """Sample i of the run, however many epochs that takes."""
        epoch, window = self.locate(index)
        return self._epoch(epoch).sample(window)

    def batch(self, first_index: int, count: int) -> dict[str, np.ndarray]:
        """`ids`, `targets`, `segments` of samples first_index .. first_index + count - 1: int32[count, seq_len] each."""
        samples = [self.sample(index) for index in range(first_index, first_index + count)]
        return {name: np.stack([getattr(sample, name) for sample in samples]) for name in ("ids", "targets", "segments")}
