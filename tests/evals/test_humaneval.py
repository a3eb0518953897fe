"""HumanEval: the harness's protocol, on three exercises of our own, and on the real ones where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.evals.extraction import stopped
from tests.evals import exams

ROWS: list[dict[str, Any]] = [
    {
        "task_id": "Small/0", "entry_point": "double", "prompt": 'def double(x):\n    """Twice x."""\n', "canonical_solution": "    return 2 * x\n",
        "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate('a') == 'aa'\n",
    },
    {
        "task_id": "Small/1", "entry_point": "decode", "prompt": 'def encode(s):\n    return s[::-1]\n\n\ndef decode(s):\n    """Undo encode."""\n',
        "canonical_solution": "    return s[::-1]\n",
        "test": "import random\n\ndef check(candidate):\n    for length in range(9):\n        assert candidate(encode('abcdefghi'[:length])) == 'abcdefghi'[:length]\n",
    },
    {
        "task_id": "Small/2", "entry_point": "pairs", "prompt": 'def pairs(items):\n    """Neighbours as tuples."""\n',
        "canonical_solution": "    return list(zip(items, items[1:]))\n",
        "test": "def check(candidate):\n    assert candidate([1, 2, 3]) == [(1, 2), (2, 3)]\n    assert candidate([]) == []\n",
    },
]  # fmt: skip


def small(folder: Path, **changes: Any) -> Any:
    told = exams.written(folder, "Small", ROWS)
    return exams.built("humaneval", lambda node: node.update({"benchmark": told} | changes))


def test_references_pass_and_stubs_fail(tmp_path: Path) -> None:
    exam = small(tmp_path)
    items = exam.items(tmp_path)
    assert [outcome.status for outcome in exams.judged(exam, items, lambda item: item.reference).values()] == ["passed"] * 3
    assert [outcome.status for outcome in exams.judged(exam, items, lambda item: "\n    pass\n").values()] == ["failed"] * 3


def test_the_prompt_is_stripped_or_not(tmp_path: Path) -> None:
    assert small(tmp_path).items(tmp_path)[0].prompt.endswith('"""')
    raw = small(tmp_path, strip_prompt=False)
    assert raw.items(tmp_path)[0].prompt.endswith('"""\n') and "as it is" in raw.protocol()
    assert exams.judged(raw, raw.items(tmp_path), lambda item: item.reference)["Small/0"].passed


def test_the_stop_strings_are_the_harnesss(tmp_path: Path) -> None:
    exam = small(tmp_path)
    for after in ("class A", "def f", "# end", "@wraps", "print(1)", "if x", "```"):
        assert stopped(f"\n    return 2 * x\n{after}", exam.stops) == "\n    return 2 * x"
    assert "<file_sep>" in exam.stops and len(exam.stops) == 8


def test_a_completion_cannot_change_the_helper_that_the_test_uses(tmp_path: Path) -> None:
    exam = small(tmp_path)
    sly = "\n    return ''\n\n\ndef encode(s):\n    return ''\n\n\nclass Anything(str):\n    __eq__ = lambda *a: True\n"
    assert exams.judged(exam, exam.items(tmp_path)[1:2], lambda item: sly)["Small/1"].status == "failed"


@pytest.mark.parametrize(
    "changes,where",
    [
        ({"samples": 0}, "samples=0"),
        ({"k": [2]}, "k=(2,)"),
        ({"samples": 2, "k": [1]}, "samples=2"),
        ({"limit": 0}, "limit=0"),
        ({"k": []}, "k=()"),
    ],
)
def test_bad_settings(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as refused:
        small(tmp_path, **changes)
    assert refused.value.where == f"evals.humaneval.{where}"


@pytest.mark.system
def test_all_164_references_pass_and_no_stub_does() -> None:
    exams.all_references_pass_and_no_stub_does("humaneval", 164)
