"""The walk over the layout of 2019: directories with three arrays of integer keys into three entry tables.

`read_arrays` gives a `Walked`. The order of reading and what is held is told in `walk.py`. Rows are known by their number in the table
(in the order of the files' names), so that a second pass over it, for other columns, compares nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from minisc.source.swh_graph.columns import ID_BYTES
from minisc.source.swh_graph.export import Batch, Export
from minisc.source.swh_graph.graph import EMPTY, Entries, Lists, Proofs, Sample, Walked, Wanted, filtered, joined
from minisc.source.swh_graph.ids import ABSENT, IdIndex, distinct
from minisc.source.swh_graph.keys import KeyFilter, KeyIndex

ENTRY_COLUMNS = {"id": "integers", "target": "ids", "name": "names", "perms": "integers"}


def read_arrays(export: Export, roots: np.ndarray, wanted: Wanted, sample: Sample | None) -> Walked:
    counts: Counter[str] = Counter()
    ids, dirs = _directories(export)
    targets = _dir_targets(export)
    reached, met, to = _walk(IdIndex(ids), dirs, targets, roots, counts)
    own = _translated(Lists.of(dirs.lengths[reached], dirs.of_rows(reached)), targets.keys, _places(met, len(targets.ids)))
    counts["missing_entries"] += int(dirs.lengths[reached].sum()) - len(own.values)
    reached_ids, entry_ids = ids[reached], targets.ids[met]
    place = _places(reached, len(ids))
    del ids, dirs, targets
    entries = _dir_entries(export, met, entry_ids)
    files, modules = _file_lists(export, place)
    picked = sample(reached_ids) if sample else np.zeros(0, np.int64)
    sampled = distinct(files.of_rows(picked))
    file_entries, file_ids = _file_entries(export, files.values, sampled, wanted)
    proofs = _proofs(export, picked, reached_ids, (own, entries), (files, file_ids, file_entries), modules)
    keep = wanted(file_entries.names) if len(sampled) else np.ones(len(file_entries), bool)
    all_files = files.lengths
    files = _translated(files, KeyIndex(file_ids[keep]), None)
    held = distinct(files.values)  # the entries that a directory holds: the filter let others through
    files = Lists(files.starts, files.lengths, _places(held, int(keep.sum()))[files.values])
    file_entries = file_entries.take(np.flatnonzero(keep)[held])
    return Walked(
        ids=reached_ids, dirs=own, dir_entries=entries, to=np.where(to != ABSENT, place[to], ABSENT), files=files, file_entries=file_entries,
        all_files=all_files, submodules=modules.lengths, counts=counts, proofs=proofs,
    )  # fmt: skip


def _directories(export: Export) -> tuple[np.ndarray, Lists]:
    """All directory ids, and the keys of their sub-directory entries."""
    starts, total = export.starts("directory")
    ids, lengths = np.empty((total, ID_BYTES), np.uint8), np.empty(total, np.int32)

    def read(batch: Batch) -> np.ndarray:
        rows = _rows(batch, starts)
        ids[rows], (lengths[rows], values) = batch["id"][0], batch["dir_entries"]
        return _narrow(values)

    flat = list(export.map("directory", {"id": "ids", "dir_entries": "lists"}, read))
    return ids, Lists.of(lengths, np.concatenate(flat) if flat else np.zeros(0, np.int64))


def _rows(batch: Batch, starts: dict[str, int]) -> slice:
    """Where a batch stands in its table."""
    first = starts[batch["file"]] + batch["first"]
    return slice(first, first + batch["rows"])


def _narrow(keys: np.ndarray) -> np.ndarray:
    """Keys in four bytes where they fit: edges are what memory goes to."""
    fits = not len(keys) or (keys.min() >= 0 and keys.max() < 2**32)
    return keys.astype(np.uint32) if fits else keys.copy()


def _places(rows: np.ndarray, total: int) -> np.ndarray:
    """(total,) int32: where each row stands among these rows, or ABSENT."""
    out = np.full(total, ABSENT, np.int32)
    out[rows] = np.arange(len(rows))
    return out


@dataclass(frozen=True)
class _Targets:
    """The rows of `directory_entry_dir`: found by key, each with the directory that it leads to."""

    keys: KeyIndex
    ids: np.ndarray


def _dir_targets(export: Export) -> _Targets:
    starts, total = export.starts("directory_entry_dir")
    keys, targets = np.empty(total, np.int64), np.empty((total, ID_BYTES), np.uint8)

    def read(batch: Batch) -> None:
        rows = _rows(batch, starts)
        keys[rows], targets[rows] = batch["id"], batch["target"][0]

    for _ in export.map("directory_entry_dir", {"id": "integers", "target": "ids"}, read):
        pass
    return _Targets(KeyIndex(keys), targets)


def _walk(
    index: IdIndex, dirs: Lists, targets: _Targets, roots: np.ndarray, counts: Counter[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level by level: the reached directories and the entry rows met, both ascending, and the directory that each of these leads to."""
    seen, met = np.zeros(len(index), bool), np.zeros(len(targets.ids), bool)
    to = np.full(len(targets.ids), ABSENT, np.int32)
    frontier = index.find(roots)
    frontier = distinct(frontier[frontier != ABSENT])
    while len(frontier):
        seen[frontier] = True
        entry = targets.keys.find(distinct(dirs.of_rows(frontier)))
        entry = entry[entry != ABSENT]
        fresh = entry[~met[entry]]
        met[fresh] = True
        to[fresh] = index.find(targets.ids[fresh])
        below = to[fresh]
        below = distinct(below[below != ABSENT])
        frontier = below[~seen[below]]
        counts["levels"] += 1
    rows = np.flatnonzero(met)
    return np.flatnonzero(seen), rows, to[rows]


def _dir_entries(export: Export, rows: np.ndarray, targets: np.ndarray) -> Entries:
    """The sub-directory entries that stand in these (ascending) rows of their table."""
    starts, _ = export.starts("directory_entry_dir")

    def chosen(batch: Batch) -> tuple[pa.Array, np.ndarray]:
        here = _rows(batch, starts)
        own = rows[slice(*np.searchsorted(rows, [here.start, here.stop]))] - here.start
        return batch["name"].take(pa.array(own)), batch["perms"][own].astype(np.int32)

    parts = list(export.map("directory_entry_dir", {"name": "names", "perms": "integers"}, chosen))
    names = pa.concat_arrays([EMPTY.names, *(name for name, _ in parts)])
    return Entries(names, np.concatenate([EMPTY.perms, *(perms for _, perms in parts)]), targets)


def _entries(export: Export, table: str, wanted_keys: np.ndarray) -> tuple[Entries, np.ndarray]:
    """The entry rows with these keys, in the order of the keys, and the keys that were there."""
    keyed = KeyIndex(wanted_keys)

    def chosen(batch: Batch) -> tuple[np.ndarray, Entries]:
        hit = keyed.find(batch["id"]) != ABSENT
        return batch["id"][hit], Entries(filtered(batch["name"], hit), batch["perms"][hit].astype(np.int32), batch["target"][0][hit])

    return _in_order(export.map(table, ENTRY_COLUMNS, chosen))


def _in_order(found: Iterable[tuple[np.ndarray, Entries]]) -> tuple[Entries, np.ndarray]:
    """Entry rows by ascending key, each key once, and the keys."""
    keys, parts = [np.zeros(0, np.int64)], [EMPTY]
    for key, entries in found:
        if len(key):
            keys.append(key)
            parts.append(entries)
    met = np.concatenate(keys)
    if (met[1:] > met[:-1]).all():
        return joined(parts), met
    kept, first = np.unique(met, return_index=True)
    return joined(parts).take(first), kept


def _translated(lists: Lists, keys: KeyIndex, places: np.ndarray | None) -> Lists:
    """The same lists as rows of a table with these keys, or as the places of these rows; values that have none are left out."""
    at = keys.find(lists.values)
    if places is not None:
        at = np.where(at != ABSENT, places[at], ABSENT)
    there = at != ABSENT
    before = np.concatenate([[0], np.cumsum(there, dtype=np.int64)])
    return Lists.of(before[lists.starts + lists.lengths] - before[lists.starts], at[there])


def _file_lists(export: Export, place: np.ndarray) -> tuple[Lists, Lists]:
    """The keys of the file entries and of the revision entries of directories that have a place, in their order."""
    starts, _ = export.starts("directory")

    def chosen(batch: Batch) -> list[tuple[np.ndarray, np.ndarray]]:
        rows = np.flatnonzero(place[_rows(batch, starts)] != ABSENT)
        own = [Lists.of(*batch[name]) for name in ("file_entries", "rev_entries")]
        return [(lists.lengths[rows], _narrow(lists.of_rows(rows))) for lists in own]

    held = list(export.map("directory", {"file_entries": "lists", "rev_entries": "lists"}, chosen)) or [[(np.zeros(0, np.int64),) * 2] * 2]
    files, modules = (Lists.of(*(np.concatenate(column) for column in zip(*side, strict=True))) for side in zip(*held, strict=True))
    return files, modules


def _file_entries(export: Export, needed: np.ndarray, sampled: np.ndarray, wanted: Wanted) -> tuple[Entries, np.ndarray]:
    """The needed entry rows that have a wanted name or are sampled, and their keys, ascending. Some that are not needed are among them:
    to sort out those of millions here would cost more than to drop the few with a wanted name later."""
    needing, proving = KeyFilter(needed), KeyIndex(sampled)

    def chosen(batch: Batch) -> tuple[np.ndarray, Entries]:
        hit = np.flatnonzero(needing.may_hold(batch["id"]))
        own = batch["name"].take(pa.array(hit))
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
    rev_entries, kept = _entries(export, "directory_entry_rev", keys) if len(keys) else (files[2], keys)
    of, parts = [], []
    for lists, rows_by_key, entries in ((dirs[0], None, dirs[1]), files, (modules, kept, rev_entries)):
        owner = np.repeat(np.arange(len(picked)), lists.lengths[picked])
        values = lists.of_rows(picked).astype(np.int64)
        at = values if rows_by_key is None else KeyIndex(rows_by_key).find(values)
        of.append(owner[at != ABSENT])
        at = at[at != ABSENT]
        parts.append(entries.take(at))
    return Proofs(ids[picked], np.concatenate(of), joined(parts))
