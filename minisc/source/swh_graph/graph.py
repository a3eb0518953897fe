"""Shapes of a walked graph: directories as small integers, what they hold as lists of lists beside entry rows.

`Lists` is the compressed form of a list for each directory; `Entries` are (name, mode, target) rows that directories share;
`Walked` is what a layout's reader hands over, `Graph` the same with the contents looked up, `Proofs` the full entries of a
sample of directories, from which their ids can be recomputed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.swh_graph.ids import ranges

Wanted = Callable[[pa.Array], np.ndarray]  # names -> (n,) bool
Sample = Callable[[np.ndarray], np.ndarray]  # (n, 20) ids of reached directories -> the rows to prove


@dataclass(frozen=True)
class Entries:
    """Entry rows: one (name, mode, target) each, shared by the directories that hold it."""

    names: pa.Array  # large_binary
    perms: np.ndarray  # (n,) int32, git's modes
    targets: np.ndarray  # (n, 20) uint8

    def __len__(self) -> int:
        return len(self.perms)

    def take(self, rows: np.ndarray) -> Entries:
        return Entries(self.names.take(pa.array(rows)), self.perms[rows], self.targets[rows])


@dataclass(frozen=True)
class Lists:
    """A list of integers for each directory: row i is values[starts[i] : starts[i] + lengths[i]]."""

    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, lengths: np.ndarray, values: np.ndarray) -> Lists:
        lengths = lengths.astype(np.int64)
        return cls(np.cumsum(lengths) - lengths, lengths, values)

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        """The values of these rows, end to end."""
        return self.values[ranges(self.starts[rows], self.lengths[rows])]


@dataclass(frozen=True)
class Graph:
    """Reached directories 0..n-1 and what they hold. `to` maps a sub-directory entry to its directory or ABSENT."""

    ids: np.ndarray  # (n, 20)
    dirs: Lists  # directory -> rows of `dir_entries`
    dir_entries: Entries
    to: np.ndarray  # (dir_entries,) directory or ABSENT
    files: Lists  # directory -> rows of `file_entries`: those with a wanted name
    file_entries: Entries
    sha1: np.ndarray  # (file_entries, 20), zeros where the content is unknown
    size: np.ndarray  # (file_entries,) bytes; -1 where unknown
    state: np.ndarray  # (file_entries,) FOUND, SKIPPED, DANGLING
    all_files: np.ndarray  # (n,) files of each directory, wanted or not
    submodules: np.ndarray  # (n,) revision entries of each directory
    counts: Counter[str] = field(default_factory=Counter)


FOUND, SKIPPED, DANGLING = 0, 1, 2


@dataclass(frozen=True)
class Proofs:
    """All entries of sampled directories: directory i of `directories` holds the entries whose `of` is i."""

    directories: np.ndarray  # (k, 20) ids
    of: np.ndarray  # (e,)
    entries: Entries


@dataclass(frozen=True)
class Walked:
    """What a layout's reader hands over: a graph before its contents were looked up."""

    ids: np.ndarray
    dirs: Lists
    dir_entries: Entries
    to: np.ndarray
    files: Lists
    file_entries: Entries
    all_files: np.ndarray
    submodules: np.ndarray
    counts: Counter[str]
    proofs: Proofs


EMPTY = Entries(pa.array([], pa.large_binary()), np.zeros(0, np.int32), np.zeros((0, 20), np.uint8))


def joined(parts: Sequence[Entries]) -> Entries:
    """Entry rows end to end."""
    return Entries(
        pa.concat_arrays([part.names for part in parts]),
        np.concatenate([part.perms for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def filtered(names: pa.Array, mask: np.ndarray) -> pa.Array:
    return pc.array_filter(names, pa.array(mask))
