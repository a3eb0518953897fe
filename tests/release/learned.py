"""A tokenizer learned from generated code, and a small model, for tests of what leaves the house."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minisc.model.starcoder2 import Starcoder2
from minisc.tokenizer.bpe import Bpe
from tests import small_corpus
from tests.silent import Silent

SPEC = Starcoder2(
    hidden=64, layers=2, heads=4, kv_heads=2, mlp_ratio=2, window=None, rope_theta=1e5, norm_eps=1e-5, max_positions=128, init_std=None
)


def tokenizer(folder: Path, size: int = 384) -> Path:
    texts = [small_corpus.module(repo, number) for repo in range(8) for number in range(4)]
    Bpe(vocab_size=size, train_bytes=10**6, min_frequency=2, shrink=False, seed=0).train(texts, folder, Silent())
    return folder / "tokenizer.json"


def tensors(vocab_size: int = 384, spec: Starcoder2 = SPEC) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in spec.shapes(vocab_size).items()}
