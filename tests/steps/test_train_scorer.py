"""The step `train_scorer`: labels in, a scorer out, measured on what it never saw."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import BadInput, UserError
from minisc.core.step import Context, Step
from minisc.runner.graph import plan
from minisc.steps.collect import Collect
from minisc.steps.train_scorer import TrainScorer, read_labels
from minisc.text.scorer import Scorer
from tests import made, small_corpus
from tests.silent import Silent

SETTINGS: dict[str, Any] = {"ngram": 2, "bits": 14, "characters": 5000, "ridge": 0.1, "rounds": 50}
GOOD = [made.row(f"good{number}", "m.py", small_corpus.module(number % 6, number)) for number in range(60)]
BAD = [made.row(f"bad{number}", "t.py", "\n".join(f"table_{number}[{at}] = {at * number}" for at in range(30))) for number in range(60)]


def label(row: dict[str, Any], score: float, key: str = "uid") -> str:
    return json.dumps({key: row[key], "score": score})


LABELS = [*(label(row, 8 + at % 3) for at, row in enumerate(GOOD)), *(label(row, at % 3, "sha1_git") for at, row in enumerate(BAD))]


def steps(labels: Path) -> dict[str, Step]:
    return {
        "collect": Collect(source=made.Listed(given=[GOOD, BAD]), seed=0, held_out=0.1, budget="20x"),
        "train_scorer": TrainScorer(labels=str(labels), **SETTINGS),
    }


def written(folder: Path, lines: Iterable[str]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def trained(folder: Path, lines: Iterable[str] = LABELS) -> tuple[Artifact, Context]:
    where = made.context(folder)
    return made.run(steps(written(folder, lines)), where)["train_scorer"], where


def test_it_learns_and_says_how_well(tmp_path: Path) -> None:
    artifact, where = trained(tmp_path)
    figures = artifact.figures
    assert artifact.kinds == ("scorer",)
    assert figures["labels"] == figures["labels_used"] == figures["documents_learned"] + figures["documents_asked"] == 120
    assert figures["mean_absolute_error"] < 1.5 < 3 < figures["baseline_mean_absolute_error"]
    assert figures["correlation"] > 0.9
    rows = [json.loads(line) for line in artifact.file("held_back.jsonl").read_text().splitlines()]
    assert len(rows) == figures["documents_asked"] and {row["uid"] for row in rows} <= {row["uid"] for row in [*GOOD, *BAD]}
    assert sum(abs(row["label"] - row["score"]) for row in rows) / len(rows) == pytest.approx(figures["mean_absolute_error"], abs=1e-4)
    good, bad = Scorer.load(artifact.path).scores([small_corpus.module(3, 77), BAD[0]["text"].replace("table", "list")])
    assert good > 7 > 3 > bad
    said = " ".join(cast(Silent, where.speak).lines)
    assert f"filters.learned_score.scorer={artifact.path}" in said and "filters.threshold.limits.learned_score.min=" in said


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (trained(folder)[0] for folder in (tmp_path / "a", tmp_path / "b") if folder.mkdir() is None)
    assert one.fingerprint == other.fingerprint
    assert one.manifest["files"] == other.manifest["files"]


def test_labels_enter_the_fingerprint_by_their_contents(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    (tmp_path / "moved").mkdir()
    marks = [plan(steps(path), {}, where)[1].fingerprint for path in (written(tmp_path, LABELS), written(tmp_path / "moved", LABELS))]
    marks.append(plan(steps(written(tmp_path, LABELS[1:])), {}, where)[1].fingerprint)
    assert marks[0] == marks[1] != marks[2]


def test_several_labels_of_a_text_count_as_their_mean(tmp_path: Path) -> None:
    lines = [label(GOOD[0], 4), label(GOOD[0], 7), label(BAD[0], 1, "sha1_git"), "", '{"uid": "f", "score": 0, "why": "data"}']
    assert read_labels(written(tmp_path, lines)) == {GOOD[0]["uid"]: 5.5, BAD[0]["sha1_git"]: 1.0, "f": 0.0}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ('{"score": 3}', "a label has"),
        ('{"uid": "a"}', "a label has"),
        ('{"uid": "a", "score": 11}', "a label has"),
        ('{"uid": "a", "score": "7"}', "a label has"),
        ('{"uid": "a", "score": true}', "a label has"),
        ('{"uid": "a", "score": NaN}', "a label has"),
        ('{"uid": 7, "score": 7}', "a label has"),
        ("\udcff", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_bad_label_is_an_error_with_its_line(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(f"{LABELS[0]}\n{line}\n".encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=what) as caught:
        read_labels(path)
    assert caught.value.where == f"{path}, line 2"


def test_labels_of_another_corpus_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="1 of 2 labels are of documents of this corpus"):
        trained(tmp_path, [LABELS[0], '{"uid": "elsewhere", "score": 5}'])


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"labels": None}, "labels=null"), ({"ngram": 0}, "steps.train_scorer.ngram=0"), ({"bits": 40}, "steps.train_scorer.bits=40"),
        ({"ridge": 0}, "steps.train_scorer.ridge=0"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        TrainScorer(**{"labels": "x.jsonl", **SETTINGS, **changes})
    assert caught.value.where == where and caught.value.do


def test_labels_that_are_missing_are_an_error_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="missing"):
        plan(steps(tmp_path / "none.jsonl"), {}, made.context(tmp_path))
