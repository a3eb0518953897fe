"""Benchmark files: found in the user's folder, checked by the hash of their contents, read row by row.

In: a folder, a file's name without its compression, what its contents hash to, where they are published. Out: its rows.
`NAME.jsonl` and `NAME.jsonl.gz` are the same file to us: the hash is that of the uncompressed bytes, since a gzip file also
holds the time at which it was made. No score is ever computed from other rows than those that the option names.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisc.core.errors import BadInput, UserError

LARGEST = 1 << 28  # bytes, uncompressed; the largest published file has 10 MB


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A published file: `name` without .jsonl or .jsonl.gz, SHA-256 of its uncompressed bytes, and where to get it."""

    name: str
    sha256: str
    source: str

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise UserError(
                "a SHA-256 has 64 hexadecimal digits", where=f"benchmark.sha256={self.sha256}", do="sha256sum the uncompressed file"
            )
        if Path(self.name).name != self.name:
            raise UserError("a benchmark is named without its folder", where=f"benchmark.name={self.name}", do="benchmarks=<folder>")

    def rows(self, folder: Path | None, fields: Sequence[str]) -> list[dict[str, Any]]:
        """All rows. Raises UserError when the file is not there, BadInput when it is not the file that the option names."""
        path = self.path(folder)
        try:
            raw = _contents(path)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"the benchmark file cannot be read: {error}", where=str(path), do=f"get it again from {self.source}") from error
        if (found := hashlib.sha256(raw).hexdigest()) != self.sha256:
            raise BadInput(
                f"this is not the benchmark that we know: its contents hash to {found[:16]}…, expected {self.sha256[:16]}…",
                where=str(path),
                do=f"get it from {self.source}, or name the other one's sha256 in the option",
            )
        return [_row(line, number, path, fields) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]

    def path(self, folder: Path | None) -> Path:
        if folder is None:
            raise UserError(
                f"no folder of benchmark files is named, and {self.name} is wanted", where="benchmarks=null", do="benchmarks=<folder>"
            )
        for name in (f"{self.name}.jsonl", f"{self.name}.jsonl.gz"):
            if (path := folder.expanduser() / name).is_file():
                return path
        raise UserError(
            f"{self.name}.jsonl or .jsonl.gz is not in the folder", where=f"benchmarks={folder}", do=f"get it from {self.source}"
        )


def _contents(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise BadInput(f"a benchmark file of more than {LARGEST:,} bytes", where=str(path), do="name the published file")
    return raw


def _row(line: bytes, number: int, path: Path, fields: Sequence[str]) -> dict[str, Any]:
    where = f"{path}, line {number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not a line of JSON: {error}", where=where, do="name the published file") from error
    missing = [field for field in fields if field not in row] if isinstance(row, dict) else list(fields)
    if missing:
        raise BadInput(f"a row without {', '.join(missing)}", where=where, do="name the published file")
    return dict(row)
