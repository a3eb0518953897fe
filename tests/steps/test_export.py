"""What is exported is the model: the same logits and the same text in the ecosystem's own hands, and cards that say what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import transformers

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt
from minisc.generation.sampling import Sampling
from minisc.model.base import load
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute
from minisc.steps.export import Export
from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from tests import made
from tests.steps import small_road

SETTINGS: dict[str, Any] = {
    "name": "small", "license": "apache-2.0", "formats": ["hf"], "dtype": "fp32", "gguf_types": ["f16", "q8_0"], "pretokenizer": "nearest", "push": None,
}  # fmt: skip
TEXTS = ["def f(x_1):\n    return 42  # don't\n", "", "   \n\n\tcaf\u00e9 \u4f60 \U0001f469\u200d\U0001f4bb'll 0123", "class A:\r\n  pass"]
Road = tuple[dict[str, Artifact], Context]


def export(finished: Road, run: Path, **changes: Any) -> Artifact:
    where = replace(finished[1], run=run)
    return made.run({**small_road.steps(), "export": Export(**{**SETTINGS, **changes})}, where)["export"]


@pytest.fixture(scope="module")
def folder(finished: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(finished, tmp_path_factory.mktemp("run")).path / "repository"


def theirs(folder: Path) -> tuple[Any, Any]:
    model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def ours(artifact: Artifact) -> tuple[Any, Tokenizer]:
    return load(artifact.path).module, Tokenizer.load(artifact.path)


@torch.no_grad()
def test_logits_are_ours(finished: Road, folder: Path) -> None:
    model, _ = theirs(folder)
    mine, tokenizer = ours(finished[0]["pretrain"])
    ids = torch.randint(0, tokenizer.vocab_size, (2, 200), generator=torch.Generator().manual_seed(1))
    assert torch.allclose(mine(ids), model(ids).logits, atol=1e-4)


def test_ids_are_ours_with_the_start_of_text(finished: Road, folder: Path) -> None:
    _, tokenizer = theirs(folder)
    _, mine = ours(finished[0]["pretrain"])
    for text in TEXTS:
        assert tokenizer(text)["input_ids"] == [mine.eot, *mine.encode(text)]
        assert tokenizer.decode(mine.encode(text)) == text
    special = mine.special
    hole = tokenizer("<fim_prefix>a = <fim_suffix>\n<fim_middle>")["input_ids"]
    assert hole == mine.render("\0<|endoftext|>\0\0<fim_prefix>\0a = \0<fim_suffix>\0\n\0<fim_middle>\0")
    assert tokenizer.decode(hole, skip_special_tokens=True) == "a = \n"
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0, special["<fim_pad>"])
    assert set(tokenizer.all_special_ids) == set(range(len(SPECIAL_TOKENS)))
    assert tokenizer.model_max_length == small_road.MODEL["max_positions"]


def test_greedy_text_is_ours(finished: Road, folder: Path) -> None:
    model, tokenizer = theirs(folder)
    module, mine = ours(finished[0]["pretrain"])
    prompts = ["def f(", "class Stack:\n    def __init__(self):\n", "import os\n"]
    told = Generator(module, mine).complete([Prompt(text=text) for text in prompts], Sampling(max_new_tokens=40))
    for text, one in zip(prompts, told, strict=True):
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        found = model.generate(**inputs, max_new_tokens=40)[0][inputs["input_ids"].shape[1] :]
        assert tokenizer.decode(found, skip_special_tokens=True) == one.text


def test_config_has_both_forms_of_the_rope_setting(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 1e5
    assert (config["pad_token_id"], config["dtype"], config["sliding_window"]) == (4, "float32", None)
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [0, 6, 5, 1, 2, 3, 4]


@pytest.mark.parametrize(("dtype", "name", "close"), [("bf16", "bfloat16", 0.05), ("fp16", "float16", 0.005)])
def test_smaller_types(finished: Road, tmp_path: Path, dtype: str, name: str, close: float) -> None:
    repository = export(finished, tmp_path, dtype=dtype).path / "repository"
    model, _ = theirs(repository)
    assert str(model.dtype) == f"torch.{name}"
    mine, _ = ours(finished[0]["pretrain"])
    for key, tensor in mine.state_dict().items():
        assert torch.allclose(model.state_dict()[key].float(), tensor, rtol=close, atol=1e-6)


def test_the_cards_say_what_it_is(finished: Road, folder: Path) -> None:
    card, data = (folder / "README.md").read_text(), (folder / "data_card.md").read_text()
    artifacts = finished[0]
    figures = artifacts["pretrain"].figures
    for words in ('license: "apache-2.0"', "# small", f"{figures['parameters']:,} parameters", "bits&#95;per&#95;byte", f"{figures['flops']:.3g}",
                  "## How to make it again", "data_card.md", "test\n```"):  # fmt: skip
        assert words in card, words
    assert f"{artifacts['evaluate'].figures['bits_per_byte']:,.4g}" in card
    for words in ("40 documents", "**Not searched for**", "**Not removed**", "All documents have one.", "## Licenses", "| listed | 40 |"):
        assert words in data, words
    lineage = json.loads((folder / "lineage.json").read_text())
    assert [one["step"] for one in lineage] == ["collect", "train_tokenizer", "pack", "pretrain"]
    assert lineage[-1]["fingerprint"] == artifacts["pretrain"].fingerprint


def test_the_manifest_has_a_row_a_document(finished: Road, folder: Path) -> None:
    table = pq.read_table(folder / "training_documents.parquet")
    kept = pq.read_table(finished[0]["collect"].path / "kept")
    assert table["swhid"].to_pylist() == [f"swh:1:cnt:{sha}" for sha in kept["sha1_git"].to_pylist()]
    assert table["path_text"].to_pylist() == kept["path_text"].to_pylist()
    assert "text" not in table.schema.names


def test_gguf_stands_beside_it(finished: Road, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    artifact = export(finished, tmp_path, formats=["hf", "gguf"])
    names = sorted(path.name for path in (artifact.path / "repository" / "gguf").iterdir())
    assert names == ["small-F16.gguf", "small-Q8_0.gguf"]
    assert 0 < artifact.figures["gguf_f16_relative_error"] < artifact.figures["gguf_q8_0_relative_error"] < 0.01
    assert 0.9 < artifact.figures["gguf_same_tokens"] <= 1
    card = (artifact.path / "repository" / "README.md").read_text()
    assert f"{artifact.figures['gguf_same_tokens']:.1%} of" in card
    assert "`superbpe`" in card


def test_gguf_alone_carries_no_safetensors(finished: Road, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    repository = export(finished, tmp_path, formats=["gguf"], gguf_types=["f32"]).path / "repository"
    assert sorted(path.name for path in repository.iterdir()) == [
        "README.md",
        "data_card.md",
        "gguf",
        "lineage.json",
        "training_documents.parquet",
    ]
    assert "AutoModelForCausalLM" not in (repository / "README.md").read_text()


def test_a_model_alone_says_what_its_card_does_not_know(finished: Road, tmp_path: Path) -> None:
    where = replace(finished[1], run=tmp_path)
    artifact = made.run({"export": Export(**{**SETTINGS, "license": None})}, where, model=str(finished[0]["pretrain"].path))["export"]
    card = (artifact.path / "repository" / "README.md").read_text()
    assert card.count("**Not known to this card**") == 1
    assert "**Not measured**" in card
    assert "**No license has been chosen" in card
    assert not artifact.has("repository/data_card.md")


def test_documents_of_another_corpus_are_refused(finished: Road, tmp_path: Path) -> None:
    other, _ = made.run({"collect": replace(small_road.steps()["collect"], seed=7)}, finished[1]), None
    steps = {"export": Export(**SETTINGS)}
    given = {"model": str(finished[0]["pretrain"].path), "documents": str(other["collect"].path)}
    with pytest.raises(UserError, match="was not trained on these documents"):
        made.run(steps, replace(finished[1], run=tmp_path), **given)


def test_pushing_is_no_setting_of_the_result(finished: Road) -> None:
    marks = {
        plan({**small_road.steps(), "export": Export(**{**SETTINGS, "push": push})}, {}, finished[1])[-1].fingerprint
        for push in (None, "a/b")
    }
    assert len(marks) == 1


def test_it_speaks_of_where_it_lies(finished: Road, tmp_path: Path) -> None:
    where = replace(finished[1], run=tmp_path)
    nodes = plan({**small_road.steps(), "export": Export(**SETTINGS)}, {}, where)
    execute(nodes, Story(command="test", recipe="test"), where)
    assert f"export: {nodes[-1].path / 'repository'}" in where.speak.lines  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "what", "do"),
    [
        ({"dtype": "fp8"}, "weights cannot be written as 'fp8'", "bf16, fp16, fp32"),
        ({"formats": ["onnx"]}, "there is no format 'onnx'", "gguf, hf"),
        ({"formats": []}, "nothing would be exported", "formats=[hf]"),
        ({"gguf_types": ["q4_k"]}, "cannot be written as 'q4_k'", "llama-quantize"),
        ({"name": "../../etc"}, "'../../etc' cannot name a model", "steps.export.name=minisc"),
        ({"push": "nobody"}, "is no repository", "<owner>/<name>"),
        ({"pretokenizer": "qwen"}, "'qwen' is not among", "did you mean 'qwen2'?"),
    ],
)
def test_settings_are_checked_before_anything_runs(changes: dict[str, Any], what: str, do: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        Export(**{**SETTINGS, **changes})
    assert do in caught.value.do


def test_weights_that_a_type_cannot_hold_are_refused(finished: Road, tmp_path: Path) -> None:
    from minisc.model.base import save

    loaded = load(finished[0]["pretrain"].path)
    with torch.no_grad():
        loaded.module.get_parameter("model.norm.weight")[0] = 1e6
    save(tmp_path / "folder", loaded.module, loaded.spec, loaded.vocab_size)
    (tmp_path / "folder" / "tokenizer.json").write_bytes(finished[0]["pretrain"].file("tokenizer.json").read_bytes())
    from minisc.steps.import_model import ImportModel

    steps = {"import_model": ImportModel(path=str(tmp_path / "folder")), "export": Export(**{**SETTINGS, "dtype": "fp16"})}
    with pytest.raises(UserError, match=r"float16 cannot hold the weights of model\.norm\.weight"):
        made.run(steps, made.context(tmp_path / "out"))
