"""The same logits as `transformers`, with weights taken either way, and refusals of what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from minisc.core.errors import BadInput
from minisc.model import base
from tests.model.sizes import small

VOCAB = 97
KINDS: dict[str, dict[str, Any]] = {
    "grouped": {"heads": 8, "kv_heads": 2}, "multi_query": {"kv_heads": 1}, "all_heads": {"kv_heads": 4}, "window": {"window": 6}, "theta": {"rope_theta": 999999.44},
}  # fmt: skip


def theirs(folder: Path) -> Any:
    model, info = transformers.Starcoder2ForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return model.eval()


@torch.no_grad()
def same_logits(ours: torch.nn.Module, other: torch.nn.Module) -> bool:
    ids = torch.randint(0, VOCAB, (3, 33), generator=torch.Generator().manual_seed(0))
    return torch.allclose(ours(ids), other(ids).logits, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_ours_read_by_transformers(kind: str, tmp_path: Path) -> None:
    spec = small(**KINDS[kind])
    module = spec.build(VOCAB, seed=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))  # biases and norms too
    base.save(tmp_path, module, spec, VOCAB)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert same_logits(module, theirs(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_theirs_read_by_us(kind: str, tmp_path: Path) -> None:
    spec = small(**KINDS[kind])
    torch.manual_seed(3)
    model = transformers.Starcoder2ForCausalLM(transformers.Starcoder2Config(**spec.config(VOCAB))).eval()
    model.save_pretrained(tmp_path)
    loaded = base.load(tmp_path)
    assert (loaded.spec, loaded.vocab_size, loaded.module.training) == (spec, VOCAB, False)
    assert same_logits(loaded.module, model)


def test_shards_are_read(tmp_path: Path) -> None:
    spec = small()
    model = transformers.Starcoder2ForCausalLM(transformers.Starcoder2Config(**spec.config(VOCAB))).eval()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert same_logits(base.load(tmp_path).module, model)


def saved(folder: Path) -> dict[str, torch.Tensor]:
    spec = small()
    base.save(folder, spec.build(VOCAB, seed=2), spec, VOCAB)
    return load_file(folder / base.WEIGHTS)


def test_the_file_says_that_torch_wrote_it_and_ties_the_output(tmp_path: Path) -> None:
    tensors = saved(tmp_path)
    assert "lm_head.weight" not in tensors
    assert set(tensors) == set(small().shapes(VOCAB))
    with (tmp_path / base.WEIGHTS).open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    assert header["__metadata__"] == {"format": "pt"}


def test_an_output_matrix_that_is_the_embedding_is_dropped(tmp_path: Path) -> None:
    tensors = saved(tmp_path)
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, tmp_path / base.WEIGHTS)
    assert base.load(tmp_path).vocab_size == VOCAB
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"] + 1}, tmp_path / base.WEIGHTS)
    with pytest.raises(BadInput, match="is not the embedding"):
        base.load(tmp_path)


def test_misfits_are_named(tmp_path: Path) -> None:
    tensors = saved(tmp_path)
    tensors["surplus"] = tensors.pop("model.norm.bias")
    tensors["model.norm.weight"] = torch.ones(3)
    save_file(tensors, tmp_path / base.WEIGHTS)
    with pytest.raises(BadInput) as caught:
        base.load(tmp_path)
    assert "missing: model.norm.bias; unexpected: surplus; misshapen: model.norm.weight is (3,), not (32,)" in caught.value.what


def test_truncated_and_absent_weights(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / base.WEIGHTS
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match="cannot be read"):
        base.load(tmp_path)
    path.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        base.load(tmp_path)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "weights.bin", 7])
def test_an_index_cannot_lead_elsewhere(name: object, tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / base.WEIGHTS).unlink()
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(BadInput, match="no name of a safetensors file"):
        base.load(tmp_path)
