from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from minisc.core.artifact import Work
from minisc.core.errors import BadInput, UserError
from minisc.core.runs import read_run, settings_of
from minisc.core.step import Context
from minisc.steps.compare import Compare
from minisc.steps.report import Report
from tests import made


def story(folder: Path, figures: dict[str, Any], settings: dict[str, Any], **more: Any) -> Path:
    (folder / "settings").mkdir(parents=True)
    told = {"command": "python -m minisc", "recipe": "tiny", "steps": [], "figures": figures} | more
    (folder / "run.json").write_text(json.dumps(told))
    (folder / "settings" / "config.yaml").write_text(yaml.safe_dump(settings))
    return folder


@pytest.fixture
def where(tmp_path: Path) -> Context:
    return made.context(tmp_path)


def test_figures_and_settings_side_by_side(where: Context, tmp_path: Path) -> None:
    jobs = tmp_path / "multirun" / "tiny" / "1"
    story(jobs / "0,max_lr=1e-3", {"bits_per_byte": 2.5, "tokens": 1000, "vocabulary": 400}, {"trainer": {"max_lr": 0.001}, "seed": 0})
    story(jobs / "1,max_lr=3e-3", {"bits_per_byte": 2.25, "tokens": 2000, "vocabulary": 400}, {"trainer": {"max_lr": 0.003}, "seed": 0})
    figures = Compare(runs=[str(jobs)]).look([], where)
    (_, runs), (_, scores), (_, apart), (first, rows), (second, settings) = where.speak.tables  # type: ignore[attr-defined]
    assert runs == [["1", "0,max_lr=1e-3", "tiny"], ["2", "1,max_lr=3e-3", "tiny"]] and scores == apart == [], "no artifact is left"
    assert first == "figures" and rows == [["bits_per_byte", "2.5000", "2.2500"], ["tokens", "1,000", "2,000"]]
    assert second == "settings that differ" and settings == [["trainer.max_lr", "0.001", "0.003"]]
    assert where.speak.lines == ["best bits_per_byte: 1,max_lr=3e-3"]  # type: ignore[attr-defined]
    page = Path(figures["where"]).read_text()
    assert "| trainer.max_lr | 0.001 | 0.003 |" in page and "python -m minisc" in page


def test_the_latest_of_a_recipe_and_a_folder(where: Context, tmp_path: Path) -> None:
    for day, loss in (("2026-01-01", 3.0), ("2026-01-02", 2.0)):
        story(tmp_path / "runs" / "laptop" / day, {"bits_per_byte": loss}, {})
    assert Compare(runs=["latest:laptop", str(tmp_path / "runs" / "laptop" / "2026-01-01")]).look([], where)["runs"] == 2
    assert where.speak.tables[3][1] == [["bits_per_byte", "2.0000", "3.0000"]]  # type: ignore[attr-defined]


def scored(where: Context, tmp_path: Path, day: str, passed: Sequence[int], text: str | None = None) -> Path:
    """A run with an evaluation in the store, as the runner leaves it."""
    mark = day.replace("-", "").ljust(20, "0")
    artifact = where.out / "store" / "evaluate" / mark
    artifact.mkdir(parents=True)
    items = [{"item": f"HumanEval/{at}", "passed": one, "samples": 1} for at, one in enumerate(passed)]
    figures = {"humaneval_pass_at_1": sum(passed) / len(passed), "humaneval_pass_at_1_low": 0.0, "humaneval_pass_at_1_high": 1.0, "humaneval_items": len(passed), "humaneval_items_seen": 1}  # fmt: skip
    (artifact / "scores.json").write_text(
        json.dumps({"humaneval": {"about": "", "figures": figures, "tables": {"items": items}}}) if text is None else text
    )
    Work(artifact, where).commit(
        {"step": "evaluate", "fingerprint": mark, "kinds": ["evaluation"], "settings": {}, "inputs": {}, "versions": {}, "seconds": 1.0}, {}
    )
    steps = [{"step": "evaluate", "fingerprint": mark, "artifact": str(artifact)}]
    return story(where.out / "runs" / "tiny" / day, figures, {}, steps=steps)


def test_scores_with_differences_and_what_was_seen(where: Context, tmp_path: Path) -> None:
    runs = [str(scored(where, tmp_path, f"2026-01-0{day}", passed)) for day, passed in ((1, [0] * 20), (2, [1] * 20 + [0]))]
    Compare(runs=runs).look([], where)
    scores, apart = (dict(where.speak.tables)[title] for title in ("scores", "less run 1, over what both judged"))  # type: ignore[attr-defined]
    assert [row[:3] + row[4:] for row in scores] == [
        ["humaneval pass at 1", "1", "0.0 %", "20 items", "1 of 20"], ["humaneval pass at 1", "2", "95.2 %", "21 items", "1 of 21"],
    ]  # fmt: skip
    assert [row[:3] + row[4:] for row in apart] == [["humaneval pass at 1", "2", "+100.0 points", "20 of 21 items", "better"]]
    page = (where.run / "compare.md").read_text()
    assert "| humaneval pass at 1 | 2 | +100.0 points |" in page and "| 1 of 21 |" in page
    Report(against=runs[0]).look([], where)
    html = (where.run / "report.html").read_text()
    assert "Runs side by side" in html and "+100.0 points" in html and "20 of 21 items" in html


@pytest.mark.parametrize("text", ["{", "[]", '{"humaneval": 7}', '{"humaneval": {"figures": 3, "tables": {}}}'])
def test_scores_that_are_none_are_said(where: Context, tmp_path: Path, text: str) -> None:
    run = str(scored(where, tmp_path, "2026-01-01", [0], text))
    with pytest.raises(BadInput, match="these are no scores") as caught:
        Compare(runs=[run]).look([], where)
    assert caught.value.where.endswith("scores.json") and caught.value.do


@pytest.mark.parametrize("runs", [None, [], "outputs/runs/tiny"])
def test_no_runs_is_an_error_before_anything(runs: Any) -> None:
    with pytest.raises(UserError, match="which runs") as caught:
        Compare(runs=runs)
    assert caught.value.do.startswith("runs=[")


def test_a_run_that_is_not_there_is_said(where: Context) -> None:
    with pytest.raises(UserError, match="no run in 'latest:tiny'"):
        Compare(runs=["latest:tiny"]).look([], where)


@pytest.mark.parametrize(
    "steps",
    [
        [{"step": "../../etc", "fingerprint": "ab" * 10, "artifact": None}],
        [{"step": "collect", "fingerprint": "../x", "artifact": None}],
        [7],
        {"a": 1},
    ],
)
def test_names_from_a_story_never_become_paths(tmp_path: Path, steps: Any) -> None:
    with pytest.raises(BadInput, match="story of a run cannot be read"):
        read_run(story(tmp_path / "run", {}, {}, steps=steps))


def test_settings_from_strangers_run_no_code(tmp_path: Path) -> None:
    folder = story(tmp_path / "run", {}, {})
    (folder / "settings" / "config.yaml").write_text("a: !!python/object/apply:os.system [touch hit]\n")
    assert settings_of(folder) == {}
    assert not Path("hit").exists()
