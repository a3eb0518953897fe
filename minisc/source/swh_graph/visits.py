"""Origins, their visits and the branches of snapshots, read alike from both layouts.

`read_visits` gives the visits that archived something, best first for each origin: full before partial, newest before older.
A snapshot is known here by an integer: the export's own `object_id` in 2019, the row among all snapshots seen in later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.swh_graph.branches import Target
from minisc.source.swh_graph.columns import MISSING
from minisc.source.swh_graph.export import Batch, Export
from minisc.source.swh_graph.graph import filtered
from minisc.source.swh_graph.ids import ABSENT, IdIndex, distinct, ranges, unique_ids

_RANKS = {"full": 0, "": 0, "partial": 1}  # a missing status (the docs omit the column) is taken for full
_BRANCH = {"name": "names", "target": "names", "target_type": "names"}
_PULLS = rb"^refs/(pull|merge-requests|changes)/"  # by far the most branches, and none that a repository lives on


@dataclass(frozen=True, slots=True)
class Origin:
    url: str
    kind: str  # git, pypi, deb, hg, svn, ftp, ...


@dataclass(frozen=True)
class Visits:
    """Row i: origin `origin[i]` (a position in `origins`), best first within an origin; `first` is where each origin begins."""

    origins: list[Origin]
    origin: np.ndarray
    visit: np.ndarray
    date: np.ndarray
    snapshot: np.ndarray
    had: np.ndarray  # (origins,) visits of any status, with or without a snapshot

    def of(self, origin: int) -> range:
        first, last = np.searchsorted(self.origin, [origin, origin + 1])
        return range(int(first), int(last))


def read_visits(export: Export) -> tuple[Visits, IdIndex | None]:
    """The visits, and for a relational export the index that numbers its snapshots."""
    return _relational_visits(export) if export.relational else (_arrays_visits(export), None)


def _arrays_visits(export: Export) -> Visits:
    origins: list[Origin] = []
    keys: list[np.ndarray] = []
    for batch in export.stream("origin", {"id": "integers", "type": "texts", "url": "texts"}):
        origins += [Origin(url or "", kind or "") for url, kind in zip(batch["url"], batch["type"], strict=True)]
        keys.append(batch["id"])
    place = {key: at for at, key in enumerate(np.concatenate(keys).tolist())} if keys else {}
    shapes = {"origin": "integers", "visit": "integers", "date": "times", "status": "texts", "snapshot_id": "integers"}
    rows = [
        (
            np.array([place.get(key, ABSENT) for key in batch["origin"].tolist()], np.int64), batch["visit"], batch["date"],
            _ranks(batch), batch["snapshot_id"],
        )
        for batch in export.stream("origin_visit", shapes, optional=("status",))
    ]  # fmt: skip
    return _sorted(origins, rows)


def _relational_visits(export: Export) -> tuple[Visits, IdIndex]:
    urls = [url or "" for batch in export.stream("origin", {"url": "texts"}) for url in batch["url"]]
    kinds: dict[str, str] = {}
    for batch in export.stream("origin_visit", {"origin": "texts", "type": "texts"}, optional=("type",)):
        kinds |= {url: kind for url, kind in zip(batch["origin"], batch["type"] or [], strict=False) if url and kind}
    place = {url: at for at, url in enumerate(urls)}
    shapes = {"origin": "texts", "visit": "integers", "date": "times", "status": "texts", "snapshot": "ids"}
    batches = list(export.stream("origin_visit_status", shapes, optional=("status",)))
    index = (
        IdIndex(unique_ids(np.concatenate([batch["snapshot"][0][batch["snapshot"][1]] for batch in batches])))
        if batches
        else IdIndex(np.zeros((0, 20), np.uint8))
    )
    rows = [
        (
            np.array([place.get(url, ABSENT) for url in batch["origin"]], np.int64), batch["visit"], batch["date"], _ranks(batch),
            np.where(batch["snapshot"][1], index.find(batch["snapshot"][0]), MISSING),
        )
        for batch in batches
    ]  # fmt: skip
    return _sorted([Origin(url, kinds.get(url, "")) for url in urls], rows), index


def _ranks(batch: Batch) -> np.ndarray:
    if batch["status"] is None:
        return np.zeros(batch["rows"], np.int64)
    return np.array([_RANKS.get(status or "", 2) for status in batch["status"]], np.int64)


def _sorted(origins: list[Origin], rows: Sequence[tuple[np.ndarray, ...]]) -> Visits:
    origin, visit, date, rank, snapshot = (
        np.concatenate(column) if rows else np.zeros(0, np.int64) for column in (list(zip(*rows, strict=True)) or [()] * 5)
    )
    had = np.bincount(origin[origin != ABSENT], minlength=len(origins))
    usable = (origin != ABSENT) & (snapshot != MISSING) & (rank < 2)
    origin, visit, date, rank, snapshot = (column[usable] for column in (origin, visit, date, rank, snapshot))
    order = np.lexsort((-visit, -np.maximum(date, MISSING + 1), rank, origin))
    return Visits(origins, origin[order], visit[order], date[order], snapshot[order], had)


def read_branches(export: Export, snapshots: np.ndarray, index: IdIndex | None) -> dict[int, dict[bytes, Target]]:
    """The branches of these snapshots, pull requests left out; an empty snapshot has none."""
    wanted = distinct(snapshots)
    out: dict[int, dict[bytes, Target]] = {int(key): {} for key in wanted.tolist()}
    if index is not None:
        local = IdIndex(index.ids[wanted])
        for batch in export.stream("snapshot_branch", {"snapshot_id": "ids", **_BRANCH}):
            at = local.find(batch["snapshot_id"][0])
            _add(out, wanted[np.where(at == ABSENT, 0, at)] if len(wanted) else at, at != ABSENT, batch, hexadecimal=True)
        return out
    links: list[np.ndarray] = []
    for batch in export.stream("snapshot_branches", {"snapshot_id": "integers", "branch_id": "integers"}):
        hit = np.isin(batch["snapshot_id"], wanted)
        links.append(np.stack([batch["branch_id"][hit], batch["snapshot_id"][hit]], axis=1))
    link = np.concatenate(links) if links else np.zeros((0, 2), np.int64)
    link = link[np.lexsort((link[:, 1], link[:, 0]))]
    for batch in export.stream("snapshot_branch", {"object_id": "integers", **_BRANCH}):
        keys: np.ndarray = batch["object_id"]
        first, last = np.searchsorted(link[:, 0], keys), np.searchsorted(link[:, 0], keys, side="right")
        rows = pa.array(np.repeat(np.arange(batch["rows"]), last - first))  # a branch row may serve several snapshots
        chosen = {name: batch[name].take(rows) for name in _BRANCH}
        _add(out, link[ranges(first, last - first), 1], np.ones(len(rows), bool), chosen, hexadecimal=False)
    return out


def _add(out: dict[int, dict[bytes, Target]], snapshot: np.ndarray, mask: np.ndarray, batch: Batch, *, hexadecimal: bool) -> None:
    pulls = pc.fill_null(pc.match_substring_regex(batch["name"], _PULLS), True).to_numpy(zero_copy_only=False)
    mask = mask & ~pulls
    names, targets, kinds = (filtered(batch[name], mask).to_pylist() for name in _BRANCH)
    for key, name, kind, target in zip(snapshot[mask].tolist(), names, kinds, targets, strict=True):
        if target is not None and hexadecimal and kind != b"alias":
            target = _unhex(target)
        out[key][name] = Target((kind or b"").decode("ascii", "replace"), target)


def _unhex(target: bytes) -> bytes | None:
    try:
        return bytes.fromhex(target.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return None


def snapshot_ids(export: Export, keys: Iterable[int], index: IdIndex | None) -> dict[int, bytes]:
    """The intrinsic ids of snapshots. The table is optional in 2019: nothing but the SWHID needs it."""
    wanted = set(keys)
    if index is not None:
        return {key: index.ids[key].tobytes() for key in wanted}
    if not export.has("snapshot"):
        return {}
    return {
        key: batch["id"][0][row].tobytes()
        for batch in export.stream("snapshot", {"object_id": "integers", "id": "ids"})
        for row, key in enumerate(batch["object_id"].tolist())
        if key in wanted
    }
