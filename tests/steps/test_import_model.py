"""A folder of the ecosystem becomes a model of ours, and what does not fit is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.model.base import load
from minisc.steps.export import Export
from minisc.steps.import_model import ImportModel
from minisc.tokenizer.base import Tokenizer
from tests import made
from tests.steps.test_export import SETTINGS


@pytest.fixture(scope="module")
def theirs(finished: tuple[dict[str, Artifact], Context], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `transformers` itself writes it, from what we exported: its own save_pretrained of model and tokenizer, in two shards."""
    out = tmp_path_factory.mktemp("theirs")
    model = str(finished[0]["pretrain"].path)
    exported = made.run({"export": Export(**SETTINGS)}, made.context(out / "work"), model=model)["export"].path / "repository"
    transformers.AutoModelForCausalLM.from_pretrained(exported).save_pretrained(out / "hf", max_shard_size="40KB")
    transformers.AutoTokenizer.from_pretrained(exported).save_pretrained(out / "hf")
    assert (out / "hf" / "model.safetensors.index.json").exists()
    return out / "hf"


def imported(folder: Path, out: Path) -> Artifact:
    return made.run({"import_model": ImportModel(path=str(folder))}, made.context(out))["import_model"]


def test_there_and_back(finished: tuple[dict[str, Artifact], Context], theirs: Path, tmp_path: Path) -> None:
    artifact, first = imported(theirs, tmp_path), finished[0]["pretrain"]
    assert artifact.kinds == ("model", "tokenizer")
    back, before = load(artifact.path), load(first.path)
    assert back.spec == before.spec
    assert all(torch.equal(back.module.state_dict()[name], tensor) for name, tensor in before.module.state_dict().items())
    assert Tokenizer.load(artifact.path).digest == Tokenizer.load(first.path).digest
    assert artifact.figures["parameters"] == first.figures["parameters"]


def test_it_is_told_by_its_contents(theirs: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(theirs, tmp_path / "elsewhere")
    assert imported(theirs, tmp_path).fingerprint == imported(moved, tmp_path).fingerprint
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "rope_theta": 5e5}))
    assert imported(moved, tmp_path).fingerprint != imported(theirs, tmp_path).fingerprint


@pytest.mark.parametrize("gone", ["config.json", "tokenizer.json", "*.safetensors"])
def test_a_folder_with_something_missing(theirs: Path, tmp_path: Path, gone: str) -> None:
    folder = shutil.copytree(theirs, tmp_path / "folder")
    for path in folder.glob(gone):
        path.unlink()
    with pytest.raises(UserError, match=f"the folder has no {gone}".replace("*", r"\*")) as caught:
        imported(folder, tmp_path)
    assert "save_pretrained" in caught.value.do


def test_another_architecture(theirs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(theirs, tmp_path / "folder")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(UserError, match="no architecture is called 'llama'"):
        imported(folder, tmp_path)


def test_a_tokenizer_of_another_model(theirs: Path, tmp_path: Path) -> None:
    from tests.release import learned

    folder = shutil.copytree(theirs, tmp_path / "folder")
    learned.tokenizer(folder, 384)
    with pytest.raises(UserError, match="the tokenizer has 384 tokens, the model knows 340"):
        imported(folder, tmp_path)


def test_no_folder_is_named() -> None:
    with pytest.raises(UserError, match="no folder to import is named") as caught:
        ImportModel(path=None)
    assert caught.value.do.startswith("steps.import_model.path=")
