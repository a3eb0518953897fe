"""The walk over the layout of 2019: directories with three arrays of integer keys into three entry tables.

`read_arrays` gives a `Walked`. The order of reading and what is held is told in `walk.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from minisc.source.swh_graph.columns import ID_BYTES, MISSING
from minisc.source.swh_graph.export import Batch, Export
from minisc.source.swh_graph.graph import EMPTY, Entries, Lists, Proofs, Sample, Walked, Wanted, filtered, joined
from minisc.source.swh_graph.ids import ABSENT, IdIndex, distinct

SPREAD_AT_MOST, TABLE_AT_MOST = 16, 1 << 26  # a table of keys may be so much longer than their number, and so long: 256 MB
ENTRY_COLUMNS = {"id": "integers", "target": "ids", "name": "names", "perms": "integers"}


def read_arrays(export: Export, roots: np.ndarray, wanted: Wanted, sample: Sample | None) -> Walked:
    counts: Counter[str] = Counter()
    ids, dirs = _directories(export)
    index = IdIndex(ids)
    targets = _dir_targets(export)
    reached, entry_ids, entry_to = _walk(index, dirs, targets, index.find(roots), counts)
    del targets
    entries, kept = _entries(export, "directory_entry_dir", entry_ids)
    local = np.full(len(ids), ABSENT, np.int64)
    local[reached] = np.arange(len(reached))
    to = np.where(entry_to[kept] >= 0, local[entry_to[kept]], ABSENT)
    entry_ids = entry_ids[kept]
    own = Lists.of(dirs.lengths[reached], dirs.of_rows(reached))
    own = _translated(own, entry_ids, counts, "missing_entries")
    del dirs
    reached_ids = ids[reached]
    del ids, index
    files, modules = _file_lists(export, local)
    del local
    picked = sample(reached_ids) if sample else np.zeros(0, np.int64)
    sampled = distinct(files.of_rows(picked))
    file_entries, file_ids = _file_entries(export, distinct(files.values), sampled, wanted)
    proofs = _proofs(export, picked, reached_ids, (own, entries), (files, file_ids, file_entries), modules)
    keep = wanted(file_entries.names) if len(sampled) else np.ones(len(file_entries), bool)
    all_files = files.lengths
    files = _translated(files, file_ids[keep], counts, "")
    return Walked(
        ids=reached_ids, dirs=own, dir_entries=entries, to=to, files=files, all_files=all_files, submodules=modules.lengths, counts=counts, proofs=proofs,
        file_entries=Entries(filtered(file_entries.names, keep), file_entries.perms[keep], file_entries.targets[keep]),
    )  # fmt: skip


def _directories(export: Export) -> tuple[np.ndarray, Lists]:
    """All directory ids, and the keys of their sub-directory entries."""
    starts, total = export.starts("directory")
    ids, lengths = np.empty((total, ID_BYTES), np.uint8), np.empty(total, np.int32)

    def read(batch: Batch) -> np.ndarray:
        first = starts[batch["file"]] + batch["first"]
        rows = slice(first, first + batch["rows"])
        ids[rows], (lengths[rows], values) = batch["id"][0], batch["dir_entries"]
        return _narrow(values)

    flat = list(export.map("directory", {"id": "ids", "dir_entries": "lists"}, read))
    return ids, Lists.of(lengths, np.concatenate(flat) if flat else np.zeros(0, np.int64))


def _narrow(keys: np.ndarray) -> np.ndarray:
    """Keys in four bytes where they fit: edges are what memory goes to."""
    fits = not len(keys) or (keys.min() >= 0 and keys.max() < 2**32)
    return keys.astype(np.uint32) if fits else keys.copy()


class _Keyed:
    """Rows found by an integer key; of equal keys the first. A table where the keys lie close together, else a binary search."""

    def __init__(self, keys: np.ndarray) -> None:
        keys = keys.astype(np.int64, copy=False)
        self._rows = None if (keys[1:] > keys[:-1]).all() else np.argsort(keys, kind="stable")
        self._keys = keys if self._rows is None else keys[self._rows]
        span = int(self._keys[-1]) - int(self._keys[0]) + 1 if len(keys) else 0
        self._table = np.zeros(0, np.int32)
        if span < min(SPREAD_AT_MOST * len(keys), TABLE_AT_MOST):
            self._table = np.full(span, ABSENT, np.int32)
            rows = np.arange(len(keys)) if self._rows is None else self._rows
            self._table[self._keys[::-1] - self._keys[0]] = rows[::-1]

    def find(self, asked: np.ndarray) -> np.ndarray:
        if not len(self._keys):
            return np.full(len(asked), ABSENT, np.int64)
        if len(self._table):
            at = asked - self._keys[0]
            inside = (at >= 0) & (at < len(self._table)) & (asked >= self._keys[0])
            return np.where(inside, self._table[np.where(inside, at, 0)], ABSENT).astype(np.int64)
        at = np.searchsorted(self._keys, asked)
        at[at == len(self._keys)] = 0
        hit = self._keys[at] == asked
        return np.where(hit, at if self._rows is None else self._rows[at], ABSENT)


def _dir_targets(export: Export) -> tuple[_Keyed, np.ndarray]:
    starts, total = export.starts("directory_entry_dir")
    keys, targets = np.empty(total, np.int64), np.empty((total, ID_BYTES), np.uint8)

    def read(batch: Batch) -> None:
        first = starts[batch["file"]] + batch["first"]
        rows = slice(first, first + batch["rows"])
        keys[rows], targets[rows] = batch["id"], batch["target"][0]

    for _ in export.map("directory_entry_dir", {"id": "integers", "target": "ids"}, read):
        pass
    return _Keyed(keys), targets


def _walk(
    index: IdIndex, dirs: Lists, targets: tuple[_Keyed, np.ndarray], roots: np.ndarray, counts: Counter[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level by level: the reached rows (ascending), the entry keys met (ascending) and the row that each leads to."""
    keyed, ids = targets
    seen = np.zeros(len(index), bool)
    frontier = distinct(roots[roots != ABSENT])
    met_keys, met_rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    while len(frontier):
        seen[frontier] = True
        keys = distinct(dirs.of_rows(frontier)).astype(np.int64)
        keys = keys[keys != MISSING]
        entry = keyed.find(keys)
        to = np.full(len(keys), ABSENT, np.int64)
        to[entry != ABSENT] = index.find(ids[entry[entry != ABSENT]])
        met_keys.append(keys)
        met_rows.append(to)
        fresh = distinct(to[to != ABSENT])
        frontier = fresh[~seen[fresh]]
        counts["levels"] += 1
    keys, first = np.unique(np.concatenate(met_keys), return_index=True)
    return np.flatnonzero(seen), keys, np.concatenate(met_rows)[first]


def _entries(export: Export, table: str, wanted_keys: np.ndarray) -> tuple[Entries, np.ndarray]:
    """The entry rows with these (ascending) keys, in the order of the keys, and which keys were there."""
    keyed = _Keyed(wanted_keys)

    def chosen(batch: Batch) -> tuple[np.ndarray, Entries]:
        at = keyed.find(batch["id"])
        hit = at != ABSENT
        return at[hit], Entries(filtered(batch["name"], hit), batch["perms"][hit].astype(np.int32), batch["target"][0][hit])

    return _in_order(export.map(table, ENTRY_COLUMNS, chosen))


def _in_order(found: Iterable[tuple[np.ndarray, Entries]]) -> tuple[Entries, np.ndarray]:
    """Entry rows by ascending key, each key once, and the keys."""
    keys, parts = [np.zeros(0, np.int64)], [EMPTY]
    for key, entries in found:
        if len(key):
            keys.append(key)
            parts.append(entries)
    kept, first = np.unique(np.concatenate(keys), return_index=True)
    return joined(parts).take(first), kept


def _translated(lists: Lists, keys: np.ndarray, counts: Counter[str], lost: str) -> Lists:
    """The same lists as rows of a table with these (ascending) keys; others are left out and counted as `lost`."""
    at = _Keyed(keys).find(lists.values.astype(np.int64))
    there = at != ABSENT
    if lost:
        counts[lost] += int((~there).sum())
    owner = np.repeat(np.arange(len(lists.lengths)), lists.lengths)
    return Lists.of(np.bincount(owner[there], minlength=len(lists.lengths)), at[there])


def _file_lists(export: Export, local: np.ndarray) -> tuple[Lists, Lists]:
    """The keys of the file entries and of the revision entries of reached directories (`local` >= 0), in their order."""
    starts, _ = export.starts("directory")

    def chosen(batch: Batch) -> list[tuple[np.ndarray, np.ndarray]]:
        first = starts[batch["file"]] + batch["first"]
        rows = np.flatnonzero(local[first : first + batch["rows"]] != ABSENT)
        own = [Lists.of(*batch[name]) for name in ("file_entries", "rev_entries")]
        return [(lists.lengths[rows], _narrow(lists.of_rows(rows))) for lists in own]

    held = list(export.map("directory", {"file_entries": "lists", "rev_entries": "lists"}, chosen)) or [[(np.zeros(0, np.int64),) * 2] * 2]
    files, modules = (Lists.of(*(np.concatenate(column) for column in zip(*side, strict=True))) for side in zip(*held, strict=True))
    return files, modules


def _file_entries(export: Export, needed: np.ndarray, sampled: np.ndarray, wanted: Wanted) -> tuple[Entries, np.ndarray]:
    """The needed entry rows that have a wanted name or are sampled, and their keys, ascending."""
    needing, proving = _Keyed(needed.astype(np.int64)), _Keyed(sampled.astype(np.int64))

    def chosen(batch: Batch) -> tuple[np.ndarray, Entries]:
        hit = np.flatnonzero(needing.find(batch["id"]) != ABSENT)
        own = batch["name"].take(hit)
        keep = wanted(own)
        if len(sampled):
            keep |= proving.find(batch["id"][hit]) != ABSENT
        hit = hit[keep]
        return batch["id"][hit], Entries(filtered(own, keep), batch["perms"][hit].astype(np.int32), batch["target"][0][hit])

    return _in_order(export.map("directory_entry_file", ENTRY_COLUMNS, chosen))


def _proofs(
    export: Export,
    picked: np.ndarray,
    ids: np.ndarray,
    dirs: tuple[Lists, Entries],
    files: tuple[Lists, np.ndarray, Entries],
    modules: Lists,
) -> Proofs:
    """All entries of the picked directories, sub-directories, files and submodules alike."""
    keys = distinct(modules.of_rows(picked)).astype(np.int64)
    rev_entries, kept = _entries(export, "directory_entry_rev", keys) if len(keys) else (files[2], np.zeros(0, np.int64))
    of, parts = [], []
    for lists, rows_by_key, entries in ((dirs[0], None, dirs[1]), files, (modules, keys[kept], rev_entries)):
        owner = np.repeat(np.arange(len(picked)), lists.lengths[picked])
        values = lists.of_rows(picked).astype(np.int64)
        at = values if rows_by_key is None else _Keyed(rows_by_key).find(values)
        of.append(owner[at != ABSENT])
        at = at[at != ABSENT]
        parts.append(entries.take(at))
    return Proofs(ids[picked], np.concatenate(of), joined(parts))
