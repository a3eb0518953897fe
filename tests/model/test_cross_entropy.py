"""The chunked cross-entropy against torch's own, value and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.model import cross_entropy
from minisc.model.cross_entropy import summed_nll


def made(n: int, v: int, h: int = 16) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(n * 1000 + v)
    hidden = torch.randn(n, h, generator=random).requires_grad_()
    weight = torch.randn(v, h, generator=random).requires_grad_()
    targets = torch.randint(0, v, (n,), generator=random, dtype=torch.int32)
    targets[torch.rand(n, generator=random) < 0.3] = -100
    return hidden, weight, targets


def plain(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(hidden @ weight.T, targets.long(), reduction="sum")


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 70), v=st.integers(2, 300), rows=st.integers(1, 80))
def test_value_and_gradients_whatever_the_chunk(n: int, v: int, rows: int) -> None:
    hidden, weight, targets = made(n, v)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cross_entropy.CHUNK_BYTES, "cpu", rows * 4 * v)
        ours = summed_nll(hidden, weight, targets)
        got = torch.autograd.grad(3.0 * ours, [hidden, weight])
    theirs = plain(hidden, weight, targets)
    wanted = torch.autograd.grad(3.0 * theirs, [hidden, weight])
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    for a, b in zip(got, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_huge_logits_stay_finite() -> None:
    hidden, weight, targets = made(8, 50)
    ours = summed_nll(hidden * 200, weight, targets)
    assert torch.isfinite(ours)
    assert ours.item() == pytest.approx(plain(hidden * 200, weight, targets).item(), rel=1e-5)


def test_nothing_inside_the_loss_is_zero() -> None:
    hidden, weight, targets = made(8, 50)
    ours = summed_nll(hidden, weight, torch.full_like(targets, -100))
    grads = torch.autograd.grad(ours, [hidden, weight])
    assert ours.item() == 0.0
    assert all(grad.abs().max() == 0 for grad in grads)


def test_autocast_computes_in_bf16_and_returns_fp32_gradients() -> None:
    hidden, weight, targets = made(64, 100)
    with torch.autocast("cpu", torch.bfloat16):
        ours = summed_nll(hidden, weight, targets)
    grads = torch.autograd.grad(ours, [hidden, weight])
    exact = plain(hidden, weight, targets)
    assert [grad.dtype for grad in grads] == [torch.float32, torch.float32]
    assert ours.dtype == torch.float32
    assert ours.item() == pytest.approx(exact.item(), rel=0.01)
    assert ours.item() != pytest.approx(exact.item(), rel=1e-7)


def test_without_gradients_nothing_is_kept_for_them() -> None:
    hidden, weight, targets = made(8, 50)
    with torch.no_grad():
        assert not summed_nll(hidden, weight, targets).requires_grad
