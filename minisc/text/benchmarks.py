"""Benchmark files as items: the texts that must not stand in training data.

In: a description of benchmarks (file name, fields that count), the folder they lie in, or none: then the Hugging Face hub is
asked. Out: `Item`s, one for the prompt and one for the solution of every row. JSON lines (`.jsonl`, also `.gz`) and Parquet.
Guarantees: a file that is missing, cannot be read or has other fields is an error that says so, never an empty benchmark.
A prompt that is code (HumanEval's signature and docstring) counts by its longest triple-quoted string, since the docstring
is what others copy.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from minisc.core import hub
from minisc.core.durable import sha256_of
from minisc.core.errors import BadInput, UserError, did_you_mean

PROMPT, SOLUTION = "prompt", "solution"
_FIELDS = {"file": "", "hub": "", "id": "", PROMPT: [], SOLUTION: []}
_OTHERWISE = "benchmarks=<folder that holds the benchmark files>, or leave the filter out: '~filters.decontaminate'"
_TRIPLE = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """One text of one row: `part` is PROMPT or SOLUTION."""

    benchmark: str
    item: str
    part: str
    text: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`hub` is `<dataset>@<commit>:<file>` or ''; `prompt` and `solution` are lists of fields whose texts are joined."""

    name: str
    file: str
    hub: str
    id: str
    prompt: tuple[str, ...]
    solution: tuple[str, ...]

    @classmethod
    def described(cls, name: str, description: Mapping[str, Any], where: str) -> Benchmark:
        """From a YAML entry. Raises UserError for keys that nobody reads and for an entry that names no fields."""
        for key in description:
            if key not in _FIELDS:
                raise UserError(
                    f"a benchmark has no key {key!r}",
                    where=f"{where}.{name}",
                    do=did_you_mean(key, _FIELDS) or f"known: {', '.join(_FIELDS)}",
                )
        full = {**_FIELDS, **{key: value for key, value in description.items() if value is not None}}
        if not (full[PROMPT] or full[SOLUTION]) or not (full["file"] or full["hub"]):
            raise UserError(
                "a benchmark names a file or hub data set, and the fields that count",
                where=f"{where}.{name}",
                do="file: x.jsonl, prompt: [question]",
            )
        return cls(name, str(full["file"]), str(full["hub"]), str(full["id"]), tuple(full[PROMPT]), tuple(full[SOLUTION]))

    def locate(self, folder: Path | None) -> Path | None:
        """Where its file lies; without a folder it is fetched from the hub; None if only a folder could have it."""
        if folder is None:
            return _from_hub(self) if self.hub else None
        path = folder / self.file
        if not path.is_file():
            raise BadInput(
                f"the benchmark {self.name!r} is missing",
                where=str(path),
                do=f"put the file there, or leave it out: ~filters.decontaminate.benchmarks.{self.name}",
            )
        return path

    def identity(self, folder: Path | None) -> str:
        """What its rows depend on: the file's SHA-256, or the commit of the hub data set."""
        path = self.locate(folder)
        return sha256_of(path) if path else "absent"

    def items(self, folder: Path | None) -> Iterator[Item]:
        path = self.locate(folder)
        for number, row in enumerate(_rows(path) if path else ()):
            told = str(_field(row, self.id, self.name, path)) if self.id else str(number)
            prompt = "".join(str(_field(row, field, self.name, path)) for field in self.prompt)
            solution = "".join(str(_field(row, field, self.name, path)) for field in self.solution)
            if prompt:
                yield Item(self.name, told, PROMPT, docstring_of(prompt))
            if solution:
                yield Item(self.name, told, SOLUTION, solution)


def _field(row: Mapping[str, Any], field: str, name: str, path: Path | None) -> Any:
    if field not in row:
        raise BadInput(f"the benchmark {name!r} has no field {field!r}", where=str(path), do=f"its fields are: {', '.join(map(str, row))}")
    return row[field]


def docstring_of(prompt: str) -> str:
    """The longest triple-quoted string of a prompt, if it has one; else all of it."""
    found: Sequence[tuple[str, str]] = _TRIPLE.findall(prompt)
    return max((first or second for first, second in found), key=len, default="") or prompt


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if path.suffix == ".parquet":
            yield from pyarrow.parquet.read_table(path).to_pylist()
            return
        raw = path.read_bytes()
        for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            yield row
    except (OSError, EOFError, ValueError, pyarrow.ArrowException) as error:
        raise BadInput(
            f"a benchmark cannot be read: {error}", where=str(path), do="expected: JSON lines (.jsonl, .jsonl.gz) or .parquet"
        ) from error


def _from_hub(benchmark: Benchmark) -> Path:
    where = f"benchmark {benchmark.name}"
    try:
        return hub.whole(hub.Address.of(benchmark.hub, where), where)
    except UserError as error:
        raise type(error)(
            f"the benchmark {benchmark.name!r} is not to be had from the hub: {error.what}",
            where=error.where,
            do=f"{error.do}; or {_OTHERWISE}",
        ) from error
