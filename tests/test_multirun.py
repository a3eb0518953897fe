"""A sweep by the real command: one curation, a training for each job, readable names, whole curves, the best named; then compare and prune."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from minisc import app
from minisc.core.runs import read_run
from tests import road

pytestmark = pytest.mark.system
SWEEP = (
    "-m",
    "trainer.max_lr=1e-3,3e-3",
    "seed=0,1",
    "evals=[bits_per_byte]",
    "steps=[collect,curate,train_tokenizer,pack,pretrain,evaluate]",
)


@pytest.fixture(scope="module")
def swept(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("out")
    return out, road.run(corpus, out, *SWEEP, "steps.collect.seed=0", "tokens.seed=0")


def jobs(out: Path) -> list[Path]:
    return sorted(path.parent for path in out.glob("multirun/*/*/*/run.json"))


def steps_of(job: Path) -> list[int]:
    """The steps of the curve that the job's model carries."""
    model = next(made.artifact for made in read_run(job).made if made.step == "pretrain")
    assert model is not None
    return [json.loads(line)["step"] for line in (model / "metrics.jsonl").read_text().splitlines()]


def test_one_curation_and_a_training_for_each_job(swept: tuple[Path, str]) -> None:
    out, _ = swept
    made = {step.name: len(list(step.glob("*/manifest.json"))) for step in (out / "store").iterdir() if step.is_dir()}
    assert made == {"collect": 1, "curate": 1, "train_tokenizer": 1, "pack": 1, "pretrain": 4, "evaluate": 4}


def test_jobs_have_readable_names(swept: tuple[Path, str]) -> None:
    assert [job.name for job in jobs(swept[0])] == [
        "0,max_lr=0.001,seed=0",
        "1,max_lr=0.001,seed=1",
        "2,max_lr=0.003,seed=0",
        "3,max_lr=0.003,seed=1",
    ]


def test_every_job_has_its_whole_curve_and_the_final_score(swept: tuple[Path, str]) -> None:
    figures = {}
    for job in jobs(swept[0]):
        events = EventAccumulator(str(job / "tensorboard"))
        events.Reload()
        told = events.Tags()["scalars"]
        assert [event.step for event in events.Scalars("train/loss")] == steps_of(job) and "eval/bits_per_byte" in told
        assert "_hparams_/session_start_info" in events.summary_metadata
        figures[job.name] = events.Scalars("eval/bits_per_byte")[0].value
    assert len(set(figures.values())) == 4


def test_the_best_is_named(swept: tuple[Path, str]) -> None:
    out, told = swept
    rows = (next(out.glob("multirun/*/*/sweep.md"))).read_text().splitlines()
    assert rows[0].startswith("| job |") and "trainer.max_lr" in rows[0] and rows[0].endswith("bits_per_byte |")
    scores = [float(row.split("|")[-2]) for row in rows[2:6]]
    assert scores == sorted(scores)
    best = rows[2].split("|")[1].strip()
    assert rows[-1] == f"best: {best}" and f"best: {best} with bits_per_byte" in " ".join(told.split())


def test_the_sweep_again_is_served_from_the_store(corpus: Path, swept: tuple[Path, str]) -> None:
    out, _ = swept
    before = road.contents(out)
    road.run(corpus, out, *SWEEP, "steps.collect.seed=0", "tokens.seed=0")
    assert road.contents(out) == before
    again = jobs(out)[4:]
    assert len(again) == 4
    events = EventAccumulator(str(again[-1] / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == steps_of(again[-1])


def test_a_job_that_fails_is_named_and_the_others_are_run(corpus: Path, swept: tuple[Path, str]) -> None:
    out, _ = swept
    words = ("-m", "seq_len=128,999999", "steps=[collect,curate,train_tokenizer,pack,pretrain]", "seed=0", "steps.collect.seed=0")
    told = road.run(corpus, out, *words, expect=2)
    assert "cannot take samples that long" in told and "failed" in told
    assert len(list(max(out.glob("multirun/*/*"), key=lambda path: path.stat().st_mtime).glob("*/run.json"))) == 1


def test_compare_and_prune_see_the_jobs(corpus: Path, swept: tuple[Path, str]) -> None:
    out, _ = swept
    sweep = min(out.glob("multirun/*/*"))
    told = road.run(corpus, out, "steps=[compare]", f"runs=[{sweep}]")
    assert "bits_per_byte" in told and "trainer.max_lr" in told and "best bits_per_byte:" in told
    told = road.run(corpus, out, "steps=[prune]", "steps.prune.keep_days=0")
    assert "pretrain/" not in told, "every run refers to them"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["+recipe=tiny", "trainer.max_lr=0.001", "model=20m", "source.part_bytes=20000"], "3,max_lr=0.001,model=20m"),
        (["+recipe=tiny", "source.path=/a b/c*", "filters=[pii]"], "3,path=-a-b-c-,filters=-pii-"),
        (["+recipe=tiny"], "3"),
        (["+recipe=tiny", "inputs.model=" + "x" * 500], ("3,model=" + "x" * 500)[:120]),
    ],
)
def test_names_of_folders(monkeypatch: pytest.MonkeyPatch, overrides: list[str], name: str) -> None:
    monkeypatch.setenv(app.WORDS, "-m +recipe=tiny trainer.max_lr=1e-3,3e-3 model=tiny,20m source.part_bytes=20_000")
    assert app.job_name(3, overrides) == name
