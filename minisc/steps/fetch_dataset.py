"""fetch_dataset: the tables of a graph export, from a public bucket to a folder on this machine.

In: the bucket's address, the tables and columns that are needed. Out: a folder `source.path` can name: the same files with the needed
columns alone (messages, authors and history are most of the rest).
Guarantees: each file is whole or not there; its rows are counted against the original's footer; a rerun lists the bucket again
and fetches only what is new, changed or missing here. The cost is said first, as the size of the files in the bucket; what is left
out makes it less. Anonymous: no credentials are read. Works with any S3-compatible endpoint.
It always runs and makes no artifact: the export is an input, known to the source by its contents, wherever it lies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from minisc.core import durable
from minisc.core.artifact import Figures
from minisc.core.errors import BadInput, UserError
from minisc.core.step import Bar, Closing, Context, Cost, Done

JOURNAL = "fetched.jsonl"
SECONDS_A_BYTE = 1 / 30e6  # at 30 MB/s


@dataclass(frozen=True, kw_only=True)
class FetchDataset(Closing):
    version: ClassVar[int] = 1

    url: str
    endpoint: str
    region: str
    to: str
    tables: Mapping[str, Sequence[str]]
    optional: Sequence[str]
    connections: int

    def __post_init__(self) -> None:
        if not self.url.startswith("s3://") or self.url.count("/") < 3:
            raise UserError(
                "the address of a bucket and a folder in it is needed",
                where=f"steps.fetch_dataset.url={self.url}",
                do="steps.fetch_dataset.url=s3://bucket/folder",
            )
        if self.connections < 1 or not self.tables:
            raise UserError(
                "at least one connection and one table",
                where=f"steps.fetch_dataset.connections={self.connections}",
                do="steps.fetch_dataset.connections=16",
            )

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        found = self._listed(self._bucket())
        size = sum(info.size for infos in found.values() for info in infos)
        files = sum(map(len, found.values()))
        return Cost(
            seconds=size * SECONDS_A_BYTE, download_bytes=size, disk_bytes=size, requests=3 * files, remark=f"at most: {files:,} files"
        )

    def look(self, done: Sequence[Done], context: Context) -> Figures:
        folder, bucket = Path(self.to).expanduser(), self._bucket()
        folder.mkdir(parents=True, exist_ok=True)
        durable.sweep(folder)
        journal = _read_journal(folder / JOURNAL)
        files = [(table, info) for table, infos in self._listed(bucket).items() for info in infos]
        left = [(table, info) for table, info in files if not self._is_here(folder, table, info, journal)]
        size = sum(info.size for _, info in left)
        context.speak.line(
            f"{len(files):,} files, {len(files) - len(left):,} here already; {len(left):,} to fetch, at most {size / 1e6:,.0f} MB, into {folder}"
        )
        with context.speak.progress("fetching", size, "B") as bar:
            fetched = self._fetch(bucket, folder, left, bar)
        return {"files": len(files), "files_fetched": len(left), "rows_fetched": fetched, "dataset": str(folder)}

    def _bucket(self) -> pyarrow.fs.S3FileSystem:
        scheme, _, host = self.endpoint.rpartition("://")
        where = {"endpoint_override": host, "scheme": scheme or "https"} if self.endpoint else {}
        return pyarrow.fs.S3FileSystem(anonymous=True, region=self.region, **where)

    def _listed(self, bucket: pyarrow.fs.S3FileSystem) -> dict[str, list[pyarrow.fs.FileInfo]]:
        """The Parquet files of each table. Raises BadInput for a table without any."""
        found: dict[str, list[pyarrow.fs.FileInfo]] = {}
        for table in self.tables:
            root = f"{self.url.removeprefix('s3://').rstrip('/')}/{table}"
            try:
                infos = bucket.get_file_info(pyarrow.fs.FileSelector(root, allow_not_found=True))
            except (OSError, pa.ArrowException) as error:
                raise _trouble(error, f"s3://{root}") from error
            found[table] = sorted((info for info in infos if info.is_file and info.extension == "parquet"), key=lambda info: info.path)
            if not found[table] and table not in self.optional:
                raise BadInput(
                    f"the bucket holds no Parquet file of the table {table!r}", where=f"s3://{root}", do="is steps.fetch_dataset.url right?"
                )
        return found

    def _is_here(self, folder: Path, table: str, info: pyarrow.fs.FileInfo, journal: Mapping[str, Mapping[str, Any]]) -> bool:
        told = journal.get(f"{table}/{info.base_name}")
        path = folder / table / info.base_name
        return bool(
            told and told["remote_bytes"] == info.size and told["remote_mtime_ns"] == info.mtime_ns and told["columns"] == list(self.tables[table])
            and path.exists() and path.stat().st_size == told["bytes"]
        )  # fmt: skip

    def _fetch(self, bucket: pyarrow.fs.S3FileSystem, folder: Path, left: Sequence[tuple[str, pyarrow.fs.FileInfo]], bar: Bar) -> int:
        rows = 0
        with ThreadPoolExecutor(self.connections) as pool, (folder / JOURNAL).open("a", encoding="utf-8") as journal:
            running = {pool.submit(_copy, bucket, info, folder / table, self.tables[table]): (table, info) for table, info in left}
            try:
                for future in as_completed(running):
                    table, info = running[future]
                    told = future.result()
                    journal.write(json.dumps({"name": f"{table}/{info.base_name}", "columns": list(self.tables[table]), **told}) + "\n")
                    journal.flush()
                    rows += told["rows"]
                    bar.advance(info.size)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return rows


def _copy(bucket: pyarrow.fs.S3FileSystem, info: pyarrow.fs.FileInfo, folder: Path, columns: Sequence[str]) -> dict[str, Any]:
    """One file with these columns; returns what the journal keeps. A name from the bucket is one path component, or is refused."""
    if os.sep in info.base_name or info.base_name in ("", ".", ".."):
        raise BadInput(f"the bucket names a file {info.base_name!r}", where=f"s3://{info.path}", do="is this the right bucket?")
    target = folder / info.base_name
    try:
        with (
            bucket.open_input_file(info.path) as source,
            pq.ParquetFile(source, pre_buffer=True) as parquet,
            durable.write(target) as temporary,
        ):
            present = [name for name in columns if name in parquet.schema_arrow.names]
            schema = pa.schema([parquet.schema_arrow.field(name) for name in present])
            with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                for group in range(parquet.num_row_groups):
                    writer.write_table(parquet.read_row_group(group, columns=present))
            rows = pq.read_metadata(temporary).num_rows
            if rows != parquet.metadata.num_rows:
                raise BadInput(f"{rows:,} of {parquet.metadata.num_rows:,} rows arrived", where=f"s3://{info.path}", do=_AGAIN)
    except (OSError, pa.ArrowException) as error:
        raise _trouble(error, f"s3://{info.path}") from error
    return {"remote_bytes": info.size, "remote_mtime_ns": info.mtime_ns, "bytes": target.stat().st_size, "rows": rows}


_AGAIN = "run the same line again: what is here is not fetched again"


def _trouble(error: Exception, where: str) -> BadInput:
    return BadInput(f"the bucket gave no readable file: {str(error).splitlines()[0][:300]}", where=where, do=_AGAIN)


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """The last entry of each file; a torn last line is passed over."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        found[told["name"]] = told
    return found
