"""A GGUF file holds the model, tensor by tensor, and says what llama.cpp asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minisc.core.errors import UserError
from minisc.release import gguf_file
from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from tests.release import learned

gguf = pytest.importorskip("gguf")
# Relative error of normally distributed weights: a type with b bits and a scale for 32 numbers cannot be far from these.
WORST = {"f32": 0.0, "f16": 3e-4, "bf16": 3e-3, "q8_0": 8e-3, "q5_1": 0.05, "q5_0": 0.06, "q4_1": 0.1, "q4_0": 0.11}


def write(folder: Path, type_: str = "f16", spec: Any = learned.SPEC) -> tuple[dict[str, Any], Any, dict[str, np.ndarray]]:
    tensors = learned.tensors(spec=spec)
    path = folder / f"{type_}.gguf"
    told = gguf_file.write(path, tensors, spec.config(384), learned.tokenizer(folder), name="test", type_=type_, pretokenizer="nearest")
    return told, gguf.GGUFReader(str(path)), tensors


@pytest.mark.parametrize("type_", gguf_file.TYPES)
def test_every_type_comes_back(type_: str, tmp_path: Path) -> None:
    told, reader, tensors = write(tmp_path, type_)
    assert WORST[type_] / 3 <= told["relative_error"] <= WORST[type_]
    assert told["matrices_in_f16"] == 0
    assert told["bytes"] == (tmp_path / f"{type_}.gguf").stat().st_size
    found = {tensor.name: tensor for tensor in reader.tensors}
    assert len(found) == len(tensors)
    norm = found["blk.1.ffn_norm.weight"]
    assert norm.tensor_type.name == "F32"
    assert np.array_equal(norm.data, tensors["model.layers.1.post_attention_layernorm.weight"])
    assert found["blk.0.ffn_down.weight"].tensor_type.name == type_.upper()
    assert list(found["blk.0.ffn_down.weight"].shape) == [128, 64]  # ggml counts the fastest dimension first


def test_settings_and_vocabulary(tmp_path: Path) -> None:
    _, reader, _ = write(tmp_path)
    fields = {key: field.contents() for key, field in reader.fields.items()}
    assert fields["general.architecture"] == "starcoder2"
    assert fields["starcoder2.context_length"] == 128
    assert fields["starcoder2.attention.head_count_kv"] == 2
    assert fields["starcoder2.rope.freq_base"] == 1e5
    assert fields["starcoder2.feed_forward_length"] == 128
    assert (fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"]) == ("gpt2", "superbpe")
    assert fields["tokenizer.ggml.tokens"][:38] == list(SPECIAL_TOKENS)
    assert fields["tokenizer.ggml.token_type"][:39] == [3] * 38 + [1]
    assert len(fields["tokenizer.ggml.merges"]) == 384 - 38 - 256
    assert fields["tokenizer.ggml.fim_mid_token_id"] == 2
    assert fields["tokenizer.ggml.bos_token_id"] == fields["tokenizer.ggml.eos_token_id"] == 0
    assert Tokenizer.load(tmp_path).vocab_size == len(fields["tokenizer.ggml.tokens"])


def test_rows_that_fill_no_block_stay_in_f16(tmp_path: Path) -> None:
    told, reader, _ = write(tmp_path, "q8_0", replace(learned.SPEC, hidden=48, heads=3, kv_heads=1))
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert (kinds["token_embd.weight"], kinds["blk.0.ffn_down.weight"]) == ("F16", "Q8_0")
    assert told["matrices_in_f16"] == sum(kind == "F16" for kind in kinds.values())


def test_a_windowed_model_says_one_window(tmp_path: Path) -> None:
    _, reader, _ = write(tmp_path, "f16", replace(learned.SPEC, window=32))
    assert reader.fields["starcoder2.context_length"].contents() == 32


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "f32")
    tensors = learned.tensors()
    names = {key: gguf.get_tensor_name_map(gguf.MODEL_ARCH.STARCODER2, 2).get_name(key, (".weight", ".bias")) for key in tensors}
    types = dict.fromkeys(tensors, gguf.GGMLQuantizationType.F32)
    assert gguf_file.compare(gguf, tmp_path / "f32.gguf", tensors, names, types) == 0.0
    tensors["model.norm.bias"][3] += 1
    with pytest.raises(AssertionError, match=r"output_norm.bias came back with other numbers"):
        gguf_file.compare(gguf, tmp_path / "f32.gguf", tensors, names, types)


def test_what_the_package_cannot_write_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be written as 'q4_k'") as caught:
        gguf_file.check_type("q4_k")
    assert "llama-quantize" in caught.value.do
    assert gguf_file.file_names("m", ["f16", "q8_0"]) == {"f16": "m-F16.gguf", "q8_0": "m-Q8_0.gguf"}
