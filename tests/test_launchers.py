"""Sweeps by the launchers of Hydra's ecosystem and with Ray as the engine: one curation, readable names, the best named once, signals."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from minisc.core.runs import read_run
from tests import road

pytestmark = pytest.mark.system
SWEEP = ("-m", "trainer.max_lr=1e-3,3e-3", "budget=8k", "steps=[collect,curate,train_tokenizer,pack,pretrain]")
PLUGINS = {"joblib": "hydra_joblib_launcher", "submitit_local": "hydra_submitit_launcher", "ray": "hydra_ray_launcher"}


def launcher(name: str) -> str:
    try:
        found = importlib.util.find_spec(f"hydra_plugins.{PLUGINS[name]}")
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"needs {PLUGINS[name].replace('_', '-')}")
    return f"hydra/launcher={name}"


def check(out: Path, told: str) -> None:
    jobs = sorted(path.parent for path in out.glob("multirun/*/*/*/run.json"))
    assert [job.name for job in jobs] == ["0,max_lr=0.001", "1,max_lr=0.003"]
    made = {step.name: len(list(step.glob("*/manifest.json"))) for step in (out / "store").iterdir() if step.is_dir()}
    assert made == {"collect": 1, "curate": 1, "train_tokenizer": 1, "pack": 1, "pretrain": 2}
    assert all(
        read_run(job).command.startswith("python -m minisc +recipe=pretrain_local") or " -m " in read_run(job).command for job in jobs
    )
    assert " ".join(told.split()).count("best: 1,max_lr=0.003 with train_loss") == 1
    assert all((job / "minisc.log").stat().st_size for job in jobs)


@pytest.mark.parametrize("name", PLUGINS)
def test_a_launcher_of_the_ecosystem_runs_a_sweep(corpus: Path, tmp_path: Path, name: str) -> None:
    told = road.run(corpus, tmp_path, *SWEEP, launcher(name))
    check(tmp_path, told)
    if name == "joblib":  # its jobs speak on our screen
        assert "job 0: " in told and "job 1: " in told and "what came out" not in told


def test_a_sweep_with_ray_as_the_engine(corpus: Path, tmp_path: Path) -> None:
    check(tmp_path, road.run(corpus, tmp_path, *SWEEP, "engine=ray"))


def test_a_job_that_fails_under_a_launcher_is_named_and_the_other_runs(corpus: Path, tmp_path: Path) -> None:
    words = ("-m", "seq_len=128,999999", "steps=[collect,curate,train_tokenizer,pack,pretrain]", "budget=8k", launcher("joblib"))
    told = road.run(corpus, tmp_path, *words, expect=2)
    assert "cannot take samples that long" in told and "failed" in told
    assert len(list(tmp_path.glob("multirun/*/*/*/run.json"))) == 1


@pytest.mark.parametrize(("sign", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "asked to end")])
@pytest.mark.parametrize("how", ["basic", "joblib"])
def test_a_signal_ends_a_sweep_with_a_clean_word(
    corpus: Path, tmp_path: Path, how: str, sign: signal.Signals, status: int, word: str
) -> None:
    words = ["-m", "trainer.max_lr=1e-3,3e-3", "budget=200k", *([launcher(how)] if how != "basic" else [])]
    process = subprocess.Popen(
        road.command(corpus, tmp_path, *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=road.environment(),
        start_new_session=True,
    )  # fmt: skip
    while process.poll() is None and not any(tmp_path.glob("store/curate/*/*")):
        time.sleep(0.01)
    os.killpg(process.pid, sign) if sign == signal.SIGINT else process.send_signal(sign)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in told, told
    assert " ".join(told.split()).count(f"{word}; the same line goes on where it stopped") == 1, told


def test_a_launcher_that_is_not_there_is_refused_in_three_parts(corpus: Path, tmp_path: Path) -> None:
    told = road.run(corpus, tmp_path, "-m", "seed=0,1", "hydra/launcher=joblub", expect=2)
    assert "there is no launcher 'joblub' here" in told and "did you mean 'joblib'?" in told


def test_a_recipe_that_is_not_there_is_named_in_a_list_too(corpus: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [*road.command(corpus, tmp_path)[:3], "-m", "+recipe=tiny,tiyn"], capture_output=True, text=True, env=road.environment()
    )
    assert told.returncode == 2 and "there is no recipe 'tiyn'" in told.stdout and "did you mean 'tiny'?" in told.stdout
