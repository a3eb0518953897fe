"""The Lightning module: one micro batch forward, one optimizer step, and the numbers that come of it.

Guarantees: the gradient of a step is that of the mean over all its targets, however many micro batches and ranks it is cut
into: each micro batch contributes its *sum* over the planned number of tokens, and the step corrects planned by actual.
The learning rate is set from the step's number. What is counted since the last row of the curve lives here, as numbers
that a checkpoint takes along.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from minisc.trainer import optimizer as rules
from minisc.trainer.batches import Batch, Plan


class Training(lightning.LightningModule):
    """`network.loss(ids, targets, segments)` gives (summed nll, count)."""

    def __init__(
        self, network: nn.Module, plan: Plan, *, make_optimizer: Callable[[nn.Module], rules.Together], rate: Callable[[int], float],
        clip: float | None, doc_mask: bool, done: int, optimizer_state: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.plan = network, plan
        self.done = done  # optimizer steps, those before a resume included
        self.nll, self.count = torch.zeros(()), torch.zeros(())  # over all ranks, since the last row of the curve
        self.grad_norm = torch.zeros(())
        self._step = torch.zeros(2)  # nll and count of this rank in the step under way
        self._make_optimizer, self._rate, self._clip, self._doc_mask = make_optimizer, rate, clip, doc_mask
        self._optimizer_state = optimizer_state

    def configure_optimizers(self) -> rules.Together:
        optimizer = self._make_optimizer(self.network)
        if self._optimizer_state is not None:
            optimizer.load_state_dict(self._optimizer_state)
            self._optimizer_state = None
        return optimizer

    def training_step(self, batch: Batch, index: int) -> Tensor:
        nll, count = self.network.loss(batch["ids"], batch["targets"], batch["segments"] if self._doc_mask else None)  # type: ignore[operator]
        self._step = self._step.to(nll.device) + torch.stack([nll.detach().float(), count.float()])
        mine = self.plan.tokens_per_step / self.plan.ranks
        return nll * (self.plan.micro_batches / mine)  # Lightning divides by the number of micro batches

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        nll, count = self._sum(self._step)
        self._step = torch.zeros_like(self._step)
        self.nll, self.count = self.nll.to(nll.device) + nll, self.count.to(nll.device) + count
        self.grad_norm = rules.rescale(list(self.network.parameters()), self.plan.tokens_per_step / count.clamp(min=1), self._clip)
        factor = self._rate(self.done)
        for group in optimizer.param_groups:
            group["lr"] = group["top_lr"] * factor

    def take_loss(self) -> float:
        """Nats a token since it was last called, over all ranks."""
        loss = float(self.nll) / max(1.0, float(self.count))
        self.nll, self.count = torch.zeros_like(self.nll), torch.zeros_like(self.count)
        return loss

    def _sum(self, value: Tensor) -> Tensor:
        return value if self.plan.ranks == 1 else self.trainer.strategy.reduce(value, reduce_op="sum")
