"""pretrain: a model from nothing, on token shards. What it shares with `finetune` is told in `training.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from minisc.core.artifact import Figures, Work
from minisc.core.step import Context, Cost, Inputs, Need
from minisc.model.base import ModelSpec
from minisc.steps.training import Training, check_length


@dataclass(frozen=True, kw_only=True)
class Pretrain(Training):
    version: ClassVar[int] = 1
    needs: ClassVar[Mapping[str, Need]] = {"tokens": Need("tokens", many=True)}

    model: ModelSpec

    def __post_init__(self) -> None:
        check_length(self.tokens, self.model)

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return self.training_cost(self.model, inputs["tokens"])

    def run(self, work: Work, inputs: Inputs) -> Figures:
        return self.train(work, inputs["tokens"], self.model, init_from=None)
