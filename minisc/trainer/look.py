"""A look at the network while it trains: figures beside the curve, and training goes on as if nobody had looked.

In: the trainer's module at a step. Out: figures, `glimpse/<name>`, that `Watch` puts into the row of that step.
Guarantees: the weights after training are bitwise those of a training without looks (a test holds it). What is looked at is a
copy: nothing is compiled, cast or switched in the original; torch's random numbers are put back, and the time counts neither
as training nor as waiting.
When: after step 1, so that what an evaluation lacks stops the run in its first seconds; then every `every` steps, and after the
last. Price: a copy of the weights, and the time that the figures take; other ranks wait meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from minisc.model.base import LoadedModel, ModelSpec

PREFIX = "glimpse/"
Looker = Callable[[LoadedModel, int], Mapping[str, float]]  # a network in evaluation mode, and the step


@dataclass(frozen=True, kw_only=True)
class Look:
    every: int
    steps: int  # of the whole training
    spec: ModelSpec
    vocab_size: int
    figures: Looker

    def due(self, step: int) -> bool:
        return step in (1, self.steps) or step % self.every == 0

    def take(self, network: nn.Module, step: int) -> tuple[dict[str, float], float]:
        """The figures, and the seconds that they took."""
        began = time.perf_counter()
        device = next(network.parameters()).device
        copy = self.spec.skeleton(self.vocab_size)
        copy.load_state_dict({name: tensor.detach().clone() for name, tensor in network.state_dict().items()}, assign=True)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            found = self.figures(LoadedModel(copy.eval(), self.spec, self.vocab_size), step)
        return {PREFIX + name: value for name, value in found.items()}, time.perf_counter() - began
