"""The curve of a training run: rows of `metrics.jsonl`, and the same rows as TensorBoard events.

`metrics.jsonl` belongs to the artifact and is the truth; event files belong to a run and are written from it, live while
training, replayed when the step was cached or resumed. So no run shows half a curve, and no job of a sweep is empty.
Works without torch: a cached run replays its curves in milliseconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # the public `api` module needs tensorflow
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from minisc.core import durable

Row = Mapping[str, Any]  # "step" and figures; null where a figure is not known


class Events:
    """One TensorBoard run, open for writing. `began`: the time that the rows' `seconds` count from."""

    def __init__(self, folder: Path, began: float) -> None:
        self._writer = EventFileWriter(str(folder), flush_secs=10)
        self._began = began

    def row(self, row: Row) -> None:
        """One scalar a figure, under `train/<name>`; what a look found keeps its own name, `glimpse/<name>`."""
        values = [
            Summary.Value(tag=name if "/" in name else f"train/{name}", simple_value=value)
            for name, value in row.items() if name != "step" and value is not None
        ]  # fmt: skip
        wall_time = self._began + float(row.get("seconds", 0.0))
        self._writer.add_event(Event(wall_time=wall_time, step=int(row["step"]), summary=Summary(value=values)))

    def add(self, summary: Summary) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=0, summary=summary))

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_rows(metrics: Path, up_to_step: int | None = None) -> list[dict[str, Any]]:
    """The rows of a curve, in order; a last line torn by a kill is left out."""
    if not metrics.exists():
        return []
    rows = []
    for line in metrics.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        if up_to_step is None or row["step"] <= up_to_step:
            rows.append(row)
    return rows


def cut_back(metrics: Path, step: int) -> list[dict[str, Any]]:
    """Remove the rows after `step`, which a killed attempt wrote beyond its last checkpoint; the rows that stay."""
    rows = read_rows(metrics, step)
    with durable.write(metrics) as temporary:
        temporary.write_text("".join(line(row) for row in rows), encoding="utf-8")
    return rows


def line(row: Row) -> str:
    return json.dumps(dict(row)) + "\n"


def replay(metrics: Path, event_dir: Path) -> None:
    """Write a finished curve into an event folder as if it had been trained just now."""
    show(read_rows(metrics), event_dir)


def show(rows: Iterable[Row], event_dir: Path) -> None:
    """Write rows that are finished."""
    opened(event_dir, rows).close()


def opened(event_dir: Path, rows: Iterable[Row]) -> Events:
    """An event folder that shows `rows` already; what follows goes on from the last one's `seconds`."""
    rows = list(rows)
    shown = Events(event_dir, time.time() - (float(rows[-1].get("seconds", 0.0)) if rows else 0.0))
    for row in rows:
        shown.row(row)
    return shown


def log_hparams(event_dir: Path, hparams: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """The settings of a run and its final figures, so that TensorBoard's HPARAMS page compares the jobs of a sweep.

    Settings that are no number, string or truth value are shown as text.
    """
    plain = {
        name: value if isinstance(value, (bool, int, float, str)) else json.dumps(value, default=str) for name, value in hparams.items()
    }
    with Events(event_dir, time.time()) as events:
        events.add(hparams_pb(plain, trial_id="/".join(event_dir.parent.parts[-2:])))
        events.add(Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]))
