"""One part of the index: made from one part of the documents, and opened again.

    part-00000.ids.npy      uint32   the lexemes of all texts, a BORDER before, between and after them
    part-00000.lines.npy    uint8    line ends since the lexeme before
    part-00000.hashes.npy   uint64   of windows that begin at every `every`-th place and hold no border, sorted
    part-00000.places.npy   uint32   where in `ids` each of them begins
    part-00000.parquet      one row a document: who it is (`TABLE`); written last

Guarantees: the same part and settings give the same bytes; a killed part leaves no table and is made again. Memory: 12 bytes a byte of text
in the largest part (64 MB), whatever the corpus.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable, mirror
from minisc.core.document import TRAIN
from minisc.core.errors import DamagedArtifact
from minisc.core.parts import read_tables
from minisc.text.lexemes import BORDER, Ids, Places, lexemes
from minisc.text.shingles import mix

Hashes = npt.NDArray[np.uint64]
WHO = ("uid", "sha1_git", "source", "repo", "revision", "path_text", "license")
TABLE = pa.schema([
    *((name, pa.string()) for name in WHO),
    ("first", pa.int64()),  # of its lexemes in the part
    ("lexemes", pa.int64()),
])  # fmt: skip
ARRAYS = ("ids", "lines", "hashes", "places")
BLOCK_BYTES = 1 << 20  # texts turned into lexemes at once; changes memory, never a result
_FOLD = np.uint64(0xD6E8FEB86659FD93)  # an odd constant for the polynomial, as in text/shingles


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """One part on its way into the index; picklable."""

    documents: Path
    target: Path  # the part's path without an ending
    window: int
    every: int


def index_part(task: PartTask) -> dict[str, int]:
    """Write the part's files; return figures that add up. A finished part is left alone."""
    table = task.target.with_name(f"{task.target.name}.parquet")
    if not mirror.exists(table):
        rows, ids, lines = _read(task.documents)
        hashes, places = _sampled(ids, task.window, task.every)
        arrays: tuple[npt.NDArray[Any], ...] = (ids, lines, hashes, places)
        for name, array in zip(ARRAYS, arrays, strict=True):
            with durable.write(_array(task.target, name)) as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        with durable.write(table) as temporary:
            pq.write_table(rows, temporary, compression="zstd")
    files = [mirror.fetch(path) for path in (table, *(_array(task.target, name) for name in ARRAYS))]
    size = sum(path.stat().st_size for path in files)
    told = pq.read_table(table, columns=["lexemes"])["lexemes"]
    return {"documents_indexed": len(told), "lexemes_indexed": pc.sum(told).as_py() or 0, "index_bytes": size}


def _array(target: Path, name: str) -> Path:
    return target.with_name(f"{target.name}.{name}.npy")


def _read(documents: Path) -> tuple[pa.Table, Ids, npt.NDArray[np.uint8]]:
    """The training documents of a part, their lexemes and lines. Each block begins with the border that ended the one before."""
    ids, lines, tables = [np.array([BORDER], np.uint32)], [np.zeros(1, np.uint8)], []
    at = 0  # of the last border
    for rows, texts in _blocks(documents):
        block = lexemes(texts)
        borders = block.borders + at
        tables.append(
            rows.append_column(TABLE.field("first"), pa.array(borders[:-1] + 1)).append_column(
                TABLE.field("lexemes"), pa.array(np.diff(borders) - 1)
            )
        )
        ids.append(block.ids[1:])
        lines.append(block.lines()[1:])
        at += len(block.ids) - 1
    table = pa.concat_tables(tables).combine_chunks() if tables else TABLE.empty_table()
    return table, np.concatenate(ids), np.concatenate(lines)


def _blocks(documents: Path) -> Iterator[tuple[pa.Table, list[bytes]]]:
    """Rows of `WHO` with their texts, about `BLOCK_BYTES` at a time, at least one document."""
    for table in read_tables(documents):
        wanted = pc.and_(pc.equal(table["split"], TRAIN), pc.and_(pc.is_null(table["dropped_by"]), pc.is_valid(table["text"])))
        table = table.filter(pc.fill_null(wanted, False)).select([*WHO, "text"])
        texts = table["text"].cast(pa.large_binary()).to_pylist()
        ends = np.cumsum([len(text) for text in texts])
        start = 0
        while start < len(texts):
            before = int(ends[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(ends, before + BLOCK_BYTES, "right")))
            yield table.slice(start, end - start).drop_columns(["text"]), texts[start:end]
            start = end


def window_hashes(ids: Ids, window: int, every: int = 1) -> Hashes:
    """A hash of ids[p : p + window] for p = 0, every, 2 * every, …; `window` is even. Whoever finds equal ones compares the ids."""
    assert window % 2 == 0
    count = max(0, -(-(len(ids) - window + 1) // every))
    hashes = np.zeros(count, np.uint64)
    for step in range(0, window, 2):
        stop = step + every * count
        hashes *= _FOLD
        hashes += mix(ids[step:stop:every].astype(np.uint64) | (ids[step + 1 : stop + 1 : every].astype(np.uint64) << np.uint64(32)))
    return mix(hashes)


def windows_within(ids: Ids, window: int, every: int = 1) -> npt.NDArray[np.bool_]:
    """Which of the same windows hold no border."""
    borders = np.cumsum(np.concatenate(([0], ids == BORDER)), dtype=np.int64)
    count = max(0, -(-(len(ids) - window + 1) // every))
    firsts = np.arange(count) * every
    return borders[firsts + window] == borders[firsts]


def _sampled(ids: Ids, window: int, every: int) -> tuple[Hashes, npt.NDArray[np.uint32]]:
    within = windows_within(ids, window, every)
    hashes = window_hashes(ids, window, every)[within]
    places = (np.flatnonzero(within) * every).astype(np.uint32)
    order = np.argsort(hashes, kind="stable")
    return hashes[order], places[order]


@dataclass(frozen=True, eq=False)
class Part:
    """A part of an index, opened: its arrays as memory maps, its documents as a table."""

    target: Path

    @functools.cached_property
    def ids(self) -> Ids:
        return self._mapped("ids")

    @functools.cached_property
    def hashes(self) -> Hashes:
        return self._mapped("hashes")

    @functools.cached_property
    def places(self) -> npt.NDArray[np.uint32]:
        return self._mapped("places")

    def _mapped(self, name: str) -> Any:
        path = _array(self.target, name)
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DamagedArtifact(
                f"a part of the index cannot be read: {error}", where=str(path), do=f"rm -r {path.parent.parent}"
            ) from error

    def origins(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """The documents that hold these places of `ids`, with the line (from 1) that each place is on; in the order given."""
        table = pq.read_table(self.target.with_name(f"{self.target.name}.parquet"))
        firsts: Places = table["first"].to_numpy()
        rows = np.searchsorted(firsts, places, "right") - 1
        lines = self._mapped("lines")
        told = table.take(pa.array(rows)).to_pylist()
        return [
            {**{name: row[name] for name in WHO}, "line": 1 + int(lines[row["first"] : place + 1].sum(dtype=np.int64))}
            for row, place in zip(told, places, strict=True)
        ]


def parts_of(folder: Path) -> list[Path]:
    """The parts of an index by their paths without endings, in order."""
    return [table.with_suffix("") for table in sorted(folder.glob("part-*.parquet"))]
