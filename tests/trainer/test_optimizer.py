"""Which parameter goes to which rule, and what the rules do to it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from minisc.trainer import optimizer
from tests.model.sizes import small

SETTINGS: dict[str, Any] = {
    "max_lr": 1e-2, "muon_ratio": 0.5, "muon_momentum": 0.95, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1,
}  # fmt: skip


def network() -> torch.nn.Module:
    return small().build(50, seed=0)


def backward(net: torch.nn.Module, seed: int = 0) -> None:
    random = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=random)


def test_hidden_matrices_are_told_from_all_else() -> None:
    net = network()
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    matrices, rest = optimizer.divided(net)
    assert {names[id(p)].rpartition(".")[0].rpartition(".")[2] for p in matrices} == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "c_fc",
        "c_proj",
    }
    assert len(matrices) == 2 * 6
    assert "model.embed_tokens.weight" in {names[id(p)] for p in rest}
    assert len(matrices) + len(rest) == len(names)


@pytest.mark.parametrize("kind", optimizer.KINDS)
def test_groups_have_their_own_rates_and_decay(kind: str) -> None:
    groups = optimizer.build(network(), kind=kind, **SETTINGS).param_groups
    matrices = next(group for group in groups if group["weight_decay"])
    rest = next(group for group in groups if not group["weight_decay"])
    assert {parameter.ndim for parameter in matrices["params"]} == {2}
    assert matrices["top_lr"] == (0.5e-2 if kind == "muon" else 1e-2)
    assert rest["top_lr"] == 1e-2


def test_muon_turns_a_matrix_by_an_almost_orthogonal_step() -> None:
    net = network()
    before = copy.deepcopy(net.state_dict())
    made = optimizer.build(net, kind="muon", **(SETTINGS | {"weight_decay": 0.0}))
    backward(net)
    made.step()
    name = "model.layers.0.mlp.c_fc.weight"  # [128, 32]
    change = before[name] - net.state_dict()[name]
    values = torch.linalg.svdvals(change / (0.5e-2 * 0.2 * 128**0.5))  # the update's own scale, arXiv 2502.16982
    assert 0.5 < values.min() < values.max() < 1.3
    vector = "model.norm.weight"
    assert torch.allclose((before[vector] - net.state_dict()[vector]).abs(), torch.tensor(1e-2), rtol=1e-3)  # AdamW's first step: lr * sign


@pytest.mark.parametrize("kind", optimizer.KINDS)
def test_state_goes_away_and_comes_back(kind: str) -> None:
    straight, broken = network(), network()
    first, second = (optimizer.build(net, kind=kind, **SETTINGS) for net in (straight, broken))
    for net, rule in ((straight, first), (broken, second)):
        backward(net)
        rule.step()
    again = optimizer.build(broken, kind=kind, **SETTINGS)
    again.load_state_dict(copy.deepcopy(second.state_dict()))
    for rule in (first, again):
        for group in rule.param_groups:  # the groups that are shown are those that count
            group["lr"] = 0.3 * group["top_lr"]
    for net, rule in ((straight, first), (broken, again)):
        backward(net, seed=1)
        rule.step()
    for name, tensor in straight.state_dict().items():
        assert torch.equal(tensor, broken.state_dict()[name]), name


def test_gradients_are_scaled_then_clipped() -> None:
    net = network()
    parameters = list(net.parameters())
    backward(net)
    norm = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm()
    assert optimizer.rescale(parameters, torch.tensor(0.25), None).item() == pytest.approx(0.25 * norm.item(), rel=1e-5)
    assert optimizer.rescale(parameters, torch.tensor(1.0), 0.5).item() == pytest.approx(0.25 * norm.item(), rel=1e-5)
    clipped = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm()
    assert clipped.item() == pytest.approx(0.5, rel=1e-4)
