"""pretrain: a model from nothing, on token shards.

In: tokens (one artifact, or several of a mixture). Out: a `model` artifact that carries its tokenizer: model.safetensors,
config.json, tokenizer.json, metrics.jsonl (the whole curve). TensorBoard events are written into the run's folder, live
while training, replayed from the curve when the step comes from the store.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.budget import tokens_of
from minisc.core.errors import UserError
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.model.base import ModelSpec
from minisc.tokens.reader import Reader
from minisc.trainer.fit import Fit

EVENTS = "tensorboard"


@dataclass(frozen=True, kw_only=True)
class Pretrain(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("model", "tokenizer")
    needs: ClassVar[Mapping[str, Need]] = {"tokens": Need("tokens", many=True)}

    model: ModelSpec
    tokens: Reader
    trainer: Fit
    budget: str
    seed: int

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        vocabulary = round(inputs["tokens"].get("vocabulary", 0)) or 49_152
        parameters = self.model.parameters(vocabulary)
        budget = tokens_of(self.budget, parameters)
        flops = budget * self.model.flops_per_token(vocabulary, self.tokens.seq_len)
        epochs = budget / max(1.0, inputs["tokens"].get("tokens", 0))
        return Cost(
            seconds=self.trainer.seconds(flops), flops=flops, tokens=budget, disk_bytes=parameters * 16, expect={"parameters": parameters},
            remark=f"{parameters / 1e6:.1f}M parameters, {epochs:.1f} epochs",
        )  # fmt: skip

    def run(self, work: Work, inputs: Inputs) -> Figures:
        raise UserError("x")

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        pass
