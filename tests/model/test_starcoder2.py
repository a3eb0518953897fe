"""StarCoder2 as settings and as a network: sizes, costs, masks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import transformers

from minisc.core.errors import BadInput, UserError
from minisc.model.starcoder2 import Starcoder2
from tests.model.sizes import size, small

V = 49152
SIZES = {"20m": 19_823_104, "60m": 58_267_648, "200m": 204_639_232, "500m": 506_319_872, "starcoder2": 3_030_371_328}
VOCAB = 61


def network(spec: Starcoder2) -> Any:
    return spec.build(VOCAB, seed=1).eval()


def ids(*shape: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("name", "parameters"), SIZES.items())
def test_sizes_have_the_published_parameter_counts(name: str, parameters: int) -> None:
    spec = size(name)
    h, kv, layers = spec.hidden, spec.kv_heads * spec.hidden // spec.heads, spec.layers
    closed = V * h + layers * (2 * h * h + 2 * h + 2 * (h * kv + kv) + 8 * h * h + 5 * h + 4 * h) + 2 * h
    assert spec.parameters(V) == parameters == closed
    with torch.device("meta"):
        theirs = transformers.Starcoder2ForCausalLM(transformers.Starcoder2Config(**spec.config(V)))
    assert sum(p.numel() for p in theirs.parameters()) == parameters


def test_200m_is_200m_and_tiny_is_tiny() -> None:
    assert abs(size("200m").parameters(V) / 200e6 - 1) < 0.03
    assert 3e6 < size("tiny").parameters(4096) < 10e6


@pytest.mark.parametrize(("name", "gflop"), [("20m", 0.150), ("60m", 0.425), ("200m", 1.404), ("500m", 3.447)])
def test_flops_are_those_of_the_table(name: str, gflop: float) -> None:
    assert size(name).flops_per_token(V, 2048) / 1e9 == pytest.approx(gflop, abs=6e-4)


def test_a_window_saves_attention_flops() -> None:
    full, cut = small(), small(window=16)
    attention = full.flops_per_token(VOCAB, 64) - 6 * full.parameters(VOCAB)
    per_pair = attention / 32  # mean context of 64 causal tokens
    seen = sum(min(16, t + 0.5) for t in range(64)) / 64  # counted pair by pair, the token itself half
    assert cut.flops_per_token(VOCAB, 64) - 6 * cut.parameters(VOCAB) == pytest.approx(per_pair * seen, rel=0.02)
    assert small(window=64).flops_per_token(VOCAB, 64) == full.flops_per_token(VOCAB, 64)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"hidden": 30}, "model.heads=4"), ({"kv_heads": 3}, "model.kv_heads=3"), ({"window": 0}, "model.window=0"),
        ({"layers": 0}, "model.layers=0"), ({"init_std": -1.0}, "model.init_std=-1.0"), ({"hidden": 12}, "model.heads=4"),
    ],
)  # fmt: skip
def test_impossible_shapes_are_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        small(**changes)
    assert caught.value.where == where


def test_a_plan_needs_no_torch() -> None:
    code = "import minisc.model.starcoder2, minisc.trainer.fit, sys; print(sorted({'torch', 'lightning'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_initial_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = small().build(VOCAB, 5), small().build(VOCAB, 5), small().build(VOCAB, 6)
    assert torch.equal(before, torch.get_rng_state())
    same = {name: torch.equal(tensor, again.state_dict()[name]) for name, tensor in first.state_dict().items()}
    assert all(same.values())
    assert not torch.equal(first.state_dict()["model.embed_tokens.weight"], other.state_dict()["model.embed_tokens.weight"])


def test_initial_weights_have_the_deviation_of_bigcode_models() -> None:
    state = small(hidden=256, heads=4).build(VOCAB, 0).state_dict()
    assert state["model.layers.0.mlp.c_fc.weight"].std().item() == pytest.approx(1 / 16, rel=0.01)
    assert state["model.layers.1.mlp.c_proj.bias"].abs().max() == 0
    assert torch.all(state["model.norm.weight"] == 1)
    assert size("starcoder2").deviation == pytest.approx(0.018042, abs=1e-6)


def test_config_round_trip_and_both_forms_of_rope() -> None:
    spec = small(window=9, rope_theta=12345.0, init_std=0.01)
    config = spec.config(VOCAB)
    assert Starcoder2.from_config(config) == spec
    assert Starcoder2.from_config(small().config(VOCAB)) == small()
    del config["rope_theta"]
    assert Starcoder2.from_config(config).rope_theta == 12345.0
    del config["rope_parameters"]
    with pytest.raises(BadInput, match="rope_theta"):
        Starcoder2.from_config(config)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "silu"}, {"use_bias": False}, {"tie_word_embeddings": False}, {"rope_parameters": {"rope_type": "yarn"}},
        {"rope_scaling": {"factor": 2}}, {"intermediate_size": 100}, {"num_attention_heads": 5}, {"hidden_size": "many"},
    ],
)  # fmt: skip
def test_another_network_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Starcoder2.from_config(small().config(VOCAB) | changes)


@torch.no_grad()
def test_segments_keep_documents_apart() -> None:
    net = network(small())
    text, segments = ids(1, 24), torch.tensor([[0] * 10 + [1] * 14])
    together = net.hidden(text, segments)
    apart = torch.cat([net.hidden(text[:, :10]), net.hidden(text[:, 10:])], dim=1)  # RoPE is relative: positions need not restart
    assert torch.allclose(together, apart, atol=1e-5)
    assert not torch.allclose(together, net.hidden(text), atol=1e-2)


def test_loss_counts_only_targets_inside() -> None:
    net, text = network(small()), ids(2, 9)
    targets = text.roll(-1, dims=1).clone()
    targets[:, -3:] = -100
    nll, count = net.loss(text, targets)
    plain = torch.nn.functional.cross_entropy(net(text).flatten(0, 1), targets.flatten(), reduction="sum")
    assert count.item() == 12
    assert nll.item() == pytest.approx(plain.item(), rel=1e-5)
