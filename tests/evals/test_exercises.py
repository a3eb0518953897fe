"""From completions to figures: chunks that survive a kill, pass@k, overlaps, and a real network that writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import describe, fingerprint
from minisc.evals.exercises import drawn
from minisc.sandbox import isolated
from tests.evals import exams
from tests.evals.test_humaneval import ROWS, small

RIGHT = [row["canonical_solution"] for row in ROWS]


def test_figures_of_several_samples(tmp_path: Path) -> None:
    exam = small(tmp_path, samples=2, k=[1, 2], temperature=0.2, contamination=False)
    texts = ["\n" + RIGHT[0], "\n    pass", "\n" + RIGHT[1], "\n" + RIGHT[1], "\n    while True", "\n    pass"]
    scores = exams.scored(exam, tmp_path, tmp_path / "scratch", texts=texts)
    assert scores.figures["humaneval_pass_at_1"] == 0.5 and scores.figures["humaneval_pass_at_2"] == pytest.approx(2 / 3, abs=1e-6)
    assert scores.figures["humaneval_pass_at_1_low"] < 0.5 < scores.figures["humaneval_pass_at_1_high"]
    assert scores.figures["humaneval_items"] == 3 and scores.figures["humaneval_samples"] == 2
    assert [row["passed"] for row in scores.tables["items"]] == [1, 2, 0]
    assert [(row["outcome"], row["samples"]) for row in scores.tables["outcomes"]] == [("failed", 3), ("passed", 3)]
    assert "2 sample(s) an item, drawn at temperature 0.2" in scores.about and "sandbox of level" in scores.about


def test_an_item_that_stands_in_the_corpus_is_said_and_scored_apart(tmp_path: Path) -> None:
    texts = ["\n" + body for body in RIGHT[:2]] + ["\n    pass"]
    copied = Doc(
        uid="copy", text=ROWS[1]["prompt"].replace("    ", "\t") + "def undo_it(text_to_undo): ...\n" + ROWS[2]["prompt"] + RIGHT[2], size=1
    )
    scores = exams.scored(small(tmp_path), tmp_path, tmp_path / "scratch", [copied], texts)
    seen = {row["item"]: (row["seen"], row["seen_in"]) for row in scores.tables["items"]}
    assert seen["Small/0"] == (0.0, "") and seen["Small/2"] == (1.0, "copy")
    assert scores.figures["humaneval_items_seen"] == 1 and scores.figures["humaneval_pass_at_1_unseen"] == 1.0
    assert scores.figures["humaneval_pass_at_1"] == pytest.approx(2 / 3, abs=1e-6)


def test_a_real_network_writes_and_a_second_run_takes_what_is_kept(tmp_path: Path) -> None:
    exam = small(tmp_path, max_new_tokens=12, contamination=False, samples=3, temperature=1.0)
    first = exams.scored(exam, tmp_path, tmp_path / "scratch")
    kept = tmp_path / "scratch" / "humaneval-000000.json"
    texts = json.loads(kept.read_text(encoding="utf-8"))
    assert len(texts) == 9 and len({text for text, _ in texts[:3]}) > 1
    again = exams.scored(exam, tmp_path, tmp_path / "scratch")
    assert again == first
    kept.unlink()
    assert exams.scored(exam, tmp_path, tmp_path / "scratch") == first


def test_hostile_completions_are_only_failures(tmp_path: Path) -> None:
    texts = ["\n    \0", "\n    return '\ud83d'", "\n    import os\n    os._exit(0)"]
    scores = exams.scored(small(tmp_path, contamination=False), tmp_path, tmp_path / "scratch", texts=texts)
    assert [row["outcome"] for row in scores.tables["items"]] == ["failed", "failed", "exited"]


def test_the_limit_draws_by_name_and_keeps_the_order(tmp_path: Path) -> None:
    items = small(tmp_path).items(tmp_path)
    two = drawn(items, 2, seed=0)
    assert len(two) == 2 and [item.name for item in two] == sorted(item.name for item in two)
    assert {item.name for item in drawn(list(reversed(items)), 2, seed=0)} == {item.name for item in two}
    assert drawn(items, None, 0) == items


def test_workers_do_not_change_the_fingerprint_and_limits_do(tmp_path: Path) -> None:
    def of(change: dict[str, Any]) -> str:
        return fingerprint(describe(exams.built("humaneval", lambda node: node["sandbox"].update(change))))

    assert of({"workers": 1}) == of({"workers": 3}) != of({"require": "rlimits"})
    assert small(tmp_path).reads == ("train",) and small(tmp_path, contamination=False).reads == ()


def test_a_level_that_cannot_be_had_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = small(tmp_path, max_new_tokens=4, contamination=False)

    def refused(level: str, preload: tuple[str, ...]) -> None:
        raise isolated.Refused("unshare: Operation not permitted")

    monkeypatch.setattr(isolated, "Worker", refused)
    with pytest.raises(UserError, match="no sandbox of level"):
        exams.scored(exam, tmp_path, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []
