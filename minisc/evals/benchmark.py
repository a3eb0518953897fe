"""Benchmark files: found in the user's folder or fetched from the hub, checked by the hash of their contents, read row by row.

In: a folder or none, a file's name without its compression, what its contents hash to, where they are published. Out: its rows.
`NAME.jsonl` and `NAME.jsonl.gz` are the same file to us: the hash is that of the uncompressed bytes, since a gzip file also
holds the time at which it was made. The hub has some benchmarks as Parquet, which holds the same rows in other bytes: there the rows are
hashed (`digest_of`), the fields that count of those that count. So a score depends on what the option names by hash, never on where it was
taken from, and the place is no part of a fingerprint. No score is ever computed from other rows than those.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from minisc.core import hub
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import canonical, free

LARGEST = 1 << 28  # bytes, uncompressed; the largest published file has 10 MB
PARQUET = ".parquet"


def everyone(row: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A published file: `name` without .jsonl or .jsonl.gz, SHA-256 of its uncompressed bytes, and where to get it.

    `hub`: `<data set>@<commit>:<file>` on the hub, null where the hub does not have what is measured. `rows_sha256`: of its rows where it
    is Parquet, null where it is the file itself.
    """

    name: str
    sha256: str
    source: str
    hub: str | None = free()
    rows_sha256: str | None

    def __post_init__(self) -> None:
        for field in ("sha256", "rows_sha256"):
            value = getattr(self, field)
            if value is not None and (len(value) != 64 or set(value) - set("0123456789abcdef")):
                raise UserError(
                    "a SHA-256 has 64 hexadecimal digits", where=f"benchmark.{field}={value}", do="sha256sum the uncompressed file"
                )
        if Path(self.name).name != self.name:
            raise UserError("a benchmark is named without its folder", where=f"benchmark.name={self.name}", do="benchmarks=<folder>")
        if self.hub is not None:
            told = hub.Address.of(self.hub, f"benchmark.hub={self.hub}")
            if told.file.endswith(PARQUET) and self.rows_sha256 is None:
                raise UserError(
                    "Parquet has the rows of a benchmark in other bytes, and nothing says what they hash to",
                    where="benchmark.rows_sha256=null", do="benchmark.rows_sha256=<64 digits>; run once with any, and the error tells what was found",
                )  # fmt: skip

    def rows(
        self, folder: Path | None, fields: Sequence[str], counts: Callable[[Mapping[str, Any]], bool] = everyone
    ) -> list[dict[str, Any]]:
        """The rows that count. Raises UserError when the file is not to be had, BadInput when it is not the one that the option names."""
        path = self.path(folder)
        parquet = path.suffix == PARQUET
        try:
            raw = b"" if parquet else _contents(path)
            told = _table(path) if parquet else _lines(raw, path)
        except (OSError, EOFError, zlib.error, pyarrow.ArrowException) as error:
            raise BadInput(f"the benchmark file cannot be read: {error}", where=str(path), do=self._again) from error
        if not parquet:
            self._check(hashlib.sha256(raw).hexdigest(), self.sha256, path)
        rows = [row for where, row in told if counts(_complete(row, where, fields))]
        if parquet:
            self._check(digest_of(rows, fields), self.rows_sha256, path)
        return rows

    def path(self, folder: Path | None) -> Path:
        """Where the file is: in the folder, where one is named; else in the hub's cache, where it is fetched first."""
        if folder is None:
            if self.hub is None:
                raise UserError(
                    f"no folder of benchmark files is named, and {self.name} is not on the hub in the form that is measured here",
                    where="benchmarks=null", do=f"benchmarks=<folder>, with {self.name}.jsonl.gz from {self.source}",
                )  # fmt: skip
            try:
                return hub.whole(hub.Address.of(self.hub, "benchmark.hub"), f"the benchmark {self.name}")
            except UserError as error:
                do = f"{error.do}; or benchmarks=<folder>, with {self.name}.jsonl.gz from {self.source}"
                raise type(error)(
                    f"the benchmark {self.name} is not to be had from the hub: {error.what}", where=error.where, do=do
                ) from error
        for name in (f"{self.name}.jsonl", f"{self.name}.jsonl.gz"):
            if (path := folder.expanduser() / name).is_file():
                return path
        raise UserError(f"{self.name}.jsonl or .jsonl.gz is not in the folder", where=f"benchmarks={folder}", do=self._again)

    @property
    def _again(self) -> str:
        return f"get it from {self.source}" + (", or benchmarks=null to take it from the hub" if self.hub else "")

    def _check(self, found: str, expected: str | None, path: Path) -> None:
        if found != expected:
            raise BadInput(
                f"this is not the benchmark that we know: its contents hash to {found[:16]}…, expected {str(expected)[:16]}…", where=str(path),
                do=f"get it from {self.source}, or name the other one by hash in the option ({found})",
            )  # fmt: skip


def digest_of(rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> str:
    """SHA-256 of rows: of each a line of JSON with the values of the fields in their order. The same from JSON lines and from Parquet."""
    told = hashlib.sha256()
    for row in rows:
        told.update(canonical([row[field] for field in fields]) + b"\n")
    return told.hexdigest()


def _contents(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _large(path)
    return raw


def _lines(raw: bytes, path: Path) -> Iterator[tuple[str, Any]]:
    """(where, value) of each line; read when the hash has been looked at."""
    for number, line in enumerate(raw.splitlines(), 1):
        where = f"{path}, line {number}"
        if line.strip():
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"not a line of JSON: {error}", where=where, do="name the published file") from error


def _table(path: Path) -> Iterator[tuple[str, Any]]:
    about = pyarrow.parquet.read_metadata(path)
    if sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups)) > LARGEST:
        raise _large(path)
    rows = pyarrow.parquet.read_table(path, use_threads=False).to_pylist()
    return ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _large(path: Path) -> BadInput:
    return BadInput(f"a benchmark file of more than {LARGEST:,} bytes", where=str(path), do="name the published file")


def _complete(row: Any, where: str, fields: Sequence[str]) -> dict[str, Any]:
    missing = [field for field in fields if field not in row] if isinstance(row, dict) else list(fields)
    if missing:
        raise BadInput(f"a row without {', '.join(missing)}", where=where, do="name the published file")
    return dict(row)
