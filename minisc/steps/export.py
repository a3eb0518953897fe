"""export: a model in the form that the rest of the world loads, with the cards that say what it is.

In: a model with its tokenizer; the documents that it was trained on and its evaluations where they are at hand. Out: an `export`
artifact whose folder `repository/` is what is handed over, as it is:

    model.safetensors, config.json, generation_config.json    `hf`: for transformers, vLLM, …
    tokenizer.json, tokenizer_config.json, special_tokens_map.json
    gguf/<name>-<TYPE>.gguf                                   `gguf`: for llama.cpp
    README.md (the model card), data_card.md, training_documents.parquet, lineage.json

Nothing is sent anywhere unless `push=<owner>/<name>` asks for it; then the folder is pushed at every such run, from the store
too. Documents that are not among the model's ancestors are refused: a card may be short, it may not be wrong.
The cards' bytes may depend on which run trained the model: its command line is looked up in the runs' own records.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.parts import read_docs
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.release import documents, gguf_file, hub, pretokenizers, provenance
from minisc.release.data_card import data_card
from minisc.release.folder import torch_name, write_settings
from minisc.release.model_card import Facts, model_card

REPOSITORY = "repository"
FORMATS = ("hf", "gguf")
MEASURED = 300  # documents on which llama.cpp's cut is compared with ours
WHERE = "steps.export"


@dataclass(frozen=True, kw_only=True)
class Export(Step):
    version: ClassVar[int] = 2  # 2: the card has all scores with what was seen of them
    makes: ClassVar[tuple[str, ...]] = ("export",)
    needs: ClassVar[Mapping[str, Need]] = {
        "model": Need("model"), "tokenizer": Need("tokenizer"), "documents": Need("documents", optional=True),
        "evaluations": Need("evaluation", optional=True, many=True),
    }  # fmt: skip

    name: str
    license: str | None
    formats: list[str]
    dtype: str
    gguf_types: list[str]
    pretokenizer: str
    push: str | None = free()

    def __post_init__(self) -> None:
        torch_name(self.dtype, f"{WHERE}.dtype={self.dtype}")
        for one in self.formats:
            if one not in FORMATS:
                raise UserError(f"there is no format {one!r}", where=f"{WHERE}.formats", do=did_you_mean(one, FORMATS))
        if not self.formats or ("gguf" in self.formats and not self.gguf_types):
            raise UserError("nothing would be exported", where=f"{WHERE}.formats={self.formats}", do=f"{WHERE}.formats=[hf]")
        for one in self.gguf_types:
            gguf_file.check_type(one)
        pretokenizers.name_for({}, self.pretokenizer)
        hub.check_name(self.name, f"{WHERE}.name")
        if self.push is not None:
            hub.check_id(self.push, f"{WHERE}.push={self.push}")
        if "gguf" in self.formats:
            gguf_file.package()

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        weights = inputs["model"].get("parameters", 0)
        files = (4 if "hf" in self.formats else 0) + (4 * len(self.gguf_types) if "gguf" in self.formats else 0)
        pushed = f"pushes to {self.push}" if self.push else ""
        return Cost(seconds=5 + weights * files / 1e8, disk_bytes=round(weights * files), remark=" ".join([*self.formats, pushed]).strip())

    def run(self, work: Work, inputs: Inputs) -> Figures:
        from minisc.generation.generator import ENDS
        from minisc.model.base import load

        repository = work.path / REPOSITORY
        repository.mkdir(exist_ok=True)
        for name in ("model.safetensors", "config.json"):
            inputs["model"].file(name)
        loaded = load(inputs["model"].path)
        tokenizer = inputs["tokenizer"].file("tokenizer.json")
        config = loaded.spec.config(loaded.vocab_size)
        ancestors = provenance.lineage(inputs["model"], work.context.out)
        _check_ancestry(inputs["documents"], ancestors)
        written, cut = [], None
        if "gguf" in self.formats:
            cut = self._cut(tokenizer, inputs["documents"])
            written = self._gguf(repository / "gguf", loaded, config, tokenizer, work)
        if "hf" in self.formats:
            _weights(repository, loaded, torch_name(self.dtype, WHERE))
            write_settings(repository, tokenizer, torch_name(self.dtype, WHERE), ENDS)
        counts = self._data(repository, inputs["documents"])
        durable.write_json(repository / "lineage.json", provenance.told(ancestors))
        facts = Facts(
            name=self.name, license=self.license, config=config, parameters=loaded.spec.parameters(loaded.vocab_size), dtype=self.dtype,
            training=inputs["model"].manifest, command=provenance.command(inputs["model"].fingerprint, work.context.out),
            scores=_scores(inputs), counts=counts, gguf=written, pretokenizer=cut, hf="hf" in self.formats,
        )  # fmt: skip
        _write(repository / "README.md", model_card(facts))
        return self._figures(repository, facts)

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        folder = artifact.path / REPOSITORY
        context.speak.line(f"export: {folder}")
        if self.push is not None:
            for entry in artifact.manifest["files"]:
                artifact.file(entry["name"])  # what leaves the house is what was committed
            context.speak.line(f"export: pushed, {hub.push(folder, self.push, f'{WHERE}.push={self.push}')}")

    def _cut(self, tokenizer: Path, corpus: Artifact | None) -> dict[str, Any]:
        """How llama.cpp will cut text, and how often that is right."""
        name, exact = pretokenizers.name_for(json.loads(tokenizer.read_text(encoding="utf-8")), self.pretokenizer)
        told: dict[str, Any] = {"name": name, "exact": exact, "agreement": None, "tokens": 0}
        if corpus is not None and not exact:
            texts = (doc.text for doc in islice(read_docs(corpus.files("kept")), MEASURED))
            told["agreement"], told["tokens"] = pretokenizers.agreement(tokenizer, name, texts)
        return told

    def _gguf(self, folder: Path, loaded: Any, config: Mapping[str, Any], tokenizer: Path, work: Work) -> list[dict[str, Any]]:
        tensors = {name: tensor.detach().float().contiguous().numpy() for name, tensor in loaded.module.state_dict().items()}
        if config["sliding_window"] and config["sliding_window"] < config["max_position_embeddings"]:
            work.context.speak.warn(f"llama.cpp knows no attention window: its files say a context of {config['sliding_window']:,} tokens")
        out = []
        for type_, file in gguf_file.file_names(self.name, self.gguf_types).items():
            told = gguf_file.write(folder / file, tensors, config, tokenizer, name=self.name, type_=type_, pretokenizer=self.pretokenizer)
            out.append({"file": file, "type": type_, **told})
        return out

    def _data(self, repository: Path, corpus: Artifact | None) -> documents.Counts | None:
        if corpus is None:
            return None
        counts = documents.write_manifest(corpus.files("kept"), repository / documents.FILE)
        fall = json.loads(corpus.file("waterfall.json").read_text(encoding="utf-8"))
        _write(repository / "data_card.md", data_card(self.name, fall, counts, _decontaminated(corpus)))
        return counts

    def _figures(self, repository: Path, facts: Facts) -> Figures:
        figures: Figures = {"export_bytes": sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())}
        for one in facts.gguf:
            figures |= {f"gguf_{one['type']}_bytes": one["bytes"], f"gguf_{one['type']}_relative_error": one["relative_error"]}
        if facts.pretokenizer and facts.pretokenizer["agreement"] is not None:
            figures["gguf_same_tokens"] = facts.pretokenizer["agreement"]
        return figures


def _check_ancestry(corpus: Artifact | None, ancestors: list[provenance.Ancestor]) -> None:
    known = {one.fingerprint for one in ancestors}
    if corpus is not None and corpus.fingerprint not in known and all(one.manifest for one in ancestors):
        raise UserError(
            "the model was not trained on these documents, and its card would say so", where=f"inputs.documents={corpus.path}",
            do="name the documents that it was trained on, or leave inputs.documents out",
        )  # fmt: skip


def _weights(repository: Path, loaded: Any, dtype: str) -> None:
    """The module itself is cast: what is done with it afterwards sees the rounded weights."""
    import torch

    from minisc.model.base import save

    module = loaded.module.to(getattr(torch, dtype))
    lost = [name for name, tensor in module.state_dict().items() if not bool(torch.isfinite(tensor).all())]
    if lost:
        raise UserError(f"{dtype} cannot hold the weights of {lost[0]}", where=f"{WHERE}.dtype", do=f"{WHERE}.dtype=bf16")
    save(repository, module, loaded.spec, loaded.vocab_size)


def _scores(inputs: Inputs) -> dict[str, Any]:
    """Of this model's evaluations; another model's scores have no place in its card."""
    told: dict[str, Any] = {}
    for evaluation in inputs["evaluations"]:
        if _models(evaluation) == [inputs["model"].fingerprint]:
            told |= json.loads(evaluation.file("scores.json").read_text(encoding="utf-8"))
    return told


def _models(evaluation: Artifact) -> list[Any]:
    """Whose scores these are: a trace says whose words it compared."""
    if evaluation.has("trace.json"):
        return list(json.loads(evaluation.file("trace.json").read_text(encoding="utf-8"))["models"])
    return [evaluation.manifest["inputs"].get("model")]


def _decontaminated(corpus: Artifact) -> dict[str, int] | None:
    name = "tables/decontaminate/items.parquet"
    if not corpus.has(name):
        return None
    rows = pq.read_table(corpus.file(name), columns=["benchmark", "item", "documents", "trivial"]).to_pylist()
    found = Counter((row["benchmark"], row["item"]) for row in rows if row["documents"])
    return {
        "benchmarks": len({row["benchmark"] for row in rows}), "items": len({(row["benchmark"], row["item"]) for row in rows}),
        "found": len(found), "trivial": sum(row["trivial"] for row in rows),
    }  # fmt: skip


def _write(path: Path, text: str) -> None:
    with durable.write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
