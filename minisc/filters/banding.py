"""Which documents could be near-duplicates of which: connected components under shared bands.

In: signatures on disk, in parts. `components` gives each document the number of the least row that it is joined to through
shared bands (a band: `rows` consecutive minima, hashed to 64 bits). Documents alone in their component are done.
Memory: 8 bytes a document for each band that is looked at in one pass over the signatures, and about 30 bytes more. How many bands a
pass takes follows from `budget`: all of them for a small corpus, six for a large one, fewer for a very large one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from minisc.core.stage import Sketches
from minisc.filters.base import Rows
from minisc.text.shingles import Hashes, mix

LEAST, MOST, OF_A_DOCUMENT = 16 << 20, 512 << 20, 48  # bytes of band hashes held at once; they change speed, never a result


def budget(documents: int) -> int:
    """Bytes of band hashes that may be held at once."""
    return min(MOST, max(LEAST, OF_A_DOCUMENT * documents))


def components(sketches: Sketches, documents: int, bands: int, rows: int) -> Rows:
    """For each document the least row of its component. Documents without a signature stay alone."""
    label = np.arange(documents, dtype=np.int64)
    at_once = max(1, min(bands, budget(documents) // max(1, 8 * documents)))
    for first in range(0, bands, at_once):
        for hashes in _band_hashes(sketches, range(first, min(bands, first + at_once)), rows, documents):
            _unite(label, hashes)
    return label


def _band_hashes(sketches: Sketches, wanted: range, rows: int, documents: int) -> list[Hashes]:
    """One array of 64-bit hashes a band; a document without a signature gets a hash of its own row."""
    out = [np.empty(documents, np.uint64) for _ in wanted]
    start = 0
    for table in sketches:
        signatures, has = signatures_of(table)
        for hashes, band in zip(out, wanted, strict=True):
            hashed = np.full(len(signatures), np.uint64(band), np.uint64)
            for column in range(band * rows, (band + 1) * rows):
                hashed = mix(hashed + signatures[:, column])
            own = mix(np.arange(start, start + len(signatures), dtype=np.uint64) + _NOBODY)
            hashes[start : start + len(signatures)] = np.where(has, hashed, own)
        start += len(signatures)
    return out


_NOBODY = np.uint64(0xA0761D6478BD642F)


def signatures_of(table: pa.Table) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """The signatures of a sketch table as (rows, minima), and which rows have one; the others hold anything."""
    column = table["signature"].combine_chunks()
    width = column.type.byte_width // 4
    has = np.asarray(column.is_valid())
    if not len(column):
        return np.empty((0, width), np.uint32), has
    data = np.frombuffer(column.buffers()[1], np.uint32)
    return data[column.offset * width : (column.offset + len(column)) * width].reshape(len(column), width), has


def _unite(label: Rows, hashes: Hashes) -> None:
    """Join all documents with an equal hash: their labels become the least of their components' labels."""
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    one, other = order[same], order[same + 1]
    while True:
        low, high = np.minimum(label[one], label[other]), np.maximum(label[one], label[other])
        apart = low != high
        if not apart.any():
            return
        np.minimum.at(label, high[apart], low[apart])
        while not np.array_equal(pointed := label[label], label):
            label[:] = pointed


class ShingleFile:
    """Sets of shingles in a temporary file, so that candidates may be compared in any order while memory stays flat.

    8 bytes a shingle, about 1.3 times the candidates' text; the file has no name and goes with the process.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0

    def __enter__(self) -> ShingleFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __contains__(self, row: int) -> bool:
        return row in self._places

    def add(self, row: int, hashes: Hashes) -> None:
        self._places[row] = (self._end, len(hashes))
        self._file.write(hashes.tobytes())
        self._end += hashes.nbytes

    def get(self, row: int) -> Hashes:
        """Raises KeyError for a row that was never added."""
        self._file.flush()
        offset, count = self._places[row]
        return np.frombuffer(os.pread(self._file.fileno(), 8 * count, offset), np.uint64)

    def size(self, row: int) -> int:
        return self._places[row][1]
