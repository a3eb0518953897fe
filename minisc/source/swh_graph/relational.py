"""The walk over the layout of 2021 and later: one table `directory_entry`, ids in hex, no keys.

`read_relational` gives a `Walked`, as `arrays.py` does. The table is streamed twice: once for the edges between directories,
which are held (48 bytes each), once for the entries of what was reached.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.swh_graph.columns import ID_BYTES
from minisc.source.swh_graph.export import Batch, Export
from minisc.source.swh_graph.graph import EMPTY, Entries, Lists, Proofs, Sample, Walked, Wanted, filtered, joined
from minisc.source.swh_graph.ids import ABSENT, IdIndex, distinct, unique_ids

FILE, DIRECTORY, REVISION = b"file", b"dir", b"rev"


def read_relational(export: Export, roots: np.ndarray, wanted: Wanted, sample: Sample | None) -> Walked:
    index = IdIndex(unique_ids(_all(export, "directory", "id")))
    counts: Counter[str] = Counter()
    reached = _walk(export, index, roots, counts)
    ids = index.ids[reached]
    picked = sample(ids) if sample else np.zeros(0, np.int64)
    gathered = _gather(export, IdIndex(ids), wanted, set(picked.tolist()))
    dirs, dir_entries = gathered.dirs.lists(len(ids))
    files, file_entries = gathered.files.lists(len(ids))
    to = IdIndex(ids).find(dir_entries.targets)
    proof_of, proof_entries = gathered.proofs.flat()
    place = {row: at for at, row in enumerate(picked.tolist())}
    return Walked(
        ids=ids, dirs=dirs, dir_entries=dir_entries, to=to, files=files, file_entries=file_entries, counts=counts,
        all_files=gathered.all_files, submodules=gathered.submodules,
        proofs=Proofs(ids[picked], np.array([place[row] for row in proof_of.tolist()], np.int64), proof_entries),
    )  # fmt: skip


def _all(export: Export, table: str, column: str) -> np.ndarray:
    parts = [batch[column][0] for batch in export.stream(table, {column: "ids"})]
    return np.concatenate(parts) if parts else np.zeros((0, ID_BYTES), np.uint8)


def _is(batch: Batch, kind: bytes) -> np.ndarray:
    return pc.fill_null(pc.equal(batch["type"], pa.scalar(kind, pa.large_binary())), False).to_numpy(zero_copy_only=False)


def _walk(export: Export, index: IdIndex, roots: np.ndarray, counts: Counter[str]) -> np.ndarray:
    """The reached rows of `index`, ascending."""
    sources, targets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for batch in export.stream("directory_entry", {"directory_id": "ids", "type": "names", "target": "ids"}):
        chosen = _is(batch, DIRECTORY)
        sources.append(index.find(batch["directory_id"][0][chosen]))
        targets.append(index.find(batch["target"][0][chosen]))
    source, target = np.concatenate(sources), np.concatenate(targets)
    there = (source != ABSENT) & (target != ABSENT)
    order = np.argsort(source[there], kind="stable")
    edges = Lists.of(np.bincount(source[there], minlength=len(index)), target[there][order])
    seen = np.zeros(len(index), bool)
    frontier = distinct(index.find(roots))
    frontier = frontier[frontier != ABSENT]
    while len(frontier):
        seen[frontier] = True
        fresh = distinct(edges.of_rows(frontier))
        frontier = fresh[~seen[fresh]]
        counts["levels"] += 1
    return np.flatnonzero(seen)


@dataclass
class _Rows:
    """Entry rows with their directories, as they come."""

    of: list[np.ndarray] = field(default_factory=lambda: [np.zeros(0, np.int64)])
    entries: list[Entries] = field(default_factory=lambda: [EMPTY])

    def add(self, batch: Batch, of: np.ndarray, mask: np.ndarray) -> None:
        if mask.any():
            self.of.append(of[mask])
            self.entries.append(Entries(filtered(batch["name"], mask), batch["perms"][mask].astype(np.int32), batch["target"][0][mask]))

    def flat(self) -> tuple[np.ndarray, Entries]:
        return np.concatenate(self.of), joined(self.entries)

    def lists(self, directories: int) -> tuple[Lists, Entries]:
        of, entries = self.flat()
        order = np.argsort(of, kind="stable")
        return Lists.of(np.bincount(of, minlength=directories), order), entries


@dataclass
class _Gathered:
    all_files: np.ndarray
    submodules: np.ndarray
    dirs: _Rows = field(default_factory=_Rows)
    files: _Rows = field(default_factory=_Rows)
    proofs: _Rows = field(default_factory=_Rows)


def _gather(export: Export, index: IdIndex, wanted: Wanted, picked: set[int]) -> _Gathered:
    """One pass over all entries, keeping those of the directories of `index`."""
    out = _Gathered(np.zeros(len(index), np.int64), np.zeros(len(index), np.int64))
    proven = np.zeros(len(index), bool)
    proven[sorted(picked)] = True
    shapes = {"directory_id": "ids", "type": "names", "target": "ids", "name": "names", "perms": "integers"}
    for batch in export.stream("directory_entry", shapes):
        of = index.find(batch["directory_id"][0])
        here = of != ABSENT
        is_file = here & _is(batch, FILE)
        out.all_files += np.bincount(of[is_file], minlength=len(index))
        out.submodules += np.bincount(of[here & _is(batch, REVISION)], minlength=len(index))
        keep = is_file.copy()
        keep[is_file] = wanted(filtered(batch["name"], is_file))
        out.files.add(batch, of, keep)
        out.dirs.add(batch, of, here & _is(batch, DIRECTORY))
        out.proofs.add(batch, of, here & proven[np.where(here, of, 0)])
    return out
