"""Parquet files cut into parts by row groups: as many as hold 64 MB of text, at most, or one larger.

In: shards, the map of columns. Out: `Groups`, and their records. The footer of a file tells the size of the text of every row group, so
files are looked at in order and only until there is enough; of what is read then, only the columns that are named are fetched.
Guarantees: memory is bounded by one batch of records and what Arrow holds of one row group's text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from minisc.core.document import PART_BYTES
from minisc.core.errors import BadInput, UserError, did_you_mean
from minisc.source.base import Listing
from minisc.source.hub_ranges import HubFile
from minisc.source.json_lines import Shard

BATCH = 256  # records that are made Python objects at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """A run of row groups of one file; `packed`: their bytes in the columns that are read."""

    shard: Shard
    first: int
    stop: int
    row: int  # number of the first row in the file
    rows: int
    text_bytes: int
    packed: int


@contextmanager
def _read(shard: Shard) -> Iterator[pq.ParquetFile]:
    try:
        with shard.opened() as file, pq.ParquetFile(file, pre_buffer=False) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the machine's trouble
        raise BadInput(f"a Parquet file cannot be read: {error}", where=shard.name, do="download it again") from error


def groups(shards: Sequence[Shard], columns: Mapping[str, str | None], part_bytes: int, limit: int | None) -> tuple[list[Groups], int]:
    """Parts in order until they hold `limit` bytes of text, and how many files were looked at."""
    out: list[Groups] = []
    held = 0
    for looked, shard in enumerate(shards, 1):
        with _read(shard) as parquet:
            for part in _of_file(shard, parquet, columns, min(part_bytes, PART_BYTES)):
                out.append(part)
                held += part.text_bytes
                if limit is not None and held >= limit:
                    return out, looked
    if not out:
        raise UserError("the Parquet files hold no row", where=shards[0].name, do="source.files=<another pattern>")
    return out, len(shards)


def _of_file(shard: Shard, parquet: pq.ParquetFile, columns: Mapping[str, str | None], part_bytes: int) -> Iterator[Groups]:
    names = set(parquet.schema_arrow.names)
    for ours, theirs in columns.items():
        if theirs is not None and theirs not in names:
            raise UserError(
                f"{shard.name} has no column {theirs!r}", where=f"source.columns.{ours}={theirs}", do=did_you_mean(theirs, names)
            )
    wanted = {theirs for theirs in columns.values() if theirs}
    first = row = rows = text = packed = 0
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        chunks = [group.column(at) for at in range(group.num_columns)]
        size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == columns["text"])
        if number > first and text + size > part_bytes:
            yield Groups(shard=shard, first=first, stop=number, row=row, rows=rows, text_bytes=text, packed=packed)
            first, row, rows, text, packed = number, row + rows, 0, 0, 0
        rows, text = rows + group.num_rows, text + size
        packed += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in wanted)
    if rows:
        yield Groups(shard=shard, first=first, stop=parquet.num_row_groups, row=row, rows=rows, text_bytes=text, packed=packed)


def listing_of_groups(
    parts: Sequence[Groups], looked: int, contents: Mapping[str, str], whose: Mapping[str, str], shards: int, remark: str
) -> Listing:
    """The listing of row groups that were chosen out of so many files."""
    packed = sum(part.packed for part in parts)
    remote = [part for part in parts if isinstance(part.shard, HubFile)]
    names = {part.shard.name: f"{part.shard.size} {contents[part.shard.name]}" for part in parts}
    told = f"{packed / 1e9:.2f} GB of Parquet in {len(names)} of {shards} files, {looked} footers read"
    return Listing(
        parts=tuple(parts), identity={**names, "until": f"{parts[-1].shard.name} group {parts[-1].stop}", **whose},
        documents=sum(part.rows for part in parts), bytes=sum(part.text_bytes for part in parts),
        download_bytes=sum(part.packed for part in remote), requests=sum(-(-part.packed // part.shard.block_bytes) for part in remote if isinstance(part.shard, HubFile)),
        remark="; ".join(filter(None, (told, remark))),
    )  # fmt: skip


def records(part: Groups, columns: Mapping[str, str | None], max_bytes: int) -> Iterator[tuple[int, int, Mapping[str, Any] | None]]:
    """(number of the row, bytes of its text, record) in order; None for a text that is too long."""
    names = [name for name in dict.fromkeys(columns.values()) if name]
    number = part.row
    with _read(part.shard) as parquet:
        for batch in parquet.iter_batches(
            batch_size=BATCH, row_groups=list(range(part.first, part.stop)), columns=names, use_threads=False
        ):
            for record in batch.to_pylist():
                text = record.get(str(columns["text"]))
                size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
                yield number, size, None if size > max_bytes else record
                number += 1
