"""GGUF: one file with weights, settings and tokenizer, as llama.cpp and what is built on it read them.

In: tensors by their Hugging Face names, config.json, tokenizer.json. Out: a file of architecture `starcoder2`, the matrices in
the type that was asked for (f32, f16, bf16, or a quantised one that the `gguf` package can compute: q8_0, q5_1, q5_0, q4_1,
q4_0), norms and biases in fp32, as llama.cpp wants them. Tensor names are the package's own map (token_embd, blk.N.attn_q …).
A matrix whose rows are no multiple of a type's block (32 numbers) is kept in f16 and said. K-quants (q4_k …) need llama.cpp's
own `llama-quantize`, run on the f16 file.
Guarantees: before the file gets its name it is read back and every tensor compared: bitwise for f32, f16 and bf16; with
the dequantised numbers of the package for the others, whose error is figured too.
Seen in llama.cpp itself, on a small trained model: the f32 and f16 files write the same greedy tokens as our own generator. It
computes with 8-bit activations where weights are quantised, so q8_0 and below are near, not equal.
Attention windows: llama.cpp's starcoder2 attends to everything, so a file of a windowed model says a context of one window
and no more, inside which both are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minisc.core import durable
from minisc.core.errors import MissingExtra, UserError, did_you_mean
from minisc.release.pretokenizers import name_for
from minisc.tokenizer.base import EOT, SPECIAL_TOKENS

TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
SEVERAL = 2  # dimensions from which on a tensor is a matrix and takes the type that was asked for
_NORMAL, _CONTROL = 1, 3  # llama.cpp's kinds of tokens
Tensors = Mapping[str, np.ndarray]


def package(needed_by: str = "steps.export.formats=[gguf]") -> Any:
    """The `gguf` package. Raises MissingExtra."""
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise MissingExtra.named("gguf", "gguf", needed_by) from error
    return gguf


def check_type(name: str) -> None:
    """Raises UserError for a type that is not among `TYPES`."""
    if name not in TYPES:
        raise UserError(
            f"GGUF matrices cannot be written as {name!r}", where="steps.export.gguf_types",
            do=f"{did_you_mean(name, TYPES)} K-quants: llama-quantize <the f16 file>",
        )  # fmt: skip


def write(path: Path, tensors: Tensors, config: Mapping[str, Any], tokenizer_json: Path, *, name: str, type_: str, pretokenizer: str) -> dict[str, Any]:  # fmt: skip
    """Write and read back one file. `tensors`: fp32, by Hugging Face names. Returns its figures, the relative error among them."""
    gguf = package()
    wanted = gguf.GGMLQuantizationType[type_.upper()]
    names = _names(gguf, tensors, config)
    with durable.write(path) as temporary:
        writer = gguf.GGUFWriter(str(temporary), "starcoder2")
        _settings(gguf, writer, config, name, type_)
        _vocabulary(writer, json.loads(tokenizer_json.read_text(encoding="utf-8")), int(config["vocab_size"]), pretokenizer)
        types = {key: _type_of(gguf, tensor, wanted) for key, tensor in tensors.items()}
        for key, tensor in tensors.items():
            writer.add_tensor(names[key], gguf.quants.quantize(tensor, types[key]), raw_dtype=types[key])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        error = compare(gguf, temporary, tensors, names, types)
    kept = sum(types[key] != wanted for key, tensor in tensors.items() if tensor.ndim >= SEVERAL)
    return {"bytes": path.stat().st_size, "relative_error": error, "matrices_in_f16": kept}


def _type_of(gguf: Any, tensor: np.ndarray, wanted: Any) -> Any:
    """Norms and biases in fp32; a matrix that does not fill the type's blocks in f16."""
    if tensor.ndim < SEVERAL:
        return gguf.GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return wanted if tensor.shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16


def _names(gguf: Any, tensors: Tensors, config: Mapping[str, Any]) -> dict[str, str]:
    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.STARCODER2, int(config["num_hidden_layers"]))
    names = {key: known.get_name(key, try_suffixes=(".weight", ".bias")) for key in tensors}
    assert all(names.values()), f"the gguf package knows no name for {[key for key, found in names.items() if not found]}"
    return names


def _settings(gguf: Any, writer: Any, config: Mapping[str, Any], name: str, type_: str) -> None:
    window = config.get("sliding_window")
    writer.add_name(name)
    writer.add_context_length(min(config["max_position_embeddings"], window or config["max_position_embeddings"]))
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_layer_norm_eps(config["norm_epsilon"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    files = gguf.LlamaFileType
    writer.add_file_type(files.ALL_F32 if type_ == "f32" else files[f"MOSTLY_{type_.upper()}"])


def _vocabulary(writer: Any, tokenizer: Mapping[str, Any], size: int, pretokenizer: str) -> None:
    """Tokens in their byte-level letters, merges in their order; a model's padded vocabulary is filled with names of nothing."""
    known = {index: token for token, index in tokenizer["model"]["vocab"].items()} | dict(enumerate(SPECIAL_TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name_for(dict(tokenizer), pretokenizer)[0])
    writer.add_token_list([known.get(index, f"[PAD{index}]") for index in range(size)])
    writer.add_token_types([_CONTROL if index < len(SPECIAL_TOKENS) or index not in known else _NORMAL for index in range(size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]])
    end = SPECIAL_TOKENS.index(EOT)
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(SPECIAL_TOKENS.index("<fim_pad>"))
    writer.add_add_bos_token(True)
    for key, token in (("fim_pre", "<fim_prefix>"), ("fim_suf", "<fim_suffix>"), ("fim_mid", "<fim_middle>"), ("fim_pad", "<fim_pad>"),
                       ("fim_rep", "<repo_name>"), ("fim_sep", "<file_sep>")):  # fmt: skip
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", SPECIAL_TOKENS.index(token))


def compare(gguf: Any, path: Path, tensors: Tensors, names: Mapping[str, str], types: Mapping[str, Any]) -> float:
    """Read a file back, tensor by tensor. Returns the relative error (root of squares) of all matrices; a difference that
    the type does not explain is our own mistake."""
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(str(path)).tensors}
    assert found.keys() == set(names.values()), "the file holds other tensors than the model"
    squares = total = 0.0
    for key, tensor in tensors.items():
        read = found[names[key]]
        assert read.tensor_type == types[key], f"{names[key]} is {read.tensor_type.name}, not {types[key].name}"
        values = gguf.quants.dequantize(read.data, types[key]).reshape(tensor.shape).astype(np.float32)
        again = gguf.quants.dequantize(gguf.quants.quantize(tensor, types[key]), types[key]).reshape(tensor.shape)
        assert np.array_equal(values, again.astype(np.float32)), f"{names[key]} came back with other numbers"
        if tensor.ndim >= SEVERAL:
            squares, total = squares + float(np.square(values - tensor).sum()), total + float(np.square(tensor).sum())
    return float(np.sqrt(squares / total)) if total else 0.0


def file_names(name: str, types: Sequence[str]) -> dict[str, str]:
    """Type -> file name, in the form that llama.cpp's own tools give: `name-Q8_0.gguf`."""
    return {type_: f"{name}-{type_.upper()}.gguf" for type_ in types}
