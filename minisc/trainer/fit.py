"""The trainer as settings: how a model is fitted to tokens.

In: a model's spec, windows of tokens, a budget in tokens. Out: the trained network and its figures; on the way a curve
(`metrics.jsonl`), TensorBoard events and checkpoints.
Guarantees: killed at any time and called again on the same folders, it ends with the same weights bit for bit, on the same
kind of device with the same number of threads; the curve shows every step once. With another micro batch or number of
devices the windows of each step stay the same, and the weights are the same to rounding.
Not in the fingerprint: what machine `auto` finds. A model trained on a CPU is the same model to rounding on a GPU, and nobody
wants to train for days again because torch was updated; the figures record device, format, threads and torch's version. Nor
`eval_every`: the weights are bitwise the same with it and without, and nobody wants to train again in order to look closer;
a model that comes from the store shows the looks that were taken when it was trained.
The work is done in `loop.py`, imported by `train` alone: lightning takes seconds that a plan should not pay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core.artifact import Figures
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.step import Speaker
from minisc.model.base import ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from minisc.trainer.batches import Windows
    from minisc.trainer.look import Looker
    from minisc.trainer.loop import Job

_CHOICES = {
    "optimizer": ("muon", "adamw"), "schedule": ("wsd", "cosine"), "precision": ("auto", "fp32", "bf16"),
    "compile": ("auto", "yes", "no"), "accelerator": ("auto", "cpu", "gpu", "mps"),
}  # fmt: skip
_POSITIVE = ("max_lr", "muon_ratio", "eps", "batch_tokens", "devices", "log_every")
_FROM_ZERO = ("weight_decay", "warmup", "decay", "checkpoint_every", "eval_every", "workers", "fast_dev_run", "overfit_batches")
PROFILERS = (None, "simple", "advanced", "pytorch")
_SHARES = ("muon_momentum", "floor")


@dataclass(frozen=True)
class TrainResult:
    """The network in fp32 on the CPU, in evaluation mode, and what the training came to."""

    module: nn.Module
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Settings of a training run; every one is explained in `conf/trainer/fit.yaml`."""

    version: ClassVar[int] = 2

    optimizer: str
    max_lr: float
    muon_ratio: float
    muon_momentum: float
    betas: Sequence[float]
    eps: float
    weight_decay: float
    clip: float | None
    schedule: str
    warmup: float
    decay: float
    floor: float
    batch_tokens: int
    micro_batch: int | None
    doc_mask: bool
    precision: str
    compile: str
    accelerator: str
    devices: int
    fast_dev_run: bool | int
    overfit_batches: int
    cluster: str | None = free()
    checkpoint_every: float = free()
    log_every: int = free()
    eval_every: int = free()
    workers: int = free()
    profiler: str | None = free()

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                self._refuse(name, f"trainer.{name} has no option {getattr(self, name)!r}", did_you_mean(str(getattr(self, name)), known))
        if self.profiler not in PROFILERS:
            kinds = [name for name in PROFILERS if name]
            self._refuse("profiler", f"trainer.profiler has no option {self.profiler!r}", did_you_mean(str(self.profiler), kinds))
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                self._refuse(name, f"trainer.{name} must be more than zero")
        for name in _FROM_ZERO:
            if not getattr(self, name) >= 0:
                self._refuse(name, f"trainer.{name} must not be negative")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                self._refuse(name, f"trainer.{name} must be at least 0 and below 1")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            self._refuse("betas", "trainer.betas are two numbers of at least 0 and below 1")
        for name in ("clip", "micro_batch"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                self._refuse(name, f"trainer.{name} must be null or more than zero")

    def _refuse(self, name: str, what: str, do: str = "") -> None:
        raise UserError(what, where=f"trainer.{name}={getattr(self, name)}", do=do or f"see trainer.{name} in conf/trainer/fit.yaml")

    def train(
        self, *, spec: ModelSpec, vocab_size: int, windows: Windows, budget_tokens: int, bytes_per_token: float, seed: int, scratch: Path,
        metrics: Path, event_dirs: Path | None, speak: Speaker, init_from: Path | None,
        looker: Looker | None = None,
    ) -> TrainResult:  # fmt: skip
        """Train for `budget_tokens`, rounded up to whole steps; goes on from the checkpoint in `scratch` if there is one.

        `windows.batch(first_index, count)` gives ids, targets and segments, int32 [count, T]; it is asked for any index up to
        the budget. `bytes_per_token` turns the loss into bits per byte. `metrics` is the curve's file, `event_dirs` the
        TensorBoard folder of this run. `init_from`: a model folder to start from instead of random weights. `looker` gives
        the figures of a look every `eval_every` steps (see `look.py`).
        Raises UserError when the windows are longer than the model takes, hold ids outside its vocabulary, when `init_from`
        is another network, when no such accelerator is there, and when training diverges.
        """
        from minisc.trainer import loop

        job = loop.Job(
            spec=spec, vocab_size=vocab_size, windows=windows, budget_tokens=budget_tokens, bytes_per_token=bytes_per_token, seed=seed,
            scratch=scratch, metrics=metrics, event_dir=event_dirs, speak=speak, init_from=init_from,
            looker=looker if self.eval_every else None,
        )  # fmt: skip
        network, figures = self._start()(self, job)
        return TrainResult(network, figures)

    def _start(self) -> Callable[[Fit, Job], tuple[nn.Module, Figures]]:
        if self.cluster is not None:
            from minisc.trainer import ray_ranks

            return ray_ranks.run
        from minisc.trainer import loop, ranks

        return ranks.run if self.devices > 1 else loop.run

    def budget(self, tokens: int, seq_len: int) -> int:
        """The tokens that are trained on: all of them, or the few steps of `fast_dev_run`."""
        step = max(1, self.batch_tokens // seq_len) * seq_len
        return min(tokens, int(self.fast_dev_run) * step) if self.fast_dev_run else tokens

    def told(self) -> dict[str, Any]:
        """The settings, flat, for TensorBoard's table of hyperparameters."""
        return {f"trainer.{name}": getattr(self, name) for name in self.__dataclass_fields__}
