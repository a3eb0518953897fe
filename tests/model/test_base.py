"""A model's folder: written, read back, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from minisc.core.errors import BadInput
from minisc.model import base
from tests.model.sizes import small

VOCAB = 50


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    spec = small(window=8)
    module = spec.build(VOCAB, seed=4)
    base.save(tmp_path, module, spec, VOCAB)
    loaded = base.load(tmp_path)
    assert loaded.spec == spec
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, loaded.module.state_dict()[name]), name
    first = (tmp_path / base.WEIGHTS).read_bytes()
    base.save(tmp_path, loaded.module, loaded.spec, VOCAB)
    assert (tmp_path / base.WEIGHTS).read_bytes() == first


def test_loading_in_another_type(tmp_path: Path) -> None:
    spec = small()
    base.save(tmp_path, spec.build(VOCAB, seed=4), spec, VOCAB)
    module = base.load(tmp_path, dtype=torch.bfloat16).module
    assert {parameter.dtype for parameter in module.parameters()} == {torch.bfloat16}
    assert module(torch.tensor([[1, 2, 3]])).dtype == torch.bfloat16


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"vocab_size": "many"}', "{"])
def test_descriptions_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / base.CONFIG).write_text(text)
    with pytest.raises(BadInput, match="description cannot be read"):
        base.load(tmp_path)


@pytest.mark.parametrize("kind", ["llama", "base", "os", "../starcoder2", None, 3, "hf_weights"])
def test_only_our_own_architectures_are_loaded(kind: object, tmp_path: Path) -> None:
    (tmp_path / base.CONFIG).write_text(json.dumps(small().config(VOCAB) | {"model_type": kind}))
    with pytest.raises(BadInput, match="no architecture is called"):
        base.load(tmp_path)


def test_an_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        base.load(tmp_path / "nowhere")
    assert caught.value.where.endswith("nowhere/config.json")
