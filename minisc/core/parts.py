"""Parts: the files that documents lie in, and how they are read and written.

A `documents` artifact holds `kept/part-00000.parquet` …, `dropped/part-00000.parquet` … (the same numbers; rows without
text), `waterfall.json` and `samples.json`. Work is cut into parts by the data alone, at most 64 MB of text each; part k in,
part k out, by atomic rename. So an engine only schedules: retries, resume, workers and Ray all give identical files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable, mirror
from minisc.core.document import SCHEMA, Doc, docs_of, uid_elsewhere

ROW_GROUP_BYTES = 8 * 1024 * 1024  # of text: what a reader has to hold at the least
COMPRESSION, LEVEL = "zstd", 3


def part_name(number: int) -> str:
    return f"part-{number:05d}.parquet"


def write_part(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of `SCHEMA` as one part, atomically; the bytes depend on the rows and their tables only."""
    with durable.write(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression=COMPRESSION, compression_level=LEVEL) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, len(table)))


def regroup(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of about `ROW_GROUP_BYTES` of text, whatever they came in."""
    held: list[pa.Table] = []
    size = 0
    for table in tables:
        for piece in _cut(table):
            held.append(piece)
            size += piece["text"].nbytes
            if size >= ROW_GROUP_BYTES:
                yield pa.concat_tables(held).combine_chunks()
                held, size = [], 0
    if held:
        yield pa.concat_tables(held).combine_chunks()


def _cut(table: pa.Table) -> Iterator[pa.Table]:
    """Rows one by one would be slow: cut a table in about equal runs of rows below the size of a row group."""
    pieces = max(1, -(-table["text"].nbytes // ROW_GROUP_BYTES))
    rows = -(-len(table) // pieces)
    for start in range(0, len(table), max(1, rows)):
        yield table.slice(start, rows)


def read_tables(path: Path) -> Iterator[pa.Table]:
    """The tables of one part, a row group at a time."""
    with pq.ParquetFile(mirror.fetch(path)) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def read_docs(paths: Sequence[Path], split: str | None = None) -> Iterator[Doc]:
    """The kept documents of parts, in the order of the corpus, all or of one split."""
    for path in paths:
        for table in read_tables(path):
            yield from docs_of(table if split is None else table.filter(pc.equal(table["split"], split)))


class PartTexts:
    """`core.stage.Texts` over parts: streams the documents asked for, in the order of the corpus.

    With the `fingerprint` of another artifact, those of its documents that are asked for as `<fingerprint>/<uid>`, under these names.
    """

    def __init__(self, paths: Sequence[Path], fingerprint: str = "") -> None:
        self._paths, self._prefix = paths, uid_elsewhere(fingerprint, "") if fingerprint else ""

    def __call__(self, uids: Iterable[str]) -> Iterator[Doc]:
        own = {uid.removeprefix(self._prefix) for uid in uids if uid.startswith(self._prefix)}
        return self._stream(pa.array(sorted(own), type=pa.string())) if own else iter(())

    def _stream(self, wanted: pa.Array) -> Iterator[Doc]:
        for path in self._paths:
            with pq.ParquetFile(mirror.fetch(path)) as file:
                for group in range(file.num_row_groups):
                    mask = pc.is_in(file.read_row_group(group, columns=["uid"])["uid"], value_set=wanted)
                    if pc.any(mask).as_py():
                        docs = docs_of(file.read_row_group(group).filter(mask))
                        yield from (replace(doc, uid=self._prefix + doc.uid) for doc in docs) if self._prefix else docs


class PartSketches:
    """`core.stage.Sketches` over files: can be read again and again."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __iter__(self) -> Iterator[pa.Table]:
        for path in self._paths:
            yield pq.read_table(mirror.fetch(path))
