"""Weights between our network and the Hugging Face folder form, names and shapes both ways.

In: a state dict, or a folder with `model.safetensors` or with shards and `model.safetensors.index.json`. Out: the other.
The names are the same on both sides by construction (`ModelSpec.shapes`); what is left to do is the tied output matrix,
which our network does not name and some writers store twice, the shards, and to refuse what does not fit.
Guarantees: safetensors only, so no code runs on reading; a shard's name is a plain file name in the same folder, whatever
the index says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from minisc.core import durable
from minisc.core.errors import BadInput

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
OUTPUT, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
Shapes = Mapping[str, tuple[int, ...]]


def write(path: Path, state: Mapping[str, Tensor], shapes: Shapes) -> None:
    """One safetensors file with exactly the tensors of `shapes`, in that order, or no file at all."""
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == dict(shapes), "the network and its spec disagree about shapes"
    with durable.write(path) as temporary:
        save_file({name: state[name].detach().cpu().contiguous() for name in shapes}, temporary, metadata={"format": "pt"})


def read(folder: Path, shapes: Shapes) -> dict[str, Tensor]:
    """The tensors of `shapes`, on the CPU, in the types they are stored in.

    Raises BadInput for a missing file, and for missing, unexpected or misshapen tensors, naming some.
    """
    tensors: dict[str, Tensor] = {}
    for path in _files(folder):
        try:
            tensors |= load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise BadInput(f"the weights cannot be read: {error}", where=str(path), do="copy the model's folder again") from error
    _untie(tensors, folder)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != dict(shapes):
        raise BadInput(_difference(found, shapes), where=str(folder), do="take config.json and weights from the same model")
    return tensors


def _files(folder: Path) -> Iterable[Path]:
    if (folder / SINGLE).exists() or not (folder / INDEX).exists():
        return [folder / SINGLE]
    try:
        names = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        wrong = [name for name in names if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors")]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no name of a safetensors file in this folder")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"the index of the weights cannot be read: {error}", where=str(folder / INDEX), do="copy the model's folder again"
        ) from error
    return [folder / name for name in sorted(names)]


def _untie(tensors: dict[str, Tensor], folder: Path) -> None:
    """Drop a stored output matrix that is the embedding; another one would be another network."""
    output = tensors.pop(OUTPUT, None)
    if output is not None and not (EMBEDDING in tensors and torch.equal(output, tensors[EMBEDDING])):
        raise BadInput(
            "the output matrix is not the embedding: this network ties them",
            where=f"{folder}: {OUTPUT}",
            do="choose a checkpoint with tied embeddings",
        )


def _difference(found: Shapes, wanted: Shapes) -> str:
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    misshapen = [f"{name} is {found[name]}, not {wanted[name]}" for name in wanted if name in found and found[name] != wanted[name]]
    told = [f"{title} {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}" for title, names in
            (("missing:", missing), ("unexpected:", extra), ("misshapen:", misshapen)) if names]  # fmt: skip
    return f"the weights do not fit their config.json ({'; '.join(told)})"
