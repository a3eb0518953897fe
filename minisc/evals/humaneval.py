"""HumanEval: 164 functions from signature and docstring, judged by their tests (Chen et al. 2021, arXiv 2107.03374).

Prompt, stop strings and assembly are those of bigcode-evaluation-harness, task `humaneval` (`humaneval-unstripped` with
`strip_prompt=false`): the completion ends before the first stop string, the program is prompt and completion, and it passes when
`check(<entry point>)` of the benchmark comes to its end. Here the check runs in another process than the program, over the
benchmark's own helpers: where a prompt defines a helper for its test, the test uses the prompt's, not the completion's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import Exercises, Item
from minisc.sandbox.base import Program

FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")


@dataclass(frozen=True, kw_only=True)
class HumanEval(Exercises):
    version: ClassVar[int] = 1
    name: ClassVar[str] = "humaneval"

    benchmark: Benchmark
    strip_prompt: bool

    def items(self, folder: Path | None) -> list[Item]:
        return [self._item(row) for row in self.benchmark.rows(folder, FIELDS)]

    def protocol(self) -> str:
        prompt = "stripped" if self.strip_prompt else "as it is"
        return f"HumanEval as in bigcode-evaluation-harness: the prompt {prompt}, a completion up to the first stop string, its tests."

    def _item(self, row: dict[str, Any]) -> Item:
        prompt = row["prompt"].strip() if self.strip_prompt else row["prompt"]
        body = row["canonical_solution"]

        def program(completion: str) -> Program:
            return Program(
                code=prompt + completion,
                names=(row["entry_point"],),
                setup=row["prompt"] + body,
                check=f"{row['test']}\ncheck({row['entry_point']})",
            )

        return Item(name=row["task_id"], prompt=prompt, reference=("\n" if self.strip_prompt else "") + body, program=program)
