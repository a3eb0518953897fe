"""A learned score as a note; the filter `threshold`, put behind it, drops by it.

In: documents of kind `code`, and `scorer`: the folder of an artifact of the step `train_scorer`. Out: the note `learned_score`, 0 to 10
with two decimals, as its teacher would have said it. Drops nothing.
Guarantees: the fingerprint has the scorer's contents, wherever it lies.
Price: about 14 MB/s a core (tests/benchmarks/bench_scores.py). Not for: dropping at a limit that nobody looked at; see
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
from minisc.text.scorer import SETTINGS, WEIGHTS, Scorer


@dataclass(frozen=True, kw_only=True)
class LearnedScore(Stage):
    """Raises UserError without a scorer; BadInput, before the run, for a folder that holds none."""

    version: ClassVar[int] = 2
    kinds: ClassVar[tuple[str, ...]] = ("code",)
    writes: ClassVar[tuple[str, ...]] = ("learned_score",)

    scorer: str | None = free()  # identity() has its contents

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
        return nullcontext(lambda docs: _judged(scorer, docs))


def _judged(scorer: Scorer, docs: Sequence[Doc]) -> list[Verdict]:
    return [Verdict(notes={"learned_score": score}) for score in scorer.scores(doc.text for doc in docs)]
