"""MBPP+: 378 of MBPP's tasks beside corrected references on 35 times the inputs (EvalPlus, v0.2.0).

The protocol is EvalPlus': see `evalplus.py`. The file is JSON, which has no tuples, sets and complex numbers: `SHAPES` says
of which tasks the inputs had them, as the benchmark's authors document it in the reader that they publish with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.evals import evalplus
from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import Exercises, Item

Arguments = list[Any]


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _each(value: Sequence[Any]) -> list[Any]:
    """A list of tuples."""
    return [tuple(item) if isinstance(item, list) else item for item in value]


SHAPES: tuple[tuple[Callable[[Arguments], Any], tuple[int, ...]], ...] = (
    # every argument a tuple
    (lambda a: [tuple(x) for x in a],
     (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809)),
    # every argument a list of tuples
    (lambda a: [_each(x) for x in a], (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)),
    # the first argument a list of tuples
    (lambda a: [_each(a[0]), a[1]], (75, 413, 444, 753)),
    # the second argument a tuple
    (lambda a: [a[0], tuple(a[1])], (106, 750)),
    # the first argument a tuple
    (lambda a: [tuple(a[0]), *a[1:]], (250, 307, 405, 446, 617, 720, 763, 808)),
    # every argument a tuple of tuples
    (lambda a: [tuple(_each(x)) for x in a], (259, 278, 401, 445)),
    # tuples all through
    (lambda a: [_deep(x) for x in a], (580, 615, 791)),
    # a list of sets; where one is empty the authors have a dict
    (lambda a: [[set(x) if isinstance(x, list) and x else {} for x in a[0]]], (115,)),
    # a number and a complex number; a complex number
    (lambda a: [float(a[0]), complex(a[1])], (124,)),
    (lambda a: [complex(a[0])], (252,)),
    # a dict of tuples
    (lambda a: [{key: tuple(value) for key, value in a[0].items()}, *a[1:]], (722,)),
)  # fmt: skip
_SHAPE_OF = {task: shape for shape, tasks in SHAPES for task in tasks}

RULES = {  # the tasks that are not compared by equality
    "same_set": (2, 7, 111, 140, 232, 249, 579, 769),  # the order of the answer is free
    "found": (737, 787, 794),  # the answer is whether there is one
    "surface": (581,),
    "digits": (558,),
}
_RULE_OF = {task: rule for rule, tasks in RULES.items() for task in tasks}


@dataclass(frozen=True, kw_only=True)
class MbppPlus(Exercises):
    version: ClassVar[int] = 1
    name: ClassVar[str] = "mbpp_plus"

    benchmark: Benchmark

    def items(self, folder: Path | None) -> list[Item]:
        return [self._item(row) for row in self.benchmark.rows(folder, evalplus.FIELDS)]

    def protocol(self) -> str:
        return "MBPP+ as in EvalPlus: answers are compared with the reference's on the base and the added inputs."

    def _item(self, row: dict[str, Any]) -> Item:
        task = int(row["task_id"].rpartition("/")[2])
        return evalplus.item(row, lambda: inputs(task, [*row["base_input"], *row["plus_input"]]), _RULE_OF.get(task, "same"), self.stops)


def inputs(task: int, listed: list[Arguments]) -> list[Any]:
    """The arguments of a task's calls with the types that they had before they were JSON."""
    shape = _SHAPE_OF.get(task)
    return [shape(arguments) for arguments in listed] if shape else listed
