"""Fill-in-the-middle on HumanEval's solutions: a line, several lines, or a span of characters is gone (Bavarian et al. 2022,
arXiv 2207.14255).

The model is given prefix and suffix in its fill-in form and writes until it ends by itself. pass@k is the authors': prefix,
completion and suffix are put together as they are, and the function's tests judge. Exact match is bigcode-evaluation-harness's: the
same as what was taken out, after stripping both. The three kinds are scored apart, and never averaged into one number: their sizes differ
by more than five.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core.errors import UserError, did_you_mean
from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import Exercises, Item, Sample, told
from minisc.evals.pass_at_k import share
from minisc.sandbox.base import Program

FIELDS = ("task_id", "prompt", "suffix", "canonical_solution", "test", "entry_point")


@dataclass(frozen=True, kw_only=True)
class Infilling(Exercises):
    version: ClassVar[int] = 2  # 2: each kind with its own counts and contamination, none of all; exact matches of each item
    name: ClassVar[str] = "infilling"

    benchmarks: Mapping[str, Benchmark]
    kinds: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))
        for kind in self.kinds:
            if kind not in self.benchmarks:
                raise UserError(f"no file is named for {kind!r}", where="evals.infilling.kinds", do=did_you_mean(kind, self.benchmarks))
        if not self.kinds:
            raise UserError(
                "no kind of hole is wanted", where="evals.infilling.kinds=[]", do=f"evals.infilling.kinds=[{','.join(self.benchmarks)}]"
            )
        super().__post_init__()

    def items(self, folder: Path | None) -> list[Item]:
        return [_item(kind, row) for kind in self.kinds for row in self.benchmarks[kind].rows(folder, FIELDS)]

    def protocol(self) -> str:
        return "HumanEval-Infilling: prefix, completion and suffix judged by the tests; exact match after stripping."

    def further(self, items: Sequence[Item], samples: Sequence[Sequence[Sample]]) -> Mapping[str, Any]:
        figures: dict[str, Any] = {}
        for kind in self.kinds:
            own = [(item, taken) for item, taken in zip(items, samples, strict=True) if item.group == kind]
            if own:
                figures |= told(f"{self.name}_{kind}_exact_match", share([_exact(item, taken) / len(taken) for item, taken in own]))
        return figures

    def marks(self, item: Item, samples: Sequence[Sample]) -> Mapping[str, Any]:
        return {"group": item.group, "exact": _exact(item, samples)}


def _exact(item: Item, samples: Sequence[Sample]) -> int:
    return sum(one.text.strip() == item.reference.strip() for one in samples)


def _item(kind: str, row: dict[str, Any]) -> Item:
    whole = row["prompt"] + row["canonical_solution"] + row["suffix"]

    def program(completion: str) -> Program:
        return Program(
            code=row["prompt"] + completion + row["suffix"],
            names=(row["entry_point"],),
            setup=whole,
            check=f"{row['test']}\ncheck({row['entry_point']})",
        )

    return Item(
        name=row["task_id"], prompt=row["prompt"], suffix=row["suffix"], reference=row["canonical_solution"], program=program, group=kind
    )
