"""run.json: one name, one number; what was planned beside what was spent."""

from __future__ import annotations

import json
from pathlib import Path

from minisc.core.artifact import Artifact, Work
from minisc.core.step import Cost, Done
from minisc.runner.run import Story, expected_of, figures_of, spent_of, write_run
from tests import made


def done(folder: Path, step: str, kind: str, figures: dict[str, object], cost: Cost | None = None, cached: bool = False) -> Done:
    context = made.context(folder)
    path = folder / "store" / step / ("ab" * 10)
    path.mkdir(parents=True)
    (path / "file").write_bytes(b"x" * 1000)
    about = {"step": step, "fingerprint": path.name, "kinds": [kind], "settings": {}, "inputs": {}, "versions": {}, "seconds": 1.0}
    artifact: Artifact = Work(path, context).commit(about, figures)
    return Done(step, artifact, cached, 2.5, artifact.figures, cost)


def test_a_later_step_replaces_a_figure_of_its_own_kind_and_no_other(tmp_path: Path) -> None:
    told = figures_of([
        done(tmp_path, "collect", "documents", {"documents_kept": 100}),
        done(tmp_path, "curate", "documents", {"documents_kept": 60}),
        done(tmp_path, "train_tokenizer", "tokenizer", {"bytes_per_token": 3.5, "vocabulary": 400}),
        done(tmp_path, "pack", "tokens", {"tokens": 1000, "bytes_per_token": 3.4, "vocabulary": 400}),
        done(tmp_path, "pretrain", "model", {"tokens": 50}),
        Done("report", None, False, 0.1, {"report_bytes": 9}),
    ])  # fmt: skip
    assert told == {
        "documents_kept": 60, "bytes_per_token": 3.5, "vocabulary": 400, "tokens": 1000, "pack_bytes_per_token": 3.4, "pretrain_tokens": 50,
        "report_bytes": 9,
    }  # fmt: skip


def test_what_was_planned_stands_beside_what_was_spent(tmp_path: Path) -> None:
    cost = Cost(seconds=2.0, disk_bytes=4000, requests=12, tokens=48)
    ran = done(tmp_path, "pretrain", "model", {"tokens_trained": 50, "requests": 11}, cost)
    assert expected_of(ran) == {"seconds": 2.0, "disk_bytes": 4000, "requests": 12, "tokens": 48}
    assert spent_of(ran) == {"seconds": 2.5, "disk_bytes": 1000, "requests": 11, "tokens": 50}
    stored = done(tmp_path, "pack", "tokens", {"tokens": 3}, cost, cached=True)
    assert expected_of(stored) == spent_of(stored) == {}
    where = made.context(tmp_path)
    write_run([ran, stored], Story(command="c", recipe="r"), where)
    first, second = json.loads((where.run / "run.json").read_text())["steps"]
    assert first["expected"]["requests"] == 12 and first["spent"]["requests"] == 11 and second["expected"] == {}
