"""An export on disk or in a bucket: its tables, streamed as named columns of known shape.

In: a folder, `s3://bucket/prefix` or `http(s)://…/` (a page of links), holding one folder a table with Parquet or ORC files.
Out: `stream(table, columns)`: for each batch a dictionary name -> column in the shapes of `columns.py`.
Two layouts are told apart by looking: the one of 2019 (`directory` with three arrays and three `directory_entry_*` tables,
integer keys) and the relational one of 2021 and later (`directory_entry`, hex ids, no `snapshot_branches`).
Guarantees: only the named columns are read; other columns, other files (`_SUCCESS`, …) and an unequal schema from file to file
do not matter; a missing table, a missing column, a truncated or corrupt file is a `BadInput` that names file and column.
Memory: one batch. Rows come in the order of the files' names, always the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs
import pyarrow.orc
import pyarrow.parquet as pq

from minisc.core.errors import BadInput, MissingExtra, UserError
from minisc.source.swh_graph import columns

BATCH_ROWS = 131_072
SHAPES = {
    "ids": columns.ids,
    "integers": columns.integers,
    "times": columns.times,
    "names": columns.names,
    "texts": columns.texts,
    "lists": columns.lists,
}
Batch = dict[str, Any]
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export. `endpoint` and `region` are for s3:// only; an empty endpoint is Amazon's."""

    path: str
    endpoint: str = ""
    region: str = ""

    @cached_property
    def place(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """The file system and the folder in it that holds the tables' folders."""
        system, root = open_place(self.path, self.endpoint, self.region)
        for below in ("", "/parquet", "/orc"):
            if any(_data_files(system, f"{root}{below}/{table}") for table in ("directory_entry_dir", "directory_entry")):
                return system, root + below
        found = ", ".join(sorted(info.base_name for info in _entries(system, root))[:20]) or "nothing"
        raise BadInput(
            f"no export of Software Heritage: neither a table directory_entry_dir nor directory_entry, but {found}",
            where=f"source.path={self.path}", do="name the folder that holds origin/, directory/, …; +recipe=fetch_swh downloads one",
        )  # fmt: skip

    @cached_property
    def relational(self) -> bool:
        """True for the layout of 2021 and later."""
        return self.has("directory_entry")

    @cached_property
    def _found(self) -> dict[str, list[pyarrow.fs.FileInfo]]:
        """The files of the tables that were asked for: a listing may be a request."""
        return {}

    @cached_property
    def _starts(self) -> dict[str, tuple[dict[str, int], int]]:
        return {}

    def files(self, table: str) -> list[pyarrow.fs.FileInfo]:
        """The data files of one table, by name. Raises BadInput when there are none."""
        if not self.has(table):
            raise BadInput(
                f"the export has no table {table!r}",
                where=f"{self.place[1]}/{table}",
                do="the table's folder must hold *.parquet or *.orc files",
            )
        return self._found[table]

    def has(self, table: str) -> bool:
        if table not in self._found:
            system, root = self.place
            self._found[table] = _data_files(system, f"{root}/{table}")
        return bool(self._found[table])

    def local_paths(self, tables: tuple[str, ...]) -> list[Path] | None:
        """Paths of the files of these tables, or None when the export does not lie on this machine."""
        system, _ = self.place
        return (
            [Path(info.path) for table in tables for info in self.files(table)] if isinstance(system, pyarrow.fs.LocalFileSystem) else None
        )

    def starts(self, table: str) -> tuple[dict[str, int], int]:
        """The number of the first row of each file of a table, by the files' footers, and of all rows."""
        if table not in self._starts:
            starts, total = {}, 0
            for info in self.files(table):
                starts[info.path] = total
                total += _File(self.place[0], info.path, info.extension).rows
            self._starts[table] = starts, total
        return self._starts[table]

    def stream(self, table: str, wanted: Mapping[str, str], optional: tuple[str, ...] = ()) -> Iterator[Batch]:
        """Batches of the columns `wanted` (name -> shape). A column in `optional` that a file lacks is None in its batches.

        Ids come as a pair, see `columns.ids`; "rows" is the number of rows of the batch, "file" its file, "first" the number of its
        first row in that file.
        """
        for info in self.files(table):
            yield from self._batches(table, info, wanted, optional)

    def _batches(self, table: str, info: pyarrow.fs.FileInfo, wanted: Mapping[str, str], optional: tuple[str, ...]) -> Iterator[Batch]:
        file = _File(self.place[0], info.path, info.extension)
        absent = [name for name in wanted if name not in file.names]
        if lost := [name for name in absent if name not in optional]:
            raise BadInput(
                f"table {table!r} lacks the column {lost[0]!r}", where=file.path,
                do=f"it holds {', '.join(file.names)}; another layout than those of 2019 and 2021 and later?",
            )  # fmt: skip
        present = [name for name in wanted if name in file.names]
        first = 0
        for batch in file.batches(present):
            yield {
                "rows": len(batch),
                "first": first,
                "file": info.path,
                **dict.fromkeys(absent),
                **{name: self._shaped(file, batch, name, wanted[name]) for name in present},
            }
            first += len(batch)

    def map(self, table: str, wanted: Mapping[str, str], function: Callable[[Batch], R], optional: tuple[str, ...] = ()) -> Iterator[R]:
        """`function` of every batch, in order; files are read and worked on in as many threads as this process has cores.

        Arrow and numpy work outside the interpreter's lock, so this is worth it from the second core on.
        """
        with ThreadPoolExecutor(pa.cpu_count()) as pool:
            running: deque[Future[list[R]]] = deque()
            for info in self.files(table):
                running.append(pool.submit(lambda info: [function(batch) for batch in self._batches(table, info, wanted, optional)], info))
                if len(running) > 2 * pa.cpu_count():
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()

    @staticmethod
    def _shaped(file: _File, batch: pa.RecordBatch, name: str, shape: str) -> Any:
        try:
            return SHAPES[shape](batch.column(batch.schema.get_field_index(name)))
        except (columns.Unreadable, pa.ArrowInvalid) as error:
            raise BadInput(
                f"column {name!r} cannot be read: {error}", where=f"{file.path}, column {name}", do="is this file of another export?"
            ) from error


class _File:
    """One Parquet or ORC file; every error of its reader is a BadInput with its path."""

    def __init__(self, system: pyarrow.fs.FileSystem, path: str, kind: str) -> None:
        self.path = path
        with self._readable():
            source = system.open_input_file(path)
            self._parquet: Any = pq.ParquetFile(source, coerce_int96_timestamp_unit="us") if kind == "parquet" else None
            self._orc: Any = pyarrow.orc.ORCFile(source) if kind == "orc" else None
            orc: Any = self._orc
            schema = self._parquet.schema_arrow if self._parquet else orc.schema
            self.names: list[str] = list(schema.names)
            self.rows: int = self._parquet.metadata.num_rows if self._parquet else orc.nrows

    def batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        with self._readable():
            if self._parquet:
                yield from self._parquet.iter_batches(batch_size=BATCH_ROWS, columns=names)
            else:
                for stripe in range(self._orc.nstripes):
                    yield self._orc.read_stripe(stripe, columns=names)

    def _readable(self) -> _Blame:
        return _Blame(self.path)


class _Blame:
    """Turns what Arrow raises about a file into a BadInput that names it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, UserError):
            what = str(error).splitlines()[0][:300]
            raise BadInput(
                f"the file is damaged or cut short: {what}", where=self._path, do="remove it and fetch it again: +recipe=fetch_swh"
            ) from error


def open_place(path: str, endpoint: str = "", region: str = "") -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system and the path in it of a folder, an s3:// prefix (read without credentials) or a page of links."""
    if path.startswith("s3://"):
        scheme, _, host = endpoint.rpartition("://")
        options: dict[str, Any] = {"anonymous": True, "region": region or "us-east-1"}
        if endpoint:
            options |= {"endpoint_override": host, "scheme": scheme or "https"}
        return pyarrow.fs.S3FileSystem(**options), path.removeprefix("s3://").rstrip("/")
    if path.startswith(("http://", "https://")):
        try:
            import aiohttp  # noqa: F401 (fsspec needs it, and says so too late)
            from fsspec.implementations.http import HTTPFileSystem  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtra.named("aiohttp", "swh", f"source.path={path}") from error
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(HTTPFileSystem())), path.rstrip("/")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BadInput(
            "the folder does not exist",
            where=f"source.path={path}",
            do="source.path=<folder of the export>; +recipe=fetch_swh downloads one",
        )
    return pyarrow.fs.LocalFileSystem(), str(folder)


def _entries(system: pyarrow.fs.FileSystem, folder: str) -> list[pyarrow.fs.FileInfo]:
    try:
        return list(system.get_file_info(pyarrow.fs.FileSelector(folder, recursive=False, allow_not_found=True)))
    except (OSError, pa.ArrowException) as error:
        raise BadInput(
            f"cannot be listed: {str(error).splitlines()[0][:300]}", where=folder, do="is the address right, and does it answer?"
        ) from error


def _data_files(system: pyarrow.fs.FileSystem, folder: str) -> list[pyarrow.fs.FileInfo]:
    """The Parquet and ORC files directly in a folder, by path; none where there is no such folder."""
    infos = [info for info in _entries(system, folder) if info.is_file and info.extension in ("parquet", "orc")]
    return sorted(infos, key=lambda info: info.path)
