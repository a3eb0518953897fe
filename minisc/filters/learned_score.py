"""A learned score as a note, and a reason to drop where a `threshold` is given.

In: documents of kind `code`, and `scorer`: the folder of an artifact of the step `train_scorer`. Out: the note `learned_score`, 0 to 10
with two decimals, as its teacher would have said it; below the threshold, the reason `low_score`.
Guarantees: note and verdict are of the same rounded number; the fingerprint has the scorer's contents, wherever it lies.
Price: about 14 MB/s a core (tests/benchmarks/bench_scores.py). Not for: dropping at a threshold that nobody looked at; see
the artifact's `held_back.jsonl` for how far it is from its labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.durable import sha256_of
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import Judge, Stage, Verdict
from minisc.filters.base import within
from minisc.text.scorer import SETTINGS, WEIGHTS, Scorer

LOW_SCORE = "low_score"


@dataclass(frozen=True, kw_only=True)
class LearnedScore(Stage):
    """Raises UserError without a scorer; BadInput, before the run, for a folder that holds none."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (LOW_SCORE,)
    kinds: ClassVar[tuple[str, ...]] = ("code",)

    scorer: str | None = free()  # type: ignore[misc]  # identity() has its contents
    threshold: float | None
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        if self.threshold is not None:
            within(self.threshold, 0, 10, "filters.learned_score.threshold")
        within(self.expected_drop, 0, 1, "filters.learned_score.expected_drop")

    @property
    def _folder(self) -> Path:
        if not self.scorer:
            raise UserError(
                "which scorer?", where="filters.learned_score.scorer=null",
                do="filters.learned_score.scorer=<folder of an artifact that steps=[train_scorer] labels=<file> made>",
            )  # fmt: skip
        return Path(self.scorer).expanduser()

    def identity(self) -> Mapping[str, str]:
        folder = self._folder
        Scorer.load(folder)
        told = "".join(sha256_of(folder / name) for name in (SETTINGS, WEIGHTS))
        return {"scorer": hashlib.sha256(told.encode()).hexdigest()}

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        scorer = Scorer.load(self._folder)
        return nullcontext(lambda docs: self._judge(scorer, docs))

    def _judge(self, scorer: Scorer, docs: Sequence[Doc]) -> list[Verdict]:
        return [self._verdict(score) for score in scorer.scores(doc.text for doc in docs)]

    def _verdict(self, score: float) -> Verdict:
        low = self.threshold is not None and score < self.threshold
        return Verdict(drop=LOW_SCORE if low else "", notes={"learned_score": score})
