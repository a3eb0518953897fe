"""Windows to train on, made from integers, and the trainer's settings as tests want them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from minisc.model.starcoder2 import Starcoder2
from minisc.trainer.fit import Fit
from tests.model.sizes import small

VOCAB = 64
CONF = Path(__file__).resolve().parents[2] / "conf" / "trainer"


class Interrupted(Exception):
    """Raised by `Counting` in place of a kill."""


@dataclass
class Counting:
    """Window i counts up from a number of its own, in two documents; the first targets lie outside the loss. Easy to learn."""

    seq_len: int = 16
    fails_at: int | None = None  # the window at which reading stops the run

    def batch(self, first_index: int, count: int) -> Mapping[str, np.ndarray]:
        if self.fails_at is not None and first_index + count > self.fails_at:
            raise Interrupted
        starts = np.array([np.random.default_rng((9, index)).integers(VOCAB) for index in range(first_index, first_index + count)])
        ids = ((starts[:, None] + np.arange(self.seq_len + 1)) % VOCAB).astype(np.int32)
        targets = ids[:, 1:].copy()
        targets[np.arange(self.seq_len) < starts[:, None] % 4] = -100
        segments = np.tile((np.arange(self.seq_len) >= self.seq_len // 2).astype(np.int32), (count, 1))
        return {"ids": ids[:, :-1], "targets": targets, "segments": segments}


def settings(option: str = "fit") -> dict[str, Any]:
    """What `trainer=<option>` composes to."""
    own: dict[str, Any] = yaml.safe_load((CONF / f"{option}.yaml").read_text(encoding="utf-8"))
    for base in own.pop("defaults", []):
        if base != "_self_":
            own = yaml.safe_load((CONF / f"{base}.yaml").read_text(encoding="utf-8")) | own
    return own


def fit(**changes: Any) -> Fit:
    quick = {"accelerator": "cpu", "batch_tokens": 6 * 16, "micro_batch": 2, "log_every": 5, "precision": "fp32"}
    chosen = settings() | quick | changes
    chosen.pop("_target_")
    return Fit(**chosen)


def spec() -> Starcoder2:
    return small(max_positions=32)
