"""The order of an epoch: which document's tokens stand where in its stream, and between which special tokens.

In: the stores, an epoch's number, the settings that order them. Out: a `Layout`, from which any stretch of the stream is
found by binary search. The stream is made of groups, in seeded random order:

    order=file         a group is one document:   text <|endoftext|>
    order=repository   a group is a repository, its files in seeded random order (StarCoder2 section 5, arXiv 2402.19173):
                       <repo_name>R<file_sep>path0\\ntext0<file_sep>path1\\ntext1 ... <|endoftext|>     with names
                       <file_sep>text0<file_sep>text1 ... <|endoftext|>                                without

A document of no repository is a group of its own. A store of weight w is told w times an epoch, the fraction of w by chance
for each group; each copy is a group of its own, with its own place, order and choice of names.

Price: 17 bytes of memory a document, and one sort an epoch (0.4 s a million documents), made when its first sample is asked for.
Rejected: a permutation by a Feistel network (no memory at all, but windows need the running sum of lengths in that order).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.draws import Purpose, happen, words
from minisc.tokens.pack import TokenStore

FIRST, LAST, NAMED, FIM = 1, 2, 4, 8  # bits of `Layout.marks`


@dataclass(frozen=True, eq=False)
class Layout:
    """The stream of one epoch. `starts[k]` is where the k-th document of the stream begins, `starts[-1]` the stream's length."""

    documents: np.ndarray  # int64[n], numbers in the corpus
    starts: np.ndarray  # int64[n + 1]
    marks: np.ndarray  # uint8[n]

    @property
    def total(self) -> int:
        return int(self.starts[-1])

    def at(self, position: int) -> int:
        """The place in the stream's list of documents that holds a position."""
        return int(np.searchsorted(self.starts, position, side="right")) - 1


@dataclass(frozen=True, eq=False)
class _Groups:
    """An epoch's groups before they are ordered: copies made, chances drawn, lengths known."""

    documents: np.ndarray  # int64[n]
    group_of: np.ndarray  # int64[n]
    lengths: np.ndarray  # int64[n]: tokens of each document, without what begins and ends its group
    heads: np.ndarray  # int64[groups]: tokens of <repo_name>R
    named: np.ndarray  # bool[groups]

    @property
    def total(self) -> int:
        """Tokens of the stream; each group ends in one `<|endoftext|>`."""
        return int(self.lengths.sum() + self.heads.sum()) + len(self.heads)


class Corpus:
    """The documents of all stores as one list, and what of them does not change from epoch to epoch."""

    def __init__(self, stores: Sequence[TokenStore], weights: Sequence[float], by_repository: bool, tokenizer: Tokenizer) -> None:
        self.stores = stores
        self.by_repository = by_repository
        self._tokenizer = tokenizer
        self._first = np.cumsum([0, *(len(store) for store in stores)])
        self._names = np.concatenate([store.names for store in stores]).astype(np.int64)
        self._lengths = np.concatenate([store.lengths for store in stores]).astype(np.int64)
        self._group_of, store_of = _grouped(stores, by_repository)
        self._weights = np.array(weights, np.float64)[store_of]
        self._heads = self._lengths_of_heads() if by_repository else np.zeros(len(store_of), np.int64)

    def locate(self, document: int) -> tuple[TokenStore, int]:
        """The store that a document of the corpus lies in, and its number there."""
        place = int(np.searchsorted(self._first, document, side="right")) - 1
        return self.stores[place], document - int(self._first[place])

    def head(self, document: int) -> list[int]:
        """`<repo_name>R` of a document's repository; nothing when it has none."""
        store, number = self.locate(document)
        return self._head(store.repos[store.repo_of[number]])

    def _head(self, repo: str) -> list[int]:
        return [self._tokenizer.special["<repo_name>"], *self._tokenizer.encode(repo)] if repo else []

    def _lengths_of_heads(self) -> np.ndarray:
        lengths = np.zeros(len(self._weights), np.int64)
        for store, first in zip(self.stores, self._first, strict=False):
            of_name = np.array([len(self._head(repo)) for repo in store.repos], np.int64)
            if len(store):
                lengths[self._group_of[first : first + len(store)]] = of_name[store.repo_of]
        return lengths

    def groups(self, seed: int, epoch: int, names_rate: float) -> _Groups:
        """The part of an epoch that needs no sort: enough to know its length."""
        copies = np.floor(self._weights)
        copies = (copies + happen(words(seed, Purpose.COPIES, epoch, len(copies)), self._weights - copies)).astype(np.int64)
        told = copies[self._group_of]
        documents = np.repeat(np.arange(len(told)), told)
        copy = np.arange(len(documents)) - np.repeat(np.cumsum(told) - told, told)
        group_of = (np.cumsum(copies) - copies)[self._group_of[documents]] + copy
        named = happen(words(seed, Purpose.NAMES, epoch, int(copies.sum())), names_rate)
        lengths = self._lengths[documents] - np.where(named[group_of], 0, self._names[documents])
        return _Groups(documents, group_of, lengths + self.by_repository, np.repeat(self._heads, copies) * named, named)

    def layout(self, seed: int, epoch: int, names_rate: float, group_rate: float) -> Layout:
        groups = self.groups(seed, epoch, names_rate)
        keys = words(seed, Purpose.ORDER, epoch, len(groups.named))[groups.group_of]
        if self.by_repository:
            inside = words(seed, Purpose.ORDER_INSIDE, epoch, len(groups.documents))
            order = np.lexsort((inside, groups.group_of, keys))
        else:
            order = np.argsort(keys, kind="stable")
        group, lengths = groups.group_of[order], groups.lengths[order]
        borders = np.flatnonzero(np.diff(group, prepend=-1, append=-1))
        firsts, lasts = borders[:-1], borders[1:] - 1
        lengths[firsts] += groups.heads[group[firsts]]
        lengths[lasts] += 1
        marks = np.zeros(len(group), np.uint8)
        marks[firsts] |= FIRST
        marks[lasts] |= LAST
        marks[groups.named[group]] |= NAMED
        marks[happen(words(seed, Purpose.FIM_GROUP, epoch, len(groups.named)), group_rate)[group]] |= FIM
        return Layout(groups.documents[order], np.concatenate([[0], np.cumsum(lengths)]), marks)


def _grouped(stores: Sequence[TokenStore], by_repository: bool) -> tuple[np.ndarray, np.ndarray]:
    """(group of each document, store of each group): repositories of each store, or every document alone."""
    group_of, store_of, groups = [], [], 0
    for place, store in enumerate(stores):
        own = np.arange(len(store), dtype=np.int64)
        if by_repository:
            alone = np.array([not repo for repo in store.repos], bool)[store.repo_of] if len(store) else np.zeros(0, bool)
            _, own = np.unique(np.where(alone, len(store.repos) + own, store.repo_of), return_inverse=True)
        group_of.append(own + groups)
        count = int(own.max()) + 1 if len(own) else 0
        store_of.append(np.full(count, place))
        groups += count
    return np.concatenate(group_of), np.concatenate(store_of)
