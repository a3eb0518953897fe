"""HumanEval+: HumanEval's functions beside corrected references on 80 times the inputs (Liu et al. 2023, arXiv 2305.01210).

The protocol is EvalPlus': see `evalplus.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.evals import evalplus
from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import Exercises, Item


@dataclass(frozen=True, kw_only=True)
class HumanEvalPlus(Exercises):
    version: ClassVar[int] = 1
    name: ClassVar[str] = "humaneval_plus"

    benchmark: Benchmark

    def items(self, folder: Path | None) -> list[Item]:
        return [self._item(row) for row in self.benchmark.rows(folder, evalplus.FIELDS)]

    def protocol(self) -> str:
        return "HumanEval+ as in EvalPlus: answers are compared with the reference's on the base and the added inputs."

    def _item(self, row: dict[str, Any]) -> Item:
        rule = "root" if row["entry_point"] == "find_zero" else "same"
        return evalplus.item(row, lambda: [*row["base_input"], *row["plus_input"]], rule, self.stops)
