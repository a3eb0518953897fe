"""A real tokenizer of a few hundred tokens and a real network of a few thousand weights, both made in milliseconds."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import torch
from torch import nn

from minisc.model.starcoder2 import Starcoder2
from minisc.tokenizer.base import Tokenizer
from minisc.tokenizer.bpe import Bpe
from tests.silent import Silent

TEXTS = [
    "def add(a, b):\n    return a + b\n\n\nclass Stack:\n    def __init__(self):\n        self.items = []\n",
    "import os\n\n\ndef walk(folder):\n    for name in os.listdir(folder):\n        print(name)\n    return None\n",
    "x = {'gr\u00f6\u00dfe': 1, '\u03bb': 2, '\U0001f600': 3}\nfor key, value in x.items():\n    print(key, value)\n",
] * 8


@functools.cache
def tokenizer() -> Tokenizer:
    folder = Path(tempfile.mkdtemp(prefix="minisc-test-tokenizer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Bpe(vocab_size=400, train_bytes=1_000_000, min_frequency=2, shrink=False, seed=0).train(TEXTS, folder, Silent())
    loaded = Tokenizer.load(folder)
    assert loaded.vocab_size > 300
    return loaded


@functools.cache
def network(*, window: int | None = None, max_positions: int = 128, vocabulary: int | None = None, seed: int = 1) -> nn.Module:
    """Weights four times the usual size, so that the distributions are far from flat."""
    spec = Starcoder2(
        hidden=32, layers=2, heads=4, kv_heads=2, mlp_ratio=4, window=window, rope_theta=10_000.0, norm_eps=1e-5, init_std=0.7,
        max_positions=max_positions,
    )  # fmt: skip
    return spec.build(vocabulary or tokenizer().vocab_size, seed).eval()


def naive_logits(module: nn.Module, ids: list[int]) -> torch.Tensor:
    """Of the next token, from the whole text at once: no batch, no cache, no padding."""
    with torch.inference_mode():
        return module(torch.tensor([ids]))[0, -1]
