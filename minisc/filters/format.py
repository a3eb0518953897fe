"""Formats Python as ruff does: one style, so that a model spends nothing on learning many.

In: documents of kind `code`. Out: their text as `ruff format` leaves it; where ruff does not understand it, the text as it was and the note
`format`: `unparsable`, `not_unicode`, `empty` (nothing would be left of it) or `crashed` (it ends ruff, or takes it more than a minute).
Drops nothing: whether code parses is `syntax`'s to say, whose grammar is CPython's and stricter (ruff accepts `return` outside a function).
Where it stands: after what compares texts with others (`malware`, `decontaminate`, `exact_dup`, `near_dup`) or before all of it, never
in between two of them. Comments stay, and `# fmt: off` is respected.
Price: one call a batch, 16 MB a CPU second (tests/benchmarks/bench_scores.py). Rejected: one process a document, as swallow-code does
(a tenth of that).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters import ruff_batch

UNPARSABLE, NOT_UNICODE, EMPTY, CRASHED = "unparsable", "not_unicode", "empty", "crashed"
_REFUSED = re.compile(r"^error: [^\d\n]*(\d+)\.py\b", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Format(Stage):
    """Raises UserError for a line length that ruff does not take and a version that is none."""

    version: ClassVar[int] = 1
    kinds: ClassVar[tuple[str, ...]] = ("code",)

    line_length: int
    target_version: str

    def __post_init__(self) -> None:
        if not 1 <= self.line_length <= 320:
            where = f"filters.format.line_length={self.line_length}"
            raise UserError("a line has 1 to 320 characters", where=where, do="filters.format.line_length=88")
        ruff_batch.check_target(self.target_version, "filters.format.target_version")

    def identity(self) -> Mapping[str, str]:
        """Ruff's version; asks it whether it takes the settings, before the run."""
        status, _, trouble = ruff_batch.call([*self._words(), "-"])
        if status:
            raise UserError("ruff does not take these settings", where="filters.format", do=trouble.strip().splitlines()[-1].strip())
        return {"ruff": ruff_batch.version()}

    def _words(self) -> list[str]:
        return ["format", "--line-length", str(self.line_length), "--target-version", self.target_version]

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(self._judge)

    def _judge(self, docs: Sequence[Doc]) -> list[Verdict]:
        return ruff_batch.over([doc.text for doc in docs], self._words(), _read, _left(CRASHED))


def _left(why: str) -> Verdict:
    return Verdict(notes={"format": why})


def _read(folder: Path, before: list[bytes | None], told: str, trouble: str) -> list[Verdict]:
    """What ruff made of each text; a file that it names in an error is as it was."""
    refused = {int(number) for number in _REFUSED.findall(trouble)}
    if not refused and "error" in trouble:
        raise ruff_batch.Ended(trouble[:500])
    verdicts = []
    for number, data in enumerate(before):
        if data is None:
            verdicts.append(_left(NOT_UNICODE))
        elif number in refused:
            verdicts.append(_left(UNPARSABLE))
        else:
            verdicts.append(_formatted(data, (folder / f"{number}.py").read_bytes()))
    return verdicts


def _formatted(before: bytes, after: bytes) -> Verdict:
    if after == before:
        return KEEP
    return Verdict(text=after.decode("utf-8")) if after.strip() else _left(EMPTY)
