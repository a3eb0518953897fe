"""MBPP: 500 short tasks in a sentence, judged by three assertions each (Austin et al. 2021, arXiv 2108.07732).

As in bigcode-evaluation-harness: zero-shot, the prompt is a docstring of the text and the first assertion (InCoder's form), the test
split is task 11 to 510, a completion ends before the first stop string. The names that the assertions may ask the program for are
those that the reference solution defines; the assertions themselves run in another process.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.evals.benchmark import Benchmark
from minisc.evals.exercises import Exercises, Item
from minisc.sandbox.base import Program

FIELDS = ("task_id", "text", "code", "test_list", "test_setup_code")
TEST = range(11, 511)  # task ids of the test split


@dataclass(frozen=True, kw_only=True)
class Mbpp(Exercises):
    version: ClassVar[int] = 1
    name: ClassVar[str] = "mbpp"

    benchmark: Benchmark

    def items(self, folder: Path | None) -> list[Item]:
        return [_item(row) for row in self.benchmark.rows(folder, FIELDS, lambda row: row["task_id"] in TEST)]

    def protocol(self) -> str:
        return "MBPP's test split as in bigcode-evaluation-harness: zero-shot, text and first assertion as a docstring, three assertions."


def _item(row: dict[str, Any]) -> Item:
    prompt = f'"""\n{row["text"]}\n{row["test_list"][0]}\n"""\n'
    names = defined(row["code"])
    check = "\n".join([row["test_setup_code"], *row["test_list"]]).replace("\r\n", "\n")

    def program(completion: str) -> Program:
        return Program(code=prompt + completion, names=names, check=check)

    return Item(name=f"MBPP/{row['task_id']}", prompt=prompt, reference=row["code"].replace("\r\n", "\n"), program=program)


def defined(code: str) -> tuple[str, ...]:
    """Functions and classes that a program defines at its top level, in order."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few solutions have '\\w' in a plain string
        return tuple(dict.fromkeys(node.name for node in ast.parse(code).body if isinstance(node, kinds)))
