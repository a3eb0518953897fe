"""Checkpoints of a training run: whole or absent, one at a time, and enough to go on bit for bit.

A checkpoint holds the weights, the optimizer's state, the number of steps done and the sums behind the curve's next row.
There is no other state: windows and learning rate follow from the step's number, and nothing in training draws at random.
Read with `weights_only=True`: no code runs on loading. One that belongs to another plan (another batch, another budget) is
left alone and training begins anew.
Rejected: Lightning's own checkpoints (they hold loop counters of several kinds, and are written while hooks still run).
"""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from minisc.core import durable
from minisc.core.errors import DamagedArtifact
from minisc.trainer.batches import Plan

FILE = "checkpoint.pt"
_RESULT = ("seq_len", "windows", "steps", "vocab_size", "repeat")  # of the plan; ranks and micro batches may differ


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    steps_done: int
    seconds: float  # of training, all attempts together
    waited: float  # seconds of them for data
    nll: float
    count: float
    network: dict[str, Any]
    optimizer: dict[str, Any]


def save(scratch: Path, plan: Plan, checkpoint: Checkpoint) -> None:
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__dataclass_fields__}
    with durable.write(scratch / FILE) as temporary:
        torch.save({"plan": _of(plan), **fields}, temporary)


def load(scratch: Path, plan: Plan) -> Checkpoint | None:
    """The last checkpoint of the same plan, on the CPU; None where there is none."""
    if not (scratch / FILE).exists():
        return None
    try:
        stored = torch.load(scratch / FILE, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise DamagedArtifact(
            "a checkpoint holds something else than weights and numbers",
            where=str(scratch / FILE),
            do=f"rm {scratch / FILE}  (training begins anew)",
        ) from error
    return Checkpoint(**stored) if stored.pop("plan") == _of(plan) else None


def _of(plan: Plan) -> dict[str, int]:
    return {name: asdict(plan)[name] for name in _RESULT}
