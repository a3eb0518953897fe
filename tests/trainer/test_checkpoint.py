"""Checkpoints: whole, of the same plan, and without code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from minisc.core.errors import DamagedArtifact
from minisc.trainer import checkpoint
from minisc.trainer.batches import Plan
from minisc.trainer.checkpoint import Checkpoint

PLAN = Plan(seq_len=8, windows=4, steps=10, micro_batches=2, vocab_size=9)
STATE = Checkpoint(steps_done=3, seconds=1.5, waited=0.5, nll=2.0, count=7.0, network={"w": torch.arange(3.0)}, optimizer={"parts": []})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path, PLAN) is None
    checkpoint.save(tmp_path, PLAN, STATE)
    found = checkpoint.load(tmp_path, PLAN)
    assert found is not None
    assert torch.equal(found.network["w"], torch.arange(3.0))
    assert replace(found, network={}) == replace(STATE, network={})


@pytest.mark.parametrize(
    ("change", "taken"), [({"micro_batches": 4}, True), ({"ranks": 2}, True), ({"steps": 11}, False), ({"windows": 8}, False)]
)
def test_it_belongs_to_a_plan(change: dict[str, int], taken: bool, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, PLAN, STATE)
    assert (checkpoint.load(tmp_path, replace(PLAN, **change)) is not None) is taken


def test_a_torn_write_leaves_the_last_one(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, PLAN, STATE)
    torn = tmp_path / f"{checkpoint.FILE}.1234.writing"
    torn.write_bytes(b"half")
    assert checkpoint.load(tmp_path, PLAN) is not None  # the runner sweeps the step's folder before it runs


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("code ran",))


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(Hostile(), tmp_path / checkpoint.FILE)
    with pytest.raises(DamagedArtifact, match="something else than weights"):
        checkpoint.load(tmp_path, PLAN)
    assert "code ran" not in capsys.readouterr().out
