"""Model sizes as their YAML files give them, and small ones for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from minisc.model.starcoder2 import Starcoder2

CONF = Path(__file__).resolve().parents[2] / "conf" / "model"


def size(name: str) -> Starcoder2:
    """The spec that `model=<name>` composes to."""
    settings: dict[str, Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    for base in settings.pop("defaults", []):
        if base != "_self_":
            settings = yaml.safe_load((CONF / f"{base}.yaml").read_text(encoding="utf-8")) | settings
    settings.pop("_target_")
    return Starcoder2(**settings)


def small(**changes: Any) -> Starcoder2:
    settings: dict[str, Any] = {
        "hidden": 32, "layers": 2, "heads": 4, "kv_heads": 2, "mlp_ratio": 4, "window": None, "rope_theta": 1e5, "norm_eps": 1e-5,
        "max_positions": 128, "init_std": None,
    }  # fmt: skip
    return Starcoder2(**(settings | changes))
