"""The files beside the weights by which `transformers`, vLLM and others load a model and its tokenizer from a folder.

In: the config of a model, a `tokenizer.json` of ours, the special tokens that end a text. Out: config.json, tokenizer.json,
tokenizer_config.json, special_tokens_map.json, generation_config.json. The weights are written by `minisc.model.base.save`.
Guarantees: `AutoTokenizer` gives the ids that our own prompts have, `<|endoftext|>` in front included: every training
document began after one, and a post-processor in tokenizer.json puts it there; greedy text ends at the tokens where
ours ends; config.json holds both forms of the RoPE setting (transformers 5 writes `rope_parameters`, transformers 4, vLLM
and llama.cpp read `rope_theta`). All 38 special tokens stand in tokenizer_config.json, so that no tool splits them.
What differs from our own encoder: there, a `<fim_prefix>` in a prompt's text is ordinary text; here it is the token, as users
of such a folder expect. Padding is `<fim_pad>`: were it the end of a text, trainers that mask padding would never learn the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minisc.core import durable
from minisc.core.errors import UserError, did_you_mean
from minisc.tokenizer.base import EOT, FILE, SPECIAL_TOKENS

PAD = "<fim_pad>"
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}  # setting -> torch's name, which config.json holds
CONFIG = "config.json"


def torch_name(dtype: str, where: str) -> str:
    """`bf16` -> `bfloat16`. Raises UserError for a type that no weights can have."""
    if dtype not in DTYPES:
        raise UserError(f"weights cannot be written as {dtype!r}", where=where, do=did_you_mean(dtype, DTYPES))
    return DTYPES[dtype]


def write_settings(folder: Path, tokenizer_json: Path, dtype: str, ends: Sequence[str]) -> None:
    """Complete a folder that holds the weights and their config.json. `dtype`: torch's name; `ends`: tokens that end a text."""
    told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    ids = {name: index for index, name in enumerate(SPECIAL_TOKENS)}
    durable.write_json(folder / CONFIG, {**told, "dtype": dtype, "torch_dtype": dtype, "pad_token_id": ids[PAD]})
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    durable.write_json(folder / FILE, {**tokenizer, "post_processor": _start_of_text(ids[EOT])})
    durable.write_json(folder / "tokenizer_config.json", tokenizer_config(told["max_position_embeddings"]))
    durable.write_json(folder / "special_tokens_map.json", _roles() | {"additional_special_tokens": list(SPECIAL_TOKENS[1:])})
    durable.write_json(folder / "generation_config.json", generation_config(ids, ends))


def tokenizer_config(positions: int) -> dict[str, Any]:
    """`PreTrainedTokenizerFast` is the class that takes tokenizer.json as it is; GPT-2's would put its own expression in."""
    tokens = {
        str(index): {"content": name, "special": True, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
        for index, name in enumerate(SPECIAL_TOKENS)
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": tokens, **_roles(),
        "additional_special_tokens": list(SPECIAL_TOKENS[1:]), "model_max_length": positions, "clean_up_tokenization_spaces": False,
        "add_prefix_space": False, "padding_side": "left",
    }  # fmt: skip


def generation_config(ids: Mapping[str, int], ends: Sequence[str]) -> dict[str, Any]:
    """Greedy, until a token that ends a text: what follows a new file or a hole elsewhere is not this text."""
    return {
        "bos_token_id": ids[EOT], "eos_token_id": [ids[name] for name in ends], "pad_token_id": ids[PAD], "do_sample": False,
    }  # fmt: skip


def _roles() -> dict[str, str]:
    return {"bos_token": EOT, "eos_token": EOT, "unk_token": EOT, "pad_token": PAD}


def _start_of_text(index: int) -> dict[str, Any]:
    """`<|endoftext|>` before a text, in the words of the `tokenizers` library."""
    start, text = {"SpecialToken": {"id": EOT, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    second = {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "type": "TemplateProcessing", "single": [start, text], "pair": [start, text, second],
        "special_tokens": {EOT: {"id": EOT, "ids": [index], "tokens": [EOT]}},
    }  # fmt: skip
