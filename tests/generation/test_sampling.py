"""Draws follow the distribution that is left, and depend on nothing but seed, key and place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.generation.sampling import Sampling, draw, uniforms

LOGITS = torch.tensor([[0.0, 2.0, 1.0, -1.0, 3.0, 1.0]])


def drawn(top_k: int, top_p: float, draws: int = 20_000) -> np.ndarray:
    uniform = torch.from_numpy(uniforms(0, 0, draws))
    return np.bincount(draw(LOGITS.expand(draws, -1), uniform, top_k, top_p).numpy(), minlength=6) / draws


def expected(kept: list[int]) -> np.ndarray:
    weights = torch.softmax(LOGITS[0].double(), 0).numpy().copy()
    weights[[at for at in range(6) if at not in kept]] = 0
    return weights / weights.sum()


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [
        (0, 1.0, [0, 1, 2, 3, 4, 5]),
        (3, 1.0, [4, 1, 2]),
        (1, 1.0, [4]),
        (99, 1.0, [0, 1, 2, 3, 4, 5]),
        (0, 0.6, [4, 1]),
        (0, 0.01, [4]),
        (2, 0.9, [4, 1]),
    ],
)
def test_draws_follow_what_top_k_and_top_p_leave(top_k: int, top_p: float, kept: list[int]) -> None:
    assert np.abs(drawn(top_k, top_p) - expected(kept)).max() < 0.01  # 3 standard errors of 20,000 draws


def test_it_keeps_the_same_tokens_as_transformers() -> None:
    from transformers import TopKLogitsWarper, TopPLogitsWarper

    torch.manual_seed(0)
    logits = torch.randn(64, 50) * 3
    uniform = torch.linspace(0, 1 - 1e-12, 4001, dtype=torch.float64)
    for top_k, top_p in ((0, 0.9), (5, 1.0), (7, 0.8), (0, 0.3)):
        theirs = TopKLogitsWarper(top_k)(None, logits) if top_k else logits
        theirs = TopPLogitsWarper(top_p)(None, theirs) if top_p < 1 else theirs
        for row in range(0, 64, 8):
            ours = set(draw(logits[row].expand(len(uniform), -1), uniform, top_k, top_p).tolist())
            kept = torch.softmax(theirs[row].double(), -1)
            assert ours <= set(kept.nonzero().flatten().tolist())
            assert {token for token in range(50) if kept[token] > 1 / 4000} <= ours


@given(seed=st.integers(0, 2**63 - 1), key=st.integers(0, 2**40), count=st.integers(1, 200), more=st.integers(0, 50))
@settings(deadline=None, max_examples=50)
def test_a_number_depends_on_seed_key_and_place_alone(seed: int, key: int, count: int, more: int) -> None:
    short, long = uniforms(seed, key, count), uniforms(seed, key, count + more)
    assert (short == long[:count]).all()
    assert ((short >= 0) & (short < 1)).all()


def test_the_stream_is_the_published_philox() -> None:
    """Golden numbers: a change would change every sampled text."""
    assert uniforms(0, 0, 2).tolist() == [0.011546754286331562, 0.24154919656271812]
    assert uniforms(1, 2, 1)[0] != uniforms(2, 1, 1)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_new_tokens", 0),
        ("temperature", -1.0),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("repetition_penalty", 0.0),
        ("stop", ("a", "")),
        ("seed", -1),
        ("long_prompt", "drop"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(UserError) as caught:
        Sampling(**{"max_new_tokens": 4, name: value})
    assert caught.value.what.startswith(name) and name in caught.value.where


def test_a_draw_at_the_very_end_stays_inside() -> None:
    assert int(draw(LOGITS, torch.tensor([1 - 2**-53], dtype=torch.float64), 0, 1.0)) == 5
    assert int(draw(LOGITS, torch.tensor([1 - 2**-53], dtype=torch.float64), 0, 0.5)) == 4
