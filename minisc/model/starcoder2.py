"""The StarCoder2 architecture as settings: what it costs, what its parameters are called, how Hugging Face describes it.

In: a size (`conf/model/*.yaml`). Out: parameter shapes, FLOPs, a config.json, and the network itself (`skeleton`, `build`).
Guarantees: everything but those two works without torch, so that a plan costs nothing; the names and shapes are those of
`transformers.Starcoder2ForCausalLM`, so that weights need no translation in either direction (a test holds it).
The network stands in `starcoder2_module.py`, which `skeleton` alone imports. Two files because importing torch takes
seconds that a cached run or a plan should not pay.
Source: arXiv 2402.19173; config.json of bigcode/starcoder2-3b, -7b and -15b.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core.errors import BadInput, UserError
from minisc.model.base import ModelSpec

if TYPE_CHECKING:
    from minisc.model.starcoder2_module import Starcoder2Module

_EXACT = {  # fields of config.json that have one value here: another one is another network
    "model_type": "starcoder2", "hidden_act": "gelu_pytorch_tanh", "use_bias": True, "tie_word_embeddings": True,
}  # fmt: skip
_ROPE_TYPE = "default"


@dataclass(frozen=True, kw_only=True)
class Starcoder2(ModelSpec):
    """One size of the architecture; the vocabulary comes with the tokenizer."""

    name: ClassVar[str] = "starcoder2"
    version: ClassVar[int] = 1

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp_ratio: int
    window: int | None
    rope_theta: float
    norm_eps: float
    init_std: float | None

    def __post_init__(self) -> None:
        for field in ("hidden", "layers", "heads", "kv_heads", "mlp_ratio", "max_positions", "rope_theta", "norm_eps"):
            _refuse(field, getattr(self, field), getattr(self, field) > 0, "must be more than zero")
        _refuse(
            "heads", self.heads, self.hidden % (2 * self.heads) == 0, f"must divide model.hidden={self.hidden} into heads of even width"
        )
        _refuse("kv_heads", self.kv_heads, self.heads % self.kv_heads == 0, f"must divide model.heads={self.heads}")
        _refuse("window", self.window, self.window is None or self.window > 0, "must be null or more than zero")
        _refuse("init_std", self.init_std, self.init_std is None or self.init_std > 0, "must be null or more than zero")

    @property
    def deviation(self) -> float:
        """Of the initial weights: 1/sqrt(hidden) fits every published BigCode model (3072 -> 0.018042, 6144 -> 0.01275)."""
        return 1.0 / math.sqrt(self.hidden) if self.init_std is None else self.init_std

    def shapes(self, vocab_size: int) -> dict[str, tuple[int, ...]]:
        H, KV, M = self.hidden, self.kv_heads * (self.hidden // self.heads), self.mlp_ratio * self.hidden
        linears = {
            "self_attn.q_proj": (H, H), "self_attn.k_proj": (KV, H), "self_attn.v_proj": (KV, H), "self_attn.o_proj": (H, H),
            "mlp.c_fc": (M, H), "mlp.c_proj": (H, M),
        }  # fmt: skip
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocab_size, H)}
        for index in range(self.layers):
            layer = f"model.layers.{index}"
            for name, shape in linears.items():
                shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
            for name in ("input_layernorm", "post_attention_layernorm"):
                shapes |= {f"{layer}.{name}.weight": (H,), f"{layer}.{name}.bias": (H,)}
        return shapes | {"model.norm.weight": (H,), "model.norm.bias": (H,)}

    def flops_per_token(self, vocab_size: int, seq_len: int) -> float:
        """6 a parameter (the tied matrix works as the head) and 12 a layer, channel and token attended to (arXiv 2001.08361, 2204.02311)."""
        seen = seq_len / 2 if self.window is None or self.window >= seq_len else self.window * (1 - self.window / (2 * seq_len))
        return 6.0 * self.parameters(vocab_size) + 12.0 * self.layers * self.hidden * seen

    def activation_bytes_per_token(self) -> int:
        """Counted a layer: residuals and norms 16 H bytes, q, k, v and attention 8 H, the MLP before and after GELU 16 H."""
        return 40 * self.hidden * self.layers

    def skeleton(self, vocab_size: int) -> Starcoder2Module:
        import torch

        from minisc.model.starcoder2_module import Starcoder2Module

        with torch.device("meta"):
            return Starcoder2Module(self, vocab_size)

    def config(self, vocab_size: int) -> dict[str, Any]:
        return {
            **_EXACT,
            "architectures": ["Starcoder2ForCausalLM"],
            "vocab_size": vocab_size,
            "hidden_size": self.hidden,
            "intermediate_size": self.mlp_ratio * self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "max_position_embeddings": self.max_positions,
            "initializer_range": self.deviation,
            "norm_epsilon": self.norm_eps,
            "sliding_window": self.window,
            "rope_theta": self.rope_theta,  # transformers 4, vLLM, llama.cpp
            "rope_parameters": {"rope_type": _ROPE_TYPE, "rope_theta": self.rope_theta},  # transformers 5
            "attention_dropout": 0.0, "residual_dropout": 0.0, "embedding_dropout": 0.0,
            "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None,  # the class's own default, 50256, lies outside the vocabulary
            "use_cache": True,
            "dtype": "float32", "torch_dtype": "float32",
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Starcoder2:
        wrong = {key: config[key] for key, value in _EXACT.items() if config.get(key, value) != value}
        rope = config.get("rope_parameters") or {}
        if config.get("rope_scaling") or rope.get("rope_type", _ROPE_TYPE) != _ROPE_TYPE:
            wrong["rope_parameters"] = rope or config["rope_scaling"]
        if wrong:
            raise BadInput(
                f"this is not the StarCoder2 network: {wrong}", where="config.json", do="choose a checkpoint of a StarCoder2 model"
            )
        try:
            return cls(
                hidden=config["hidden_size"],
                layers=config["num_hidden_layers"],
                heads=config["num_attention_heads"],
                kv_heads=config["num_key_value_heads"],
                mlp_ratio=_whole(config["intermediate_size"], config["hidden_size"]),
                window=config.get("sliding_window"),
                rope_theta=config["rope_theta"] if "rope_theta" in config else rope["rope_theta"],
                norm_eps=config["norm_epsilon"],
                max_positions=config["max_position_embeddings"],
                init_std=_unless_usual(config.get("initializer_range"), config["hidden_size"]),
            )
        except UserError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"config.json lacks a value or holds a wrong one: {error}", where="config.json") from error


def _refuse(field: str, value: object, right: bool, rule: str) -> None:
    if not right:
        raise UserError(
            f"model.{field} {rule}", where=f"model.{field}={value}", do=f"give another model.{field}, or choose a size: model=tiny"
        )


def _unless_usual(deviation: float | None, hidden: int) -> float | None:
    return None if deviation == 1.0 / math.sqrt(hidden) else deviation


def _whole(intermediate: int, hidden: int) -> int:
    if intermediate % hidden:
        raise ValueError(f"intermediate_size={intermediate} is no multiple of hidden_size={hidden}")
    return intermediate // hidden
