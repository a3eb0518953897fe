"""kill -9 in the middle of collect, curate, pack and pretrain, and at random moments: run again, the same bytes."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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
