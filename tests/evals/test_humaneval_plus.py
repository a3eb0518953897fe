"""HumanEval+: answers beside the reference's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minisc.evals import evalplus
from tests.evals import exams

ROWS: list[dict[str, Any]] = [
    {
        "task_id": "HumanEval/0", "entry_point": "digits", "prompt": 'def digits(x):\n    """The sum of the digits."""\n', "atol": 0,
        "canonical_solution": "\n    return sum(map(int, str(abs(x))))\n\n", "base_input": [[12]], "plus_input": [[-12], [0], [10**30]],
    },
    {
        "task_id": "HumanEval/1", "entry_point": "compare", "prompt": 'def compare(x):\n    """Half of x."""\n', "atol": 0,
        "canonical_solution": "    return x / 2\n", "base_input": [[1]], "plus_input": [[3], [1e300]],
    },
    {
        "task_id": "HumanEval/2", "entry_point": "find_zero", "prompt": 'def find_zero(xs):\n    """A root."""\n', "atol": 1e-4,
        "canonical_solution": "    return (-xs[0] / xs[2]) ** 0.5\n", "base_input": [[[-4, 0, 1]]], "plus_input": {},
    },
]  # fmt: skip


@pytest.fixture
def exam(tmp_path: Path) -> Any:
    told = exams.written(tmp_path, "Small", ROWS)
    return exams.built("humaneval_plus", lambda node: node.update(benchmark=told))


def statuses(exam: Any, tmp_path: Path, completions: list[str]) -> list[str]:
    items = exam.items(tmp_path)
    given = dict(zip((item.name for item in items), completions, strict=True))
    return [outcome.status for outcome in exams.judged(exam, items, lambda item: given[item.name]).values()]


def test_references_and_stubs(exam: Any, tmp_path: Path) -> None:
    assert statuses(exam, tmp_path, [row["canonical_solution"] for row in ROWS]) == ["passed"] * 3
    assert statuses(exam, tmp_path, ["    pass\n"] * 3) == ["failed"] * 3


def test_what_the_base_inputs_miss_the_added_ones_find(exam: Any, tmp_path: Path) -> None:
    assert statuses(exam, tmp_path, ["    return sum(map(int, str(x)))\n", "    return 0.5\n", "    return -2.0\n"]) == [
        "failed",
        "failed",
        "passed",
    ]


def test_tabs_and_what_follows_the_function_do_not_matter(exam: Any, tmp_path: Path) -> None:
    body = "\treturn sum(int(d) for d in str(abs(x)))\n\nresult = digits(None)\ndef half("
    assert statuses(exam, tmp_path, [body, "    return x * 0.5 + 1e-9\nprint(compare(None))", "    return 2"]) == ["passed"] * 3


def test_one_input_may_not_take_much_longer_than_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PATIENCE = (4.0, 4.0)" in evalplus.CHECK
    monkeypatch.setattr(evalplus, "CHECK", evalplus.CHECK.replace("PATIENCE = (4.0, 4.0)", "PATIENCE = (0.3, 4.0)"))
    told = exams.written(tmp_path, "Small", ROWS[:1])
    exam = exams.built("humaneval_plus", lambda node: node.update(benchmark=told))
    assert statuses(exam, tmp_path, ["    import time\n    time.sleep(9)\n"]) == ["timeout"]


@pytest.mark.system
def test_all_164_references_pass_and_no_stub_does() -> None:
    exams.all_references_pass_and_no_stub_does("humaneval_plus", 164)
