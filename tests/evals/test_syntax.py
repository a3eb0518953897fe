"""The share of completions that parse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evals import exams
from tests.evals.test_humaneval import ROWS


@pytest.fixture
def exam(tmp_path: Path) -> Any:
    told = exams.written(tmp_path, "Small", ROWS)
    return exams.built("syntax", lambda node: node.update(benchmark=told))


def test_only_the_grammar_counts_but_nothing_is_no_completion(exam: Any, tmp_path: Path) -> None:
    scores = exams.scored(exam, tmp_path, tmp_path / "scratch", texts=["\n    return nonsense(1)", "\n    return (", "  \n"])
    assert scores.figures["syntax_pass_at_1"] == pytest.approx(1 / 3, abs=1e-6)
    assert scores.figures["syntax_empty"] == pytest.approx(1 / 3, abs=1e-6)
    assert [(row["outcome"], row["detail"].split(":")[0]) for row in scores.tables["items"]] == [
        ("passed", ""), ("failed", "SyntaxError"), ("failed", "AssertionError"),
    ]  # fmt: skip


def test_a_text_at_the_limit_is_cut_back_to_its_last_line(exam: Any) -> None:
    assert exam.ended("\n    x = 1\n    y = (1,", "length") == "\n    x = 1\n"
    assert exam.ended("\n    x = 1\n    y = (1,", "stop").endswith("(1,")


def test_what_exhausts_the_parser_only_fails(exam: Any, tmp_path: Path) -> None:
    deep = "\n    return " + "(" * 100_000
    assert exams.judged(exam, exam.items(tmp_path)[:1], lambda item: deep)["Small/0"].status in ("failed", "memory", "crashed")


@pytest.mark.system
def test_all_164_references_parse() -> None:
    exam = exams.built("syntax")
    items = exam.items(exams.real_folder())
    assert len(items) == 164 and all(outcome.passed for outcome in exams.judged(exam, items, lambda item: item.reference).values())
