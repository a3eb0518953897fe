"""Scores Python from 0 to 10 by what ruff complains of, as a note; the filter `threshold`, put behind it, drops by it.

In: documents of kind `code`. Out: the note `lint_score` (0 to 10, two decimals; null for what ruff does not parse or gives up). Drops nothing.
The formula is pylint's default one (`evaluation`): 10 - 10 * weighted complaints / statements, at least 0, where its errors weigh 5 and
everything else 1. `rules` gives the weights by prefix of ruff's rule, the longest that fits counts. For statements we count the lines that
are neither blank nor comments, since ruff does not count statements; so scores are near pylint's, not equal. swallow-code kept pylint 7.0
and above, after a factor for comments that is left out here (a file of comments is `quality`'s to find).
`noqa` comments are not heard: they would be the way to a good score. What a file imports is not looked up, so a rule needs no environment.
Price: one call a batch, 20 MB a CPU second (tests/benchmarks/bench_scores.py). Not for: judging whether code is right or of use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.stage import Judge, Stage, Verdict
from minisc.filters import ruff_batch

_RULE = re.compile(r"[A-Z]{1,4}\d{0,4}")
_SYNTAX = ("invalid-syntax", "E902", "E999")  # ruff's words for what it could not read as Python


@dataclass(frozen=True, kw_only=True)
class LintScore(Stage):
    """Raises UserError for rules that ruff does not know, and for weights that make no sense."""

    version: ClassVar[int] = 2
    kinds: ClassVar[tuple[str, ...]] = ("code",)
    writes: ClassVar[tuple[str, ...]] = ("lint_score",)

    rules: Mapping[str, float]
    target_version: str

    def __post_init__(self) -> None:
        where = "filters.lint_score"
        for rule, weight in self.rules.items():
            if not _RULE.fullmatch(rule) or weight < 0:
                raise UserError(
                    "a rule is a prefix like F or PLE, its weight at least 0", where=f"{where}.rules.{rule}={weight}", do="F: 1"
                )
        if not self.rules:
            raise UserError("no rule is looked for", where=f"{where}.rules", do="filters.lint_score.rules={F: 1}")
        ruff_batch.check_target(self.target_version, f"{where}.target_version")

    def identity(self) -> Mapping[str, str]:
        """Ruff's version; asks it whether it knows the rules, before the run."""
        status, _, trouble = ruff_batch.call(["check", *self._words(), "--", "/dev/null"])
        if status == 2:
            raise UserError("ruff does not know these rules", where="filters.lint_score.rules", do=trouble.strip().splitlines()[-1].strip())
        return {"ruff": ruff_batch.version()}

    def _words(self) -> list[str]:
        return [
            "--select", ",".join(self.rules), "--target-version", self.target_version,
            "--output-format", "json-lines", "--ignore-noqa", "--exit-zero",
        ]  # fmt: skip

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(self._judge)

    def _judge(self, docs: Sequence[Doc]) -> list[Verdict]:
        found = ruff_batch.over([doc.text for doc in docs], ["check", *self._words()], self._complaints, None)
        return [Verdict(notes={"lint_score": _score(doc.text, weight)}) for doc, weight in zip(docs, found, strict=True)]

    def _complaints(self, folder: Path, texts: list[bytes | None], told: str, trouble: str) -> list[float | None]:
        """The weight of all complaints about each text; None where it does not parse."""
        weights: list[float | None] = [None if data is None else 0.0 for data in texts]
        for line in told.splitlines():
            complaint = json.loads(line)
            number = int(Path(complaint["filename"]).stem)
            so_far, code = weights[number], str(complaint["code"])
            weights[number] = None if so_far is None or code in _SYNTAX else so_far + self._weight(code)
        return weights

    def _weight(self, code: str) -> float:
        fitting = [rule for rule in self.rules if code.startswith(rule)]
        return self.rules[max(fitting, key=len)] if fitting else 0.0


def _score(text: str, weight: float | None) -> float | None:
    return None if weight is None else round(max(0.0, 10 - 10 * weight / max(1, statements(text))), 2)


def statements(text: str) -> int:
    """Lines that are neither blank nor comments."""
    return sum(1 for line in text.splitlines() if (told := line.lstrip()) and told[0] != "#")
