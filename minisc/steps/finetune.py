"""finetune: a trained model taken further, on other tokens.

In: a model (`inputs.model=…`, or made earlier in the run) and tokens that its own tokenizer made; `pack` takes the tokenizer
of an explicit model by itself. Out: a `model` artifact as `pretrain` makes it; its size is the given model's, whatever
`model=` says. The learning rate wants to be lower than in pretraining: `trainer=tune`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from minisc.core.artifact import Figures, Work
from minisc.core.step import Context, Cost, Inputs, Need
from minisc.model.base import spec_of
from minisc.steps.training import Training, check_length


@dataclass(frozen=True, kw_only=True)
class Finetune(Training):
    version: ClassVar[int] = 1
    needs: ClassVar[Mapping[str, Need]] = {"model": Need("model"), "tokens": Need("tokens", many=True)}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return Cost(remark=f"{inputs['model'].get('parameters', 0) / 1e6:.1f}M parameters, {self.budget} tokens")

    def run(self, work: Work, inputs: Inputs) -> Figures:
        start = inputs["model"]
        for name in ("config.json", "model.safetensors"):
            start.file(name)
        spec = spec_of(start.path)
        check_length(self.tokens, spec)
        return self.train(work, inputs["tokens"], spec, init_from=start.path)
