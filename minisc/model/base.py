"""A model as settings, and its weights on disk in the form that the rest of the ecosystem reads.

A `ModelSpec` is a size of an architecture: what it costs is known without torch, the network is built on demand. On disk a
model is a folder with `model.safetensors` (Hugging Face names) and `config.json`; `save` writes it, `load` reads it back,
and so does `transformers.AutoModelForCausalLM`. The same folder form takes published checkpoints in.
Guarantees: nothing is ever unpickled; a folder whose names or shapes do not fit its own config.json is refused, naming them.
A new architecture is a module of this package named like its `model_type`; `load` finds it there, without registration.
"""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core import durable
from minisc.core.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ABC):
    """One size of an architecture. Subclasses are frozen dataclasses of settings."""

    name: ClassVar[str]  # also the module's name in this package, and `model_type` in config.json
    version: ClassVar[int]

    max_positions: int  # the longest text that it takes, in tokens

    @abstractmethod
    def shapes(self, vocab_size: int) -> dict[str, tuple[int, ...]]:
        """Every parameter's name and shape, as Hugging Face names them; tied matrices once."""

    @abstractmethod
    def flops_per_token(self, vocab_size: int, seq_len: int) -> float:
        """Forward and backward, averaged over a causal window of `seq_len` tokens."""

    @abstractmethod
    def activation_bytes_per_token(self) -> int:
        """Roughly what training holds between forward and backward, in bf16; the trainer sizes its micro batches by it."""

    @abstractmethod
    def skeleton(self, vocab_size: int) -> nn.Module:
        """The network without memory for its weights (on torch's meta device); it has `initialize(seed)`."""

    @abstractmethod
    def config(self, vocab_size: int) -> dict[str, Any]:
        """The config.json by which `transformers` builds the same network."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModelSpec:
        """The spec that a config.json describes. Raises BadInput where the network would be another one."""

    def parameters(self, vocab_size: int) -> int:
        return sum(math.prod(shape) for shape in self.shapes(vocab_size).values())

    def build(self, vocab_size: int, seed: int) -> nn.Module:
        """The network in fp32 on the CPU, its weights a function of (spec, vocab_size, seed) alone."""
        module = self.skeleton(vocab_size).to_empty(device="cpu")
        module.initialize(seed)  # type: ignore[operator]
        return module


@dataclass(frozen=True)
class LoadedModel:
    """A network in evaluation mode, with what it is."""

    module: nn.Module
    spec: ModelSpec
    vocab_size: int


def save(folder: Path, module: nn.Module, spec: ModelSpec, vocab_size: int) -> None:
    """Write `model.safetensors` (fp32, or whatever the module holds) and `config.json`, each whole or not at all."""
    from minisc.model import hf_weights

    hf_weights.write(folder / WEIGHTS, module.state_dict(), spec.shapes(vocab_size))
    durable.write_json(folder / CONFIG, spec.config(vocab_size))


def load(folder: Path, device: str | torch.device = "cpu", dtype: torch.dtype | None = None) -> LoadedModel:
    """Read a folder that `save` or `transformers` wrote. `dtype`: of the weights in memory, None for fp32.

    Raises BadInput when the folder is incomplete, of an unknown architecture, or contradicts itself.
    """
    import torch

    from minisc.model import hf_weights

    config = _config(folder / CONFIG)
    spec = _architecture(config).from_config(config)
    vocab_size = int(config["vocab_size"])
    module = spec.skeleton(vocab_size)
    weights = hf_weights.read(folder, spec.shapes(vocab_size))
    module.load_state_dict({name: tensor.to(device, dtype or torch.float32) for name, tensor in weights.items()}, assign=True)
    return LoadedModel(module.eval(), spec, vocab_size)


def spec_of(folder: Path) -> ModelSpec:
    """The size of the model in a folder, from its config.json alone. Raises BadInput as `load` does."""
    config = _config(folder / CONFIG)
    return _architecture(config).from_config(config)


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or not isinstance(config.get("vocab_size"), int):
            raise ValueError("it holds no vocab_size")
    except (OSError, ValueError) as error:
        raise BadInput(
            f"the model's description cannot be read: {error}", where=str(path), do="name a folder with config.json and model.safetensors"
        ) from error
    return config


def _architecture(config: Mapping[str, Any]) -> type[ModelSpec]:
    """The class of this package whose `name` is the config's `model_type`; only our own modules are looked at."""
    wanted = config.get("model_type")
    ours = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    if isinstance(wanted, str) and wanted in ours:
        for value in vars(importlib.import_module(f"minisc.model.{wanted}")).values():
            if isinstance(value, type) and issubclass(value, ModelSpec) and getattr(value, "name", None) == wanted:
                return value
    raise BadInput(f"no architecture is called {wanted!r}", where=CONFIG, do=did_you_mean(str(wanted), {"starcoder2"}))
