"""The curve on disk and in TensorBoard, read back by TensorBoard's own reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from minisc.trainer.events import Events, cut_back, line, log_hparams, opened, read_rows, replay

ROWS: list[dict[str, Any]] = [{"step": step, "loss": 5.0 / step, "mfu": None, "seconds": 2.0 * step} for step in (1, 5, 10)]


def written(folder: Path) -> Path:
    path = folder / "metrics.jsonl"
    path.write_text("".join(line(row) for row in ROWS))
    return path


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_a_torn_line_ends_the_curve(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + '{"step": 15, "lo')
    assert read_rows(path) == ROWS
    assert read_rows(tmp_path / "absent.jsonl") == []


def test_rows_after_the_checkpoint_go(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert cut_back(path, 7) == ROWS[:2]
    assert [json.loads(text) for text in path.read_text().splitlines()] == ROWS[:2]
    assert cut_back(tmp_path / "new.jsonl", 0) == []


def test_a_curve_is_replayed_whole(tmp_path: Path) -> None:
    replay(written(tmp_path), tmp_path / "events")
    shown = read(tmp_path / "events")
    assert set(shown.Tags()["scalars"]) == {"train/loss", "train/seconds"}
    points = shown.Scalars("train/loss")
    assert [(point.step, round(point.value, 6)) for point in points] == [(1, 5.0), (5, 1.0), (10, 0.5)]
    assert [round(point.wall_time - points[0].wall_time, 3) for point in points] == [0.0, 8.0, 18.0]


def test_a_resumed_run_shows_the_earlier_rows_and_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path, ROWS[:2]) as events:
        events.row(ROWS[2])
    assert [point.step for point in read(tmp_path).Scalars("train/loss")] == [1, 5, 10]


def test_settings_and_final_figures_stand_beside_the_curve(tmp_path: Path) -> None:
    with Events(tmp_path, 0.0) as events:
        events.row(ROWS[0])
    log_hparams(tmp_path, {"trainer.max_lr": 3e-3, "model.name": "tiny", "trainer.betas": [0.9, 0.95], "x": None}, {"bits_per_byte": 1.9})
    shown = read(tmp_path)
    told = plugin_data_pb2.HParamsPluginData.FromString(shown.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    values = told.session_start_info.hparams
    assert values["trainer.max_lr"].number_value == 3e-3
    assert values["model.name"].string_value == "tiny"
    assert values["trainer.betas"].string_value == "[0.9, 0.95]"
    assert round(shown.Scalars("bits_per_byte")[0].value, 6) == 1.9
