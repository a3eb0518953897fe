"""One sample put together: a stretch of an epoch's stream, its pieces plain or transformed, as inputs and targets.

In: the epoch's layout, the number of a window in it. Out: a `Sample`. The stretch is walked document by document; each has
three parts, any of which the window's borders may cut:

    head   <repo_name>R before the first file of a named repository, <file_sep> before every file in repository order
    body   the path line, where names are told, and the text: the piece that may be transformed
    tail   <|endoftext|> behind the last document of a group
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minisc.tokenizer.base import Tokenizer
from minisc.tokens import fim
from minisc.tokens.draws import BLOCK, Purpose, happens, words
from minisc.tokens.epoch import FIM, FIRST, LAST, NAMED, Corpus, Layout

if TYPE_CHECKING:
    from minisc.tokens.reader import Reader

OUTSIDE = -100  # the target of a position outside the loss: torch's default ignore_index


@dataclass(frozen=True, slots=True)
class Piece:
    """A document's part in a sample: tokens begin .. end - 1 of its body (its path line, where told, and its text)."""

    document: int  # number among all documents of the stores
    begin: int
    end: int
    form: str  # plain | psm | spm
    ended: bool  # a separating token was put behind its middle, because the window ends there


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """`ids`, `targets`, `segments`: int32[seq_len]. A segment is a document, or a repository: it begins where `<|endoftext|>` is
    the input."""

    ids: np.ndarray
    targets: np.ndarray
    segments: np.ndarray
    pieces: tuple[Piece, ...]
    epoch: int
    window: int


@dataclass(frozen=True, eq=False, slots=True)
class _Stretch:
    """What lies of one document between two positions of the stream."""

    head: list[int]
    body: np.ndarray
    tail: list[int]
    begin: int  # of `body` in the document's body
    fixed: int  # how many first tokens of `body` are its path line
    document: int
    last: bool  # the body's end is the end of what was asked for: nothing of the stretch comes behind it


@dataclass(frozen=True, eq=False)
class Assembly:
    """Puts samples of one epoch together."""

    reader: Reader
    corpus: Corpus
    tokenizer: Tokenizer
    layout: Layout
    epoch: int

    def sample(self, window: int) -> Sample:
        seq_len, special = self.reader.seq_len, self.tokenizer.special
        told, pieces = self._told(window)
        assert len(told) <= seq_len
        row = np.array(told, np.int32)
        ids = np.full(seq_len, special["<fim_pad>"], np.int32)
        ids[0] = self._before(window) if told[0] != special["<fim_prefix>"] else self._separator
        ids[1 : len(row) + 1] = row[: seq_len - 1]
        targets = np.full(seq_len, OUTSIDE, np.int32)
        dice = [special[name] for name in ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")]
        targets[: len(row)] = np.where(np.isin(row, dice), OUTSIDE, row)
        segments = np.cumsum(ids == self.tokenizer.eot, dtype=np.int32)
        return Sample(ids, targets, segments, tuple(pieces), self.epoch, window)

    def _told(self, window: int) -> tuple[list[int], list[Piece]]:
        """The window's tokens in the order in which they are told."""
        reader = self.reader
        low = window * (reader.seq_len - reader.slack)
        high = min(low + reader.seq_len - reader.slack, self.layout.total)
        first, last = self.layout.at(low), self.layout.at(high - 1)
        dice = words(reader.seed, Purpose.PIECES, self.epoch, BLOCK * (last - first + 1), window=window).tolist()
        room = reader.seq_len - (high - low)
        told: list[int] = []
        pieces: list[Piece] = []
        for place in range(first, last + 1):
            stretch = self._stretch(place, low, high)
            own = dice[BLOCK * (place - first) : BLOCK * (place - first + 1)]
            tokens, form, ended = stretch.body.tolist(), "plain", False
            if self.layout.marks[place] & FIM and happens(own[0], reader.fim_rate):
                cut = fim.cut(tokens, stretch.fixed, self.tokenizer, own[1:], reader.fim_spm_rate)
                ends = stretch.last and high < self.layout.total
                if cut and (growth := cut.growth(len(tokens)) + ends) <= room:
                    room -= growth
                    tokens, form, ended = cut.told(self.tokenizer.special) + [self._separator] * ends, cut.form, ends
            if len(stretch.body):
                pieces.append(Piece(stretch.document, stretch.begin, stretch.begin + len(stretch.body), form, ended))
            told += [*stretch.head, *tokens, *stretch.tail]
        return told, pieces

    @property
    def _separator(self) -> int:
        """What stands before every document in this order."""
        return self.tokenizer.special["<file_sep>"] if self.corpus.by_repository else self.tokenizer.eot

    def _before(self, window: int) -> int:
        """The token before a window in the stream; `<|endoftext|>` before the first."""
        low = window * (self.reader.seq_len - self.reader.slack)
        if low == 0:
            return self.tokenizer.eot
        stretch = self._stretch(self.layout.at(low - 1), low - 1, low)
        return int([*stretch.head, *stretch.body.tolist(), *stretch.tail][0])

    def _stretch(self, place: int, low: int, high: int) -> _Stretch:
        """What positions low .. high - 1 hold of the document at a place of the layout."""
        document, start, marks = int(self.layout.documents[place]), int(self.layout.starts[place]), int(self.layout.marks[place])
        store, number = self.corpus.locate(document)
        head = self.corpus.head(document) if marks & FIRST and marks & NAMED else []
        head += [self.tokenizer.special["<file_sep>"]] if self.corpus.by_repository else []
        names = int(store.names[number])
        body = store.tokens(number)[0 if marks & NAMED else names :]
        text = start + len(head)  # where the body begins in the stream
        end = text + len(body)
        assert end + bool(marks & LAST) == self.layout.starts[place + 1]
        begin = max(0, low - text)
        return _Stretch(
            head=head[max(0, low - start) : max(0, high - start)],
            body=body[begin : max(0, high - text)],
            tail=[self.tokenizer.eot] if marks & LAST and low <= end < high else [],
            begin=begin,
            fixed=max(0, min(names if marks & NAMED else 0, high - text) - begin),
            document=document,
            last=end >= high,
        )
