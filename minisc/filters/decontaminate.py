"""Drops documents that hold benchmark items: prompts or solutions, as they are, in large part, or with names changed.

In: documents, and benchmarks as files with the fields that count (the option file lists them; a user adds one by a line).
Out: verdicts, and beside them two tables. `report.parquet` has a row for each item that a document matched: benchmark, item,
part, how, share of the item found, uid. `items.parquet` has each item, how many documents matched it, and whether it is
`trivial`: too short to condemn anything (`return x + y`).
How an item matches:
    prompt, solution  the whole text occurs, white space, `#` and case aside (StarCoder2's rule, arXiv 2402.19173 section 3.3)
    renamed           a solution occurs as tokens, its names renamed one to one, comments and layout aside
    overlap           at least `overlap` of the item's 32-character windows occur, wherever they stand
Guarantees: one pass over all items at once, so the number of benchmarks costs memory only; every match is verified on the
text, not on hashes; the same verdicts whatever the batch. Price: 30 to 60 MB/s without renaming, 12 to 20 with it.
Rejected: n-grams of words with any single hit (datatrove), which condemn licence headers; Aho-Corasick over whole items,
whose automaton for a few megabytes of text no longer fits a cache.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import GlobalStage, Sketches, Texts, write_verdicts
from minisc.filters.base import within
from minisc.text.benchmarks import PROMPT, SOLUTION, Benchmark, Item
from minisc.text.renaming import Tokens, renames, tokens_of
from minisc.text.windows import Hashes, Table, byte_windows, code_windows

WIDTH = 32  # characters of a window: 7 to 10 tokens of code
PROGRAM_WIDTH = 24  # tokens of a window of a renamed program
_SAMPLE = np.uint64(7)  # one window of eight is looked up for `overlap`; all of them decide
_CHUNK = 1 << 17  # characters that are hashed at once
RENAMED, OVERLAP = "renamed", "overlap"
HOW = (PROMPT, SOLUTION, RENAMED, OVERLAP)  # the first that holds is the reason
_SKETCH = pa.schema(
    [("uid", pa.string()), ("pattern", pa.list_(pa.int32())), ("how", pa.list_(pa.string())), ("share", pa.list_(pa.float64()))]
)
_REPORT = pa.schema(
    [
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("part", pa.string()),
        ("how", pa.string()),
        ("share", pa.float64()),
        ("uid", pa.string()),
    ]
)
_ITEMS = pa.schema(
    [("benchmark", pa.string()), ("item", pa.string()), ("part", pa.string()), ("trivial", pa.bool_()), ("documents", pa.int64())]
)
_TOLD = 5  # items that a document's note names


@dataclass(frozen=True, kw_only=True)
class Decontaminate(GlobalStage):
    """Raises UserError for limits that make no sense and for benchmarks that cannot be had or read."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = HOW

    folder: str | None = free()  # identity() has the contents
    benchmarks: Mapping[str, Mapping[str, Any]]
    min_prompt: int
    min_solution: int
    min_tokens: int
    min_overlap: int
    overlap: float
    renamed: bool
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.expected_drop, 0, 1, "filters.decontaminate.expected_drop")
        for name, least in (("min_prompt", WIDTH), ("min_solution", WIDTH), ("min_overlap", 2 * WIDTH), ("min_tokens", PROGRAM_WIDTH)):
            if getattr(self, name) < least:
                raise UserError(
                    "so short an item would condemn ordinary code",
                    where=f"filters.decontaminate.{name}={getattr(self, name)}",
                    do=f"{least} or more",
                )
        if not 0 < self.overlap <= 1:
            raise UserError(
                "the share of an item is between 0 and 1",
                where=f"filters.decontaminate.overlap={self.overlap}",
                do="filters.decontaminate.overlap=0.7",
            )
        self._described()

    def _described(self) -> list[Benchmark]:
        return [Benchmark.described(name, entry, "filters.decontaminate.benchmarks") for name, entry in self.benchmarks.items()]

    def identity(self) -> Mapping[str, str]:
        """The contents of the benchmark files; where they lie does not matter."""
        return {benchmark.name: benchmark.identity(self._folder) for benchmark in self._described()}

    def remarks(self) -> Sequence[str]:
        """Which benchmarks are not looked for: without a folder, those that the hub does not have."""
        absent = [benchmark.name for benchmark in self._described() if not benchmark.hub] if self._folder is None else []
        left_out = f"decontaminate: {len(absent)} of {len(self.benchmarks)} benchmarks are not looked for, since they are not on the hub: "
        return [left_out + f"{', '.join(absent)}; with their files: benchmarks=<folder>"] if absent else []

    @property
    def _folder(self) -> Path | None:
        return Path(self.folder) if self.folder else None

    def _index(self) -> _Index:
        limits = {name: getattr(self, name) for name in ("min_prompt", "min_solution", "min_tokens", "min_overlap", "overlap", "renamed")}
        return _index(json.dumps([self.folder, {name: dict(entry) for name, entry in self.benchmarks.items()}, limits], sort_keys=True))

    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        index = self._index()
        found = index.match([doc.text for doc in docs], [doc.kind == "code" for doc in docs])
        columns: list[list[Any]] = [[doc.uid for doc in docs], [], [], []]
        for matches in found:
            ordered = sorted(matches.items())
            columns[1].append([pattern for pattern, _ in ordered])
            columns[2].append([how for _, (how, _) in ordered])
            columns[3].append([share for _, (_, share) in ordered])
        return pa.table([pa.array(column, field.type) for column, field in zip(columns, _SKETCH, strict=True)], schema=_SKETCH)

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        index = self._index()
        report: list[dict[str, Any]] = []
        verdicts: list[tuple[str, str, Mapping[str, Any]]] = []
        for table in sketches:
            for row in table.to_pylist():
                if not row["pattern"]:
                    continue
                rows = [
                    {"benchmark": item.benchmark, "item": item.item, "part": item.part, "how": how, "share": share, "uid": row["uid"]}
                    for pattern, how, share in zip(row["pattern"], row["how"], row["share"], strict=True)
                    for item in index.items[pattern]
                ]
                report += rows
                named = sorted({f"{told['benchmark']}/{told['item']}" for told in rows})
                verdicts.append(
                    (row["uid"], min(row["how"], key=HOW.index), {"benchmark_items": named[:_TOLD], "benchmark_matches": len(named)})
                )
        write_verdicts(found, verdicts)
        pa.parquet.write_table(pa.Table.from_pylist(report, schema=_REPORT), found / "report.parquet")
        counts = Counter((row["benchmark"], row["item"], row["part"]) for row in report)
        items = [
            {
                "benchmark": item.benchmark,
                "item": item.item,
                "part": item.part,
                "trivial": index.trivial[pattern],
                "documents": counts[item.benchmark, item.item, item.part],
            }
            for pattern, group in enumerate(index.items)
            for item in group
        ]
        pa.parquet.write_table(pa.Table.from_pylist(items, schema=_ITEMS), found / "items.parquet")


@lru_cache(maxsize=2)
def _index(settings: str) -> _Index:
    """The index of some settings, as JSON: a second to build for all benchmarks, so once a process."""
    folder, benchmarks, limits = json.loads(settings)
    described = [Benchmark.described(name, entry, "filters.decontaminate.benchmarks") for name, entry in benchmarks.items()]
    return _Index((item for benchmark in described for item in benchmark.items(Path(folder) if folder else None)), **limits)


def normalised(text: str) -> bytes:
    """UTF-8 in lower case without white space and `#`, so that a docstring copied into a comment is the same text."""
    if text.isascii():
        return text.encode().translate(None, b"# \t\n\r\v\f\x1c\x1d\x1e\x1f").lower()
    return "".join(text.replace("#", "").split()).lower().encode("utf-8", "surrogatepass")


Matches = dict[int, tuple[str, float]]  # pattern -> (how, share of it that was found)


class _Index:
    """All items of all benchmarks; items of equal text are one pattern. `items[pattern]`, `trivial[pattern]`."""

    def __init__(
        self, items: Iterator[Item], *, min_prompt: int, min_solution: int, min_tokens: int, min_overlap: int, overlap: float, renamed: bool
    ) -> None:
        groups: dict[tuple[str, bytes], list[Item]] = {}
        for item in items:
            groups.setdefault((item.part, normalised(item.text)), []).append(item)
        self.items = list(groups.values())
        self.texts = [text for _, text in groups]
        self._parts = [part for part, _ in groups]
        self._overlap = overlap
        windows = [byte_windows(text, WIDTH) for text in self.texts]
        self._literal: dict[int, list[int]] = {}
        for pattern, text in enumerate(self.texts):
            if len(text) >= (min_prompt if self._parts[pattern] == PROMPT else min_solution):
                self._literal.setdefault(int(windows[pattern][0]), []).append(pattern)
        literal = {pattern for group in self._literal.values() for pattern in group}
        self._programs: dict[int, Tokens] = {}
        self._program_starts: dict[int, list[int]] = {}
        for pattern in range(len(self.texts)) if renamed else ():
            tokens = tokens_of(self.items[pattern][0].text) if self._parts[pattern] == SOLUTION else None
            if tokens and len(tokens.texts) >= min_tokens:
                self._programs[pattern] = tokens
                self._program_starts.setdefault(int(code_windows(tokens.codes, PROGRAM_WIDTH)[0]), []).append(pattern)
        self.trivial = [pattern not in literal and pattern not in self._programs for pattern in range(len(self.texts))]
        self._starts, self._program_table = Table(_hashes(self._literal)), Table(_hashes(self._program_starts))
        self._long = {pattern: np.unique(windows[pattern]) for pattern, text in enumerate(self.texts) if len(text) >= min_overlap}
        self._set_samples()

    def _set_samples(self) -> None:
        """Sampled windows with the patterns that own them, sorted by window; patterns with none are only matched whole."""
        samples = {pattern: windows[(windows & _SAMPLE) == 0] for pattern, windows in self._long.items()}
        self._sampled = {pattern: len(windows) for pattern, windows in samples.items() if len(windows)}
        flat = np.concatenate([samples[pattern] for pattern in self._sampled] or [np.empty(0, np.uint64)])
        owners = (
            np.repeat(np.fromiter(self._sampled, np.int64, len(self._sampled)), list(self._sampled.values()))
            if self._sampled
            else np.empty(0, np.int64)
        )
        order = np.argsort(flat, kind="stable")
        self._sample_windows, self._sample_owners = flat[order], owners[order]
        self._sample_table = Table(flat)

    def match(self, texts: Sequence[str], are_code: Sequence[bool]) -> list[Matches]:
        """For each text the patterns that it holds."""
        found: list[Matches] = [{} for _ in texts]
        chunk: list[int] = []
        plain: list[bytes] = []
        held = 0
        for at, text in enumerate(texts):
            chunk.append(at)
            plain.append(normalised(text))
            held += len(plain[-1])
            if held >= _CHUNK or at == len(texts) - 1:
                self._match_chunk(chunk, plain, found)
                chunk, plain, held = [], [], 0
        for at, text in enumerate(texts):
            if are_code[at] and self._programs:
                self._match_programs(text, found[at])
        return found

    def _match_chunk(self, chunk: Sequence[int], plain: Sequence[bytes], found: list[Matches]) -> None:
        """Texts joined by NUL, which neither texts nor items hold, so that no window reaches over two of them alike."""
        data = b"\0".join(plain)
        windows = byte_windows(data, WIDTH)
        begins = np.cumsum([0, *(len(text) + 1 for text in plain)])
        for place in self._starts.places(windows).tolist():
            for pattern in self._literal[int(windows[place])]:
                if data.startswith(self.texts[pattern], place):
                    which = int(np.searchsorted(begins, place, "right")) - 1
                    found[chunk[which]][pattern] = (self._parts[pattern], 1.0)
        sampled = np.flatnonzero((windows & _SAMPLE) == 0)
        places = sampled[self._sample_table.places(windows[sampled])]
        texts = np.searchsorted(begins, places, "right") - 1
        for at in np.unique(texts).tolist():
            here = np.unique(windows[places[texts == at]])
            for pattern in self._candidates(here):
                if pattern not in found[chunk[at]]:
                    share = float(np.isin(self._long[pattern], byte_windows(plain[at], WIDTH)).mean())
                    if share >= self._overlap:
                        found[chunk[at]][pattern] = (OVERLAP, round(share, 4))

    def _candidates(self, here: Hashes) -> list[int]:
        """Patterns of whose sampled windows at least half of the wanted share are among `here`; the rest cannot get there by luck."""
        low, high = np.searchsorted(self._sample_windows, here, "left"), np.searchsorted(self._sample_windows, here, "right")
        owners = np.concatenate(
            [self._sample_owners[first:last] for first, last in zip(low.tolist(), high.tolist(), strict=True)] or [np.empty(0, np.int64)]
        )
        patterns, counts = np.unique(owners, return_counts=True)
        return [
            pattern
            for pattern, count in zip(patterns.tolist(), counts.tolist(), strict=True)
            if count >= self._overlap / 2 * self._sampled[pattern]
        ]

    def _match_programs(self, text: str, matches: Matches) -> None:
        tokens = tokens_of(text)
        windows = code_windows(tokens.codes, PROGRAM_WIDTH)
        for place in self._program_table.places(windows).tolist():
            for pattern in self._program_starts[int(windows[place])]:
                if matches.get(pattern, (OVERLAP,))[0] == OVERLAP and renames(tokens, place, self._programs[pattern]):
                    matches[pattern] = (RENAMED, 1.0)


def _hashes(starts: Mapping[int, Sequence[int]]) -> Hashes:
    return np.fromiter(starts, np.uint64, len(starts))
