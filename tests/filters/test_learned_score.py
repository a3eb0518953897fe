"""The filter `learned_score`: a scorer's word as a note."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe
from minisc.filters.learned_score import LearnedScore
from minisc.text.scorer import SETTINGS, Shape, fit
from tests.support import notes, reasons, row, rows_of, run_stage

GOOD, BAD = "def g(x):\n    return x + 100\n", "y = 100\nprint(y)\n"


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scorer")
    shape = Shape(2, 12, 1000)
    texts = [f"def f{n}(x):\n    return x + {n}\n" if n % 2 else f"x{n} = {n}\nprint(x{n})\n" for n in range(40)]
    fit(shape, [shape.buckets(text) for text in texts], [9.0 if n % 2 else 1.0 for n in range(40)], 0.1, 100).save(folder)
    return folder


def stage(folder: Path | None) -> LearnedScore:
    return LearnedScore(scorer=str(folder) if folder else None)


def test_the_score_is_a_note(scorer: Path) -> None:
    table = run_stage(stage(scorer), rows_of([GOOD, BAD]))
    good, bad = (json.loads(told["learned_score"]) for told in notes(table).values())
    assert good > 8 and bad < 2
    assert list(reasons(table).values()) == ["", ""]


def test_the_batch_does_not_matter(scorer: Path) -> None:
    rows = rows_of([GOOD, BAD, "", "x"])
    assert notes(run_stage(stage(scorer), rows, batch=1)) == notes(run_stage(stage(scorer), rows))


def test_only_code_is_judged(scorer: Path) -> None:
    assert list(notes(run_stage(stage(scorer), [row(BAD, kind="text")])).values()) == [{}]


def test_the_identity_is_the_scorers_contents(scorer: Path, tmp_path: Path) -> None:
    shutil.copytree(scorer, tmp_path / "same")
    shutil.copytree(scorer, tmp_path / "other")
    told = json.loads((scorer / SETTINGS).read_text())
    (tmp_path / "other" / SETTINGS).write_text(json.dumps({**told, "mean": 0.5}))
    marks = [describe(stage(folder)) for folder in (scorer, tmp_path / "same", tmp_path / "other")]
    assert marks[0] == marks[1] != marks[2]


def test_without_a_scorer_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which scorer") as caught:
        stage(None).identity()
    assert "train_scorer" in caught.value.do
    with pytest.raises(BadInput, match="no scorer"):
        stage(tmp_path).identity()
