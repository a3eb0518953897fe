"""Several ranks on one machine: the same training to rounding, one curve, one end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from minisc.core.errors import UserError
from minisc.trainer.events import read_rows
from tests.silent import Silent
from tests.trainer.made import Counting, fit
from tests.trainer.test_fit import curve, same, train, weights

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.system


def test_two_ranks_learn_what_one_learns_to_rounding(tmp_path: Path) -> None:
    speak = Silent()
    one, two = train(fit(), tmp_path / "one"), train(fit(devices=2), tmp_path / "two", speak=speak)
    for name, tensor in weights(one).items():
        assert torch.allclose(tensor, weights(two)[name], atol=2e-3), name
    for first, second in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert second[:2] == first[:2] and second[2] == pytest.approx(first[2], abs=1e-3)
    assert two.figures["tokens_trained"] == one.figures["tokens_trained"]
    assert sum("training starcoder2" in line for line in speak.lines) == 1
    assert not torch.distributed.is_initialized() and "LOCAL_RANK" not in os.environ


def test_stopped_and_resumed_two_ranks_end_with_the_same_bits(tmp_path: Path) -> None:
    whole = train(fit(devices=2), tmp_path / "whole")
    with pytest.raises(BaseException):  # noqa: B017  whichever of the two meets the other's end first
        train(fit(devices=2, checkpoint_every=0), tmp_path / "cut", windows=Counting(fails_at=45))
    resumed = train(fit(devices=2), tmp_path / "cut")
    assert same(whole, resumed)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")


def test_a_rank_that_dies_takes_the_run_down_with_a_word(tmp_path: Path) -> None:
    def kill() -> None:
        while len(read_rows(tmp_path / "metrics.jsonl")) < 3:
            time.sleep(0.01)
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(UserError, match="one of the 2 ranks of this training died") as caught:
        train(fit(devices=2, log_every=1, checkpoint_every=0), tmp_path, steps=4000)
    assert "goes on from the last checkpoint" in caught.value.do
    assert not multiprocessing.active_children()


def test_when_rank_0_is_killed_the_others_end(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "tests.trainer.victim", str(tmp_path), "2"], cwd=ROOT)
    while len(read_rows(tmp_path / "metrics.jsonl")) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    children = [int(name) for name in (Path("/proc") / str(process.pid) / "task" / str(process.pid) / "children").read_text().split()]
    assert children
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(_runs(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_runs(child) for child in children)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in (Path("/proc") / str(pid) / "status").read_text()
    except OSError:
        return False
