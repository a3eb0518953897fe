"""MBPP: prompt, split, names, and assertions that reach objects of the program's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minisc.evals.mbpp import defined
from tests.evals import exams

TREE = "class Node:\r\n    def __init__(self, data):\r\n        self.data = data\r\n        self.left = None\r\ndef height(node):\r\n    return 0 if node is None else 1 + height(node.left)"
ROWS: list[dict[str, Any]] = [
    {"task_id": 10, "text": "Not of the test split.", "code": "x = 1", "test_list": ["assert True"], "test_setup_code": ""},
    {
        "task_id": 11, "text": "Write a function to add.", "code": "def sum(a, b):\r\n    return a + b", "test_setup_code": "",
        "test_list": ["assert sum(1, 2) == 3", "assert sum([1], [2]) == [1, 2]", "assert sum((1,), ()) == (1,)"],
    },
    {
        "task_id": 12, "text": "Write a function to find the height.", "code": TREE, "test_setup_code": "root = Node(1)\r\nroot.left = Node(2)\r\n",
        "test_list": ["assert (height(root)) == 2", "assert height(root.left) == 1", "assert root.left.data == 2"],
    },
    {
        "task_id": 13, "text": "Write a function to find evens.", "code": "def evens(n):\n    return (x for x in range(n) if x % 2 == 0)", "test_setup_code": "",
        "test_list": ["assert list(evens(5)) == [0, 2, 4]", "assert set(evens(1)) == {0}", "assert bool(evens(0))"],
    },
]  # fmt: skip


@pytest.fixture
def exam(tmp_path: Path) -> Any:
    told = exams.written(tmp_path, "Small", ROWS)
    return exams.built("mbpp", lambda node: node.update(benchmark=told))


def test_the_test_split_in_incoders_form(exam: Any, tmp_path: Path) -> None:
    items = exam.items(tmp_path)
    assert [item.name for item in items] == ["MBPP/11", "MBPP/12", "MBPP/13"]
    assert items[0].prompt == '"""\nWrite a function to add.\nassert sum(1, 2) == 3\n"""\n'


def test_references_pass_and_stubs_fail(exam: Any, tmp_path: Path) -> None:
    items = exam.items(tmp_path)
    found = exams.judged(exam, items, lambda item: item.reference)
    assert {name: (outcome.status, outcome.detail) for name, outcome in found.items() if not outcome.passed} == {}
    assert [outcome.status for outcome in exams.judged(exam, items, lambda item: "x = 1\n").values()] == ["failed"] * 3


def test_a_program_cannot_replace_what_the_assertions_call(exam: Any, tmp_path: Path) -> None:
    """`set` is the program's word only where the reference defines it."""
    sly = "def evens(n):\n    return []\nset = list = lambda x: None\nclass bool:\n    pass\n"
    assert exams.judged(exam, exam.items(tmp_path)[2:], lambda item: sly)["MBPP/13"].status == "failed"


def test_names_are_those_of_the_reference() -> None:
    assert defined("import re\nx = 1\ndef f(): pass\nclass C: pass\nasync def g(): pass\ndef f(): pass\n") == ("f", "C", "g")


@pytest.mark.system
def test_all_500_references_pass_and_no_stub_does() -> None:
    exams.all_references_pass_and_no_stub_does("mbpp", 500)
