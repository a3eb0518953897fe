"""Who has to be named: licenses and copyright lines of everything that a corpus keeps.

In: the kept parts of a `documents` artifact; the copyright lines lie in the rows' note `copyright`, where the license filter puts them
(before anything replaces names in the texts). Out: `attribution.parquet`, one row a repository, license and evidence: the lines of its
documents, each once and sorted, with the number of documents and bytes they stand for. This is what has to be reproduced beside a
model or a corpus made of them, together with the texts of the licenses, which go by SPDX id.
Guarantees: the same rows give the same bytes, in whatever parts. Memory: the lines of about `BUCKET_DOCUMENTS` documents at a time;
for more, the parts are read again, without their texts.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable

NOTE = "copyright"
BUCKET_DOCUMENTS = 2_000_000
_KEYS = ("source", "repo", "license", "license_evidence")
SCHEMA = pa.schema([
    *((name, pa.string()) for name in _KEYS), (NOTE, pa.list_(pa.string())), ("documents", pa.int64()), ("bytes", pa.int64()),
])  # fmt: skip
_Entry = tuple[set[str], list[int]]  # statements; documents and bytes


def write_attribution(parts: Sequence[Path], target: Path) -> None:
    """Read kept parts, write the table, atomically."""
    documents = sum(pq.read_metadata(path).num_rows for path in parts)
    buckets = 1 + documents // BUCKET_DOCUMENTS
    with durable.write(target) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        for bucket in range(buckets):
            writer.write_table(pa.Table.from_pylist(list(_bucket(parts, bucket, buckets)), schema=SCHEMA))


def _bucket(parts: Sequence[Path], bucket: int, buckets: int) -> Iterator[dict[str, object]]:
    """The rows of the repositories whose hash falls into one bucket, in order."""
    found: dict[tuple[str | None, ...], _Entry] = {}
    for path in parts:
        for key, told, documents, size in _grouped(path):
            if zlib.crc32((key[1] or "").encode()) % buckets == bucket:
                lines, count = found.setdefault(key, (set(), [0, 0]))
                lines.update(json.loads(told) if told else ())
                count[0] += documents
                count[1] += size
    for key in sorted(found, key=lambda key: [word or "" for word in key]):
        lines, (documents, size) = found[key]
        yield {**dict(zip(_KEYS, key, strict=True)), NOTE: sorted(lines), "documents": documents, "bytes": size}


def _grouped(path: Path) -> Iterator[tuple[tuple[str | None, ...], str | None, int, int]]:
    """(keys, the note as JSON, documents, bytes) of one part."""
    table = pq.read_table(path, columns=[*_KEYS, "notes", "size"])
    told = pc.map_lookup(table["notes"], pa.scalar(NOTE), "first") if len(table) else pa.array([], pa.string())
    table = table.drop_columns(["notes"]).append_column(NOTE, told)
    groups = table.group_by([*_KEYS, NOTE]).aggregate([([], "count_all"), ("size", "sum")])
    for row in groups.to_pylist():
        yield tuple(row[name] for name in _KEYS), row[NOTE], row["count_all"], row["size_sum"] or 0
