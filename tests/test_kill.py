"""kill -9 in the middle of collect, curate, pack and pretrain, and at random moments: run again, the same bytes."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests import road

STEPS = "steps=[collect,curate,train_tokenizer,pack,pretrain]"


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    road.run(corpus, out, STEPS)
    return road.contents(out)


def there(out: Path, pattern: str, after: float = 0.0) -> Callable[[], bool]:
    """True as soon as a file of the store is there, and no manifest beside it."""

    def look() -> bool:
        found = next(out.glob(f"store/{pattern}"), None)
        if found is not None:
            time.sleep(after)
        return found is not None

    return look


MOMENTS = {
    "collect": "collect/*/scratch/raw/*.parquet",
    "collect, splitting": "collect/*/kept/*.parquet",
    "curate": "curate/*/scratch/pass-0/kept/*.parquet",
    "curate, between passes": "curate/*/scratch/found/*",
    "pack": "pack/*/tokens/*.bin",
    "pretrain": "pretrain/*/scratch/*",
}


@pytest.mark.parametrize("moment", ["pretrain"])
def test_killed_in_the_middle(corpus: Path, whole: dict[str, str], tmp_path: Path, moment: str) -> None:
    assert road.run_and_kill(corpus, tmp_path, there(tmp_path, MOMENTS[moment]), STEPS)
    road.run(corpus, tmp_path, STEPS)
    assert road.contents(tmp_path) == whole


@pytest.mark.system
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_every_step(corpus: Path, whole: dict[str, str], tmp_path: Path, moment: str) -> None:
    assert road.run_and_kill(corpus, tmp_path, there(tmp_path, MOMENTS[moment], after=0.02), STEPS)
    road.run(corpus, tmp_path, STEPS)
    assert road.contents(tmp_path) == whole


@pytest.mark.system
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_again_and_again_at_random(corpus: Path, whole: dict[str, str], tmp_path: Path, sign: signal.Signals) -> None:
    chance = random.Random(7)
    for _ in range(5):
        end = time.monotonic() + chance.uniform(2, 12)
        road.run_and_kill(corpus, tmp_path, lambda end=end: time.monotonic() > end, STEPS, sign=sign)
    road.run(corpus, tmp_path, STEPS)
    assert road.contents(tmp_path) == whole


@pytest.mark.system
@pytest.mark.filterwarnings("default")
def test_an_index_that_was_killed_or_made_by_ray_is_the_same(corpus: Path, tmp_path: Path) -> None:
    """Killed at its first part and between two others; made by one worker, by two, by Ray."""
    road.run(corpus, tmp_path / "whole", "steps=[collect,curate]")
    documents = next((tmp_path / "whole").glob("store/curate/*"))
    words = ("steps=[index]", f"inputs.documents={documents}")
    road.run(corpus, tmp_path / "whole", *words, "engine.workers=1")
    made = {name: value for name, value in road.contents(tmp_path / "whole").items() if name.startswith("index/")}
    parts = len(list((tmp_path / "whole").glob("store/index/*/index/*.hashes.npy")))
    assert parts > 2 and len(made) > parts
    for wanted in (1, parts - 1):
        out = tmp_path / f"killed{wanted}"
        assert road.run_and_kill(
            corpus, out, lambda out=out, wanted=wanted: len(list(out.glob("store/index/*/index/*.hashes.npy"))) >= wanted, *words
        )
        assert not list(out.glob("store/index/*/manifest.json"))
        road.run(corpus, out, *words)
        assert road.contents(out) == made
    road.run(corpus, tmp_path / "ray", *words, "engine=ray")
    assert road.contents(tmp_path / "ray") == made


@pytest.mark.system
def test_looks_during_training_survive_a_kill(corpus: Path, tmp_path: Path) -> None:
    """`trainer.eval_every` from the command line: scores live in TensorBoard; killed and resumed, the curve is that of a run that nobody killed."""
    words = (STEPS, "trainer.eval_every=4", "trainer.log_every=2", "trainer.checkpoint_every=0", "evals.bits_per_byte.glimpse_bytes=4000")
    road.run(corpus, tmp_path / "whole", *words)
    out = tmp_path / "out"
    assert road.run_and_kill(corpus, out, lambda: any(row["step"] >= 10 for row in curve(out)), *words)
    killed = looks(out)
    assert {step for step, _ in killed} >= {1, 4, 8}, "seen while it trained"
    assert not list(out.glob("store/pretrain/*/manifest.json"))
    road.run(corpus, out, *words)
    ours, theirs = ([without_times(row) for row in curve(folder)] for folder in (out, tmp_path / "whole"))
    assert ours == theirs and [row["step"] for row in ours] == [1, *range(2, 25, 2)]
    assert looks(out) == looks(tmp_path / "whole") and [step for step, _ in looks(out)] == [1, 4, 8, 12, 16, 20, 24]


def curve(out: Path) -> list[dict[str, Any]]:
    path = next(out.glob("store/pretrain/*/metrics.jsonl"), None)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("seconds", "tokens_per_second", "mfu", "data_wait")}


def looks(out: Path) -> list[tuple[int, float]]:
    """(step, bits per byte) in the events of the last run that trained."""
    events = EventAccumulator(str(sorted(out.glob("runs/*/*/tensorboard"))[-1])).Reload()
    return [(event.step, event.value) for event in events.Scalars("glimpse/bits_per_byte")]
