from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from minisc.core.errors import BadInput, UserError
from minisc.core.runs import read_run, settings_of
from minisc.core.step import Context
from minisc.steps.compare import Compare
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
    (first, rows), (second, settings) = where.speak.tables  # type: ignore[attr-defined]
    assert first == "figures" and rows == [["bits_per_byte", "2.5000", "2.2500"], ["tokens", "1,000", "2,000"]]
    assert second == "settings that differ" and settings == [["trainer.max_lr", "0.001", "0.003"]]
    assert where.speak.lines == ["best bits_per_byte: 1,max_lr=3e-3"]  # type: ignore[attr-defined]
    page = Path(figures["where"]).read_text()
    assert "| trainer.max_lr | 0.001 | 0.003 |" in page and "python -m minisc" in page


def test_the_latest_of_a_recipe_and_a_folder(where: Context, tmp_path: Path) -> None:
    for day, loss in (("2026-01-01", 3.0), ("2026-01-02", 2.0)):
        story(tmp_path / "runs" / "laptop" / day, {"bits_per_byte": loss}, {})
    assert Compare(runs=["latest:laptop", str(tmp_path / "runs" / "laptop" / "2026-01-01")]).look([], where)["runs"] == 2
    assert where.speak.tables[0][1] == [["bits_per_byte", "2.0000", "3.0000"]]  # type: ignore[attr-defined]


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
