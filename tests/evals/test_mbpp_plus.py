"""MBPP+: the types that JSON has lost, and the tasks with rules of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minisc.evals.mbpp_plus import RULES, SHAPES, inputs
from tests.evals import exams


@pytest.mark.parametrize(
    "task,listed,typed",
    [
        (2, [[1, 2], [3]], [(1, 2), (3,)]),
        (63, [[[1, 2], [3]]], [[(1, 2), (3,)]]),
        (75, [[[1, 2]], 3], [[(1, 2)], 3]),
        (106, [[1], [2]], [[1], (2,)]),
        (250, [[1, [2]], 3], [(1, [2]), 3]),
        (307, [[1], 2, 3], [(1,), 2, 3]),
        (259, [[[1, 2]], [[3]]], [((1, 2),), ((3,),)]),
        (278, [[1, [2]]], [(1, (2,))]),
        (580, [[1, [2, [3]]]], [(1, (2, (3,)))]),
        (115, [[[1, 1], []]], [[{1}, {}]]),
        (124, ["1", "2+3j"], [1.0, 2 + 3j]),
        (252, ["1j"], [1j]),
        (722, [{"a": [1, 2]}, 3], [{"a": (1, 2)}, 3]),
        (1000, [[1, [2]]], [[1, [2]]]),
    ],
)
def test_the_inputs_have_their_types_again(task: int, listed: list[Any], typed: list[Any]) -> None:
    assert repr(inputs(task, [listed])) == repr([typed])


def test_no_task_has_two_shapes_or_two_rules() -> None:
    for listed in ([tasks for _, tasks in SHAPES], list(RULES.values())):
        flat = [task for tasks in listed for task in tasks]
        assert len(flat) == len(set(flat))


ROWS: list[dict[str, Any]] = [
    {
        "task_id": "Mbpp/2", "entry_point": "similar", "prompt": '"""\nShared elements.\n"""\n', "atol": 0,
        "canonical_solution": "\ndef similar(a, b):\n    assert type(a) is tuple\n    return tuple(set(a) & set(b))\n",
        "base_input": [[[3, 4, 5], [5, 4]]], "plus_input": [[[1], [2]]],
    },
    {
        "task_id": "Mbpp/737", "entry_point": "check_str", "prompt": '"""\nBegins with a vowel.\n"""\n', "atol": 0,
        "canonical_solution": "\nimport re\ndef check_str(text):\n    return re.match('[aeiou]', text)\n",
        "base_input": [["annie"]], "plus_input": [["dawood"], [""]],
    },
    {
        "task_id": "Mbpp/9", "entry_point": "wide", "prompt": '"""\nMany.\n"""\n', "atol": 0,
        "canonical_solution": "\ndef wide(n):\n    return [(i, {i}) for i in range(n)]\n", "base_input": [[3]], "plus_input": [[20000]],
    },
]  # fmt: skip


def statuses(tmp_path: Path, completions: dict[str, str]) -> dict[str, str]:
    told = exams.written(tmp_path, "Small", ROWS)
    exam = exams.built("mbpp_plus", lambda node: node.update(benchmark=told))
    items = [item for item in exam.items(tmp_path) if item.name in completions]
    return {name: outcome.status for name, outcome in exams.judged(exam, items, lambda item: completions[item.name]).items()}


def test_references_and_stubs(tmp_path: Path) -> None:
    assert statuses(tmp_path, {row["task_id"]: row["canonical_solution"] for row in ROWS}) == dict.fromkeys(
        [row["task_id"] for row in ROWS], "passed"
    )
    assert set(statuses(tmp_path, {row["task_id"]: "x = 1\n" for row in ROWS}).values()) == {"failed"}


def test_free_order_and_free_form(tmp_path: Path) -> None:
    found = statuses(
        tmp_path,
        {
            "Mbpp/2": "def similar(a, b):\n    return [x for x in a if x in b]\n",
            "Mbpp/737": "def check_str(t):\n    return t[:1] in set('aeiou')\n",
        },
    )
    assert found == {"Mbpp/2": "passed", "Mbpp/737": "passed"}


@pytest.mark.system
def test_all_378_references_pass_and_no_stub_does() -> None:
    exams.all_references_pass_and_no_stub_does("mbpp_plus", 378)
