"""What happens around optimizer steps: the curve, the bar, the check for NaN, the checkpoint.

`Watch` writes a row of the curve every `log_every` steps, with what a look found where one is due, and advances the bar; `Keep` writes a checkpoint when `checkpoint_every`
seconds have passed, and after the last step. Both act on whole optimizer steps only.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from minisc.core import mirror
from minisc.core.errors import UserError
from minisc.core.step import Bar
from minisc.trainer import checkpoint as checkpoints
from minisc.trainer.batches import Loader, Plan
from minisc.trainer.checkpoint import Checkpoint
from minisc.trainer.events import Events, Row, line
from minisc.trainer.look import Look
from minisc.trainer.module import Training


class StepCallback(lightning.Callback):
    """A callback that hears of optimizer steps instead of micro batches."""

    def on_train_batch_end(self, trainer: Any, module: Training, outputs: Any, batch: Any, index: int) -> None:  # type: ignore[override]
        if (index + 1) % module.plan.micro_batches == 0:
            self.on_step(trainer, module)

    def on_step(self, trainer: Any, module: Training) -> None:
        raise NotImplementedError


class Count(StepCallback):
    """Counts the optimizer steps done; stands first, so that the others see the step that has just been made."""

    def on_step(self, trainer: Any, module: Training) -> None:
        module.done += 1


@dataclass
class Clock:
    """Seconds of training and of waiting for data, over all attempts, on this process's monotonic clock."""

    earlier: float
    earlier_wait: float
    loader: Loader
    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        return self.earlier + time.perf_counter() - self.start

    def skip(self, seconds: float) -> None:
        """What has just passed was no training."""
        self.start += seconds

    @property
    def waited(self) -> float:
        return self.earlier_wait + self.loader.waited


class Watch(StepCallback):
    """Rows of the curve and the bar; stops training when the loss is no number."""

    def __init__(
        self, clock: Clock, bar: Bar, metrics: Path, events: Events | None, *, log_every: int, bytes_per_token: float,
        flops_per_token: float, peak_flops: float | None, plan: Plan, look: Look | None = None,
    ) -> None:  # fmt: skip
        self._clock, self._bar, self._metrics, self._events = clock, bar, metrics, events
        self._log_every, self._plan, self._bytes_per_token = log_every, plan, bytes_per_token
        self._flops_per_token, self._look = flops_per_token, look
        self._peak = peak_flops * plan.ranks if peak_flops else None
        self._mark: tuple[int, float, float] | None = None  # step, seconds, waited at the last row
        self._pending: tuple[int, Tensor] | None = None
        self.last: dict[str, Any] = {}

    def on_train_start(self, trainer: Any, module: Training) -> None:  # type: ignore[override]
        self._mark = (module.done, self._clock.seconds, self._clock.waited)

    def on_step(self, trainer: Any, module: Training) -> None:
        looks = self._look is not None and self._look.due(module.done)
        due = module.done == 1 or module.done % self._log_every == 0 or module.done == self._plan.steps or looks
        self._check(module, now=due)
        if due:
            row = self._row(trainer, module)
            self._write(row | self._seen(module) if looks and not trainer.global_rank else row, rank=trainer.global_rank)
        self._bar.advance(self._plan.tokens_per_step)

    def _check(self, module: Training, *, now: bool) -> None:
        """Look at the gradient's norm one step late, so that a GPU never waits for it; at once where a row is due."""
        earlier, self._pending = self._pending, (module.done, module.grad_norm)
        for step, norm in filter(None, (earlier, self._pending if now else None)):
            if not math.isfinite(float(norm)):
                what = f"the gradient is no number any more at step {step} of {self._plan.steps}: training has diverged"
                raise UserError(
                    what, where="trainer.max_lr", do="try a lower trainer.max_lr, a longer trainer.warmup, or trainer.precision=fp32"
                )

    def _row(self, trainer: Any, module: Training) -> dict[str, Any]:
        assert self._mark is not None, "training has not begun"
        (step, seconds, waited), now = self._mark, (module.done, self._clock.seconds, self._clock.waited)
        self._mark = now
        loss, passed = module.take_loss(), max(1e-9, now[1] - seconds)
        rate = (now[0] - step) * self._plan.tokens_per_step / passed
        return {
            "step": now[0],
            "tokens": now[0] * self._plan.tokens_per_step,
            "loss": loss,  # nats a token, mean since the last row
            "bits_per_byte": loss / math.log(2) / self._bytes_per_token,
            "lr": trainer.optimizers[0].param_groups[-1]["lr"],
            "grad_norm": float(module.grad_norm),  # of the last step, before clipping
            "tokens_per_second": rate,
            "mfu": rate * self._flops_per_token / self._peak if self._peak else None,
            "data_wait": (now[2] - waited) / passed,
            "seconds": now[1],
        }

    def _seen(self, module: Training) -> dict[str, float]:
        assert self._look is not None, "somebody looks"
        figures, seconds = self._look.take(module.network, module.done)
        self._clock.skip(seconds)
        return figures

    def _write(self, row: Row, rank: int) -> None:
        self.last = dict(row)
        if rank:
            return
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(line(row))
        if self._events is not None:
            self._events.row(row)
        mfu = f"  MFU {row['mfu']:.0%}" if row["mfu"] is not None else ""
        self._bar.say(f"loss {row['loss']:.3f}  {row['bits_per_byte']:.3f} bits/byte  lr {row['lr']:.2g}{mfu}")


class Keep(StepCallback):
    """Atomic checkpoints in `scratch`; where the store lies elsewhere, the curve goes there first, so that it is never behind."""

    def __init__(self, clock: Clock, metrics: Path, scratch: Path, every_seconds: float) -> None:
        self._clock, self._metrics, self._scratch, self._every = clock, metrics, scratch, every_seconds
        self._last = time.perf_counter()

    def on_step(self, trainer: Any, module: Training) -> None:
        due = time.perf_counter() - self._last >= self._every or module.done == module.plan.steps
        if not due or trainer.global_rank or not torch.isfinite(module.grad_norm):
            return
        mirror.put(self._metrics, self._metrics)
        checkpoints.save(self._scratch, module.plan, Checkpoint(
            steps_done=module.done, seconds=self._clock.seconds, waited=self._clock.waited, nll=float(module.nll), count=float(module.count),
            network=module.network.state_dict(), optimizer=trainer.optimizers[0].state_dict(),
        ))  # fmt: skip
        self._last = time.perf_counter()
