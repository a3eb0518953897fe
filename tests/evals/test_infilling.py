"""Fill-in-the-middle: prefix, hole and suffix are judged as one program; the kinds are scored apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.evals.exercises import Sample
from tests.evals import exams

TEST = "def check(candidate):\n    assert candidate([3, 1, 2]) == 6\n"
ROWS = {
    "single_line": [{"prompt": "def total(items):\n    out = 0\n", "canonical_solution": "    for item in items:\n", "suffix": "        out += item\n    return out\n"}],
    "multi_line": [{"prompt": "def total(items):\n", "canonical_solution": "    out = sum(items)\n    return out\n", "suffix": ""}],
    "random_span": [{"prompt": "def total(items):\n    return s", "canonical_solution": "um(it", "suffix": "ems)\n"}],
}  # fmt: skip


def small(folder: Path, **changes: Any) -> Any:
    files = {
        kind: exams.written(
            folder, kind, [row | {"task_id": f"{kind}/{at}", "entry_point": "total", "test": TEST} for at, row in enumerate(rows)]
        )
        for kind, rows in ROWS.items()
    }
    return exams.built("infilling", lambda node: node.update({"benchmarks": files} | changes))


def test_references_pass_and_stubs_fail(tmp_path: Path) -> None:
    exam = small(tmp_path)
    items = exam.items(tmp_path)
    assert [(item.group, item.suffix) for item in items] == [(kind, rows[0]["suffix"]) for kind, rows in ROWS.items()]
    assert [outcome.status for outcome in exams.judged(exam, items, lambda item: item.reference).values()] == ["passed"] * 3
    assert [outcome.status for outcome in exams.judged(exam, items, lambda item: "    pass\n").values()] == ["failed"] * 3


def test_the_kinds_are_scored_apart_and_exact_match_strips(tmp_path: Path) -> None:
    scores = exams.scored(
        small(tmp_path, contamination=False),
        tmp_path,
        tmp_path / "scratch",
        texts=["for item in items:", "    return sum(items)\n", "um(it"],
    )
    figures = scores.figures
    assert [figures[f"infilling_{kind}_pass_at_1"] for kind in ROWS] == [0.0, 1.0, 1.0]  # the first lacks its indentation
    assert [figures[f"infilling_{kind}_exact_match"] for kind in ROWS] == [1.0, 0.0, 1.0]
    assert figures["infilling_random_span_pass_at_1_low"] < 1
    assert "infilling_pass_at_1" not in figures and figures["infilling_items"] == 3
    assert [figures[f"infilling_{kind}_items"] for kind in ROWS] == [1, 1, 1]


def test_kinds_are_chosen_and_unknown_ones_refused(tmp_path: Path) -> None:
    assert [item.group for item in small(tmp_path, kinds=["random_span"]).items(tmp_path)] == ["random_span"]
    with pytest.raises(UserError, match="no file is named for 'random_spam'") as refused:
        small(tmp_path, kinds=["random_spam"])
    assert "random_span" in refused.value.do
    with pytest.raises(UserError, match="no kind"):
        small(tmp_path, kinds=[])


@pytest.mark.system
@pytest.mark.parametrize(("kind", "count"), [("single_line", 1033), ("multi_line", 5815), ("random_span", 1640)])
def test_all_references_pass_and_match_and_no_stub_does(kind: str, count: int) -> None:
    exam = exams.built("infilling", lambda node: (node.update(kinds=[kind]), node["sandbox"].update(workers=None)))
    items = exam.items(exams.real_folder())
    assert len(items) == count
    passed = exams.judged(exam, items, lambda item: item.reference)
    assert {name: outcome for name, outcome in passed.items() if not outcome.passed} == {}
    samples = [[Sample(text=f" {item.reference}\n", finish_reason="end", outcome=passed[item.name])] for item in items]
    assert exam.further(items, samples)[f"infilling_{kind}_exact_match"] == 1.0
    stubs = exams.judged(exam, items, lambda item: "\n    ?\n")  # not `pass`: the tests need not every line, and pass 31 items with it
    assert [name for name, outcome in stubs.items() if outcome.passed] == []
