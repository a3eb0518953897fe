"""The filter `lint_score`: pylint's formula over ruff's complaints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from minisc.core.errors import UserError
from minisc.filters import ruff_batch
from minisc.filters.lint_score import LintScore, statements
from tests.support import notes, reasons, row, rows_of, run_stage

SETTINGS = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf" / "filters" / "lint_score.yaml").read_text())["lint_score"]
CLEAN = "def add(left, right):\n    return left + right\n\n\n# a sum\ntotal = add(1, 2)\n"


def stage(**changes: Any) -> LintScore:
    return LintScore(**{key: value for key, value in {**SETTINGS, **changes}.items() if key != "_target_"})


def judged(*texts: str, batch: int = 1024, **changes: Any) -> list[Any]:
    table = run_stage(stage(**changes), rows_of(texts), batch=batch)
    assert not any(reasons(table).values()), "a score is a note"
    return [json.loads(told["lint_score"]) for told in notes(table).values()]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (CLEAN, 10.0),
        ("", 10.0),
        ("import os\n" + "x = 1\n" * 9, 9.0),  # one unused import in ten lines
        ("import os  # noqa\n" + "x = 1\n" * 9, 9.0),  # not heard
        ("# ruff: noqa\nimport os\n" + "x = 1\n" * 9, 9.0),
        ("y = missing\n" + "x = 1\n" * 9, 5.0),  # an undefined name weighs 5
        ("y = missing\nz = absent\nv = gone\n" + "x = 1\n" * 7, 0.0),  # 15 in ten lines: not below 0
        ("def f(:\n", None),
        ("print 'two'\n", None),
    ],
)
def test_the_formula(text: str, score: float | None) -> None:
    assert judged(text) == [score]


def test_the_longest_prefix_weighs() -> None:
    text = "import os\ny = missing\n" + "x = 1\n" * 8
    assert judged(text, rules={"F": 1, "F8": 2, "F821": 4}) == [5.0]
    assert judged(text, rules={"F": 0.5}) == [9.0]


def test_the_batch_does_not_matter() -> None:
    texts = [CLEAN, "import os\n", "x = (\n", "", "y = missing\n"]
    assert judged(*texts, batch=1) == judged(*texts, batch=3) == judged(*texts)


def test_a_text_that_ends_ruff_has_no_score(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "ruff"
    fake.write_text(f'#!/bin/sh\ngrep -q ABORT ./*.py && kill -ABRT $$\nexec {ruff_batch.program()} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(ruff_batch, "program", lambda: str(fake))
    assert judged(CLEAN, "ABORT = 1\n", "import os\n") == [10.0, None, 0.0]


def test_statements_are_lines_of_code() -> None:
    assert statements("# a\n\n  # b\nx = 1\n\ny = '#'\n") == 2


def test_only_code_is_judged() -> None:
    assert notes(run_stage(stage(), [row("import os\n", kind="text", uid="uid-0")])) == {"uid-0": {}}


def test_a_rule_that_ruff_does_not_know_is_an_error_before_the_run() -> None:
    with pytest.raises(UserError, match="does not know") as caught:
        stage(rules={"F": 1, "ZZZ": 1}).identity()
    assert "ZZZ" in caught.value.do
    assert stage().identity() == {"ruff": ruff_batch.version()}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"rules": {"F; rm": 1}}, "filters.lint_score.rules.F; rm=1"),
        ({"rules": {"F": -1}}, "filters.lint_score.rules.F=-1"),
        ({"rules": {}}, "filters.lint_score.rules"),
        ({"target_version": "three"}, "filters.lint_score.target_version=three"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        stage(**changes)
    assert caught.value.where == where and caught.value.do
