"""The share of completions that parse: what a very small model learns first, where its pass@1 is still an honest zero.

The prompts are HumanEval's, ended as in `humaneval`; a completion counts when prompt and completion parse by this Python's own
grammar. One that came to the limit of tokens is cut back to its last whole line first, because a text cut anywhere parses
almost never. The parser runs in the sandbox: model output can exhaust it.
Not measured: whether the code does anything. A completion of nothing but white space would parse under a docstring: it fails here, and is counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import DIGITS, Exercises, Item, Sample
from minisc.sandbox.base import Program

FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")  # all of HumanEval's, so that its hash is the same
PARSER = (
    "import ast\ndef parse(prompt, completion):\n    assert completion.strip(), 'nothing was written'\n    ast.parse(prompt + completion)\n"
)


@dataclass(frozen=True, kw_only=True)
class Syntax(Exercises):
    version: ClassVar[int] = 1
    name: ClassVar[str] = "syntax"

    benchmark: Benchmark
    strip_prompt: bool

    def items(self, folder: Path | None) -> list[Item]:
        return [self._item(row) for row in self.benchmark.rows(folder, FIELDS)]

    def protocol(self) -> str:
        return "HumanEval's prompts with their completions, read by Python's parser; pass@k is here the chance that one of k parses."

    def ended(self, text: str, finish_reason: str) -> str:
        return text if finish_reason in ("end", "stop") else text[: text.rfind("\n") + 1]

    def further(self, items: Sequence[Item], samples: Sequence[Sequence[Sample]]) -> Mapping[str, Any]:
        flat = [one for taken in samples for one in taken]
        return {f"{self.name}_empty": round(sum(not one.text.strip() for one in flat) / len(flat), DIGITS)}

    def _item(self, row: dict[str, Any]) -> Item:
        prompt = row["prompt"].strip() if self.strip_prompt else row["prompt"]

        def program(completion: str) -> Program:
            return Program(code=PARSER, names=("parse",), check="parse(*given)", given=[prompt, completion])

        return Item(name=row["task_id"], prompt=prompt, reference="\n" + row["canonical_solution"], program=program)
