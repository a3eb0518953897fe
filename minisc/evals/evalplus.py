"""What HumanEval+ and MBPP+ share: prompt, ends, extraction and the differential check, as EvalPlus does them (v0.3).

Prompt: stripped, and a line feed. The completion ends at the first stop string, tabs become four spaces, and of prompt and completion
what the entry point needs is kept (`extraction.reachable`). A sample passes when it answers as the reference does on the base inputs and on the
added ones. EvalPlus gives each input max(4 s, 4 x the reference's time), at most 60 s in all; here a round of up to 64 inputs
has that time, and the sandbox's limits are for all rounds together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minisc.evals import differential
from minisc.evals.exercises import Item
from minisc.evals.extraction import reachable, stopped
from minisc.sandbox.base import Program

FIELDS = ("task_id", "prompt", "canonical_solution", "entry_point", "base_input", "plus_input", "atol")
CHECK = Path(differential.__file__).read_text(encoding="utf-8")


def item(row: dict[str, Any], inputs: Callable[[], list[Any]], rule: str, stops: Sequence[str]) -> Item:
    """`inputs` are made only when judged: some are large."""
    prompt, entry = row["prompt"].strip() + "\n", row["entry_point"]

    def program(completion: str) -> Program:
        return Program(
            code=reachable(prompt + stopped(completion, stops).replace("\t", "    "), entry),
            names=(entry,),
            setup=f"{row['prompt']}{row['canonical_solution']}\nreference = {entry}",
            check=f"candidate = {entry}\n{CHECK}\ncompare(candidate, reference, *given)",  # HumanEval/152 is called compare itself
            given=[inputs(), rule, row["atol"]],
        )

    return Item(name=row["task_id"], prompt=prompt, reference=row["canonical_solution"], program=program)
