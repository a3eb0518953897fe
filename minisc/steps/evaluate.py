"""evaluate: scores of a model, each evaluation by itself.

In: a model (its tokenizer is inside it), and documents where an evaluation reads held-out or training text. Out: an
`evaluation` artifact: scores.json, {evaluation: {about, figures, tables}}. A finished evaluation is kept over a kill.

Of a model that was tuned from a given one, bits per byte are told four times (`tuning`): before and after, on these documents and on those
that the given model was pretrained on, so that one sees what was learned and what was forgotten. The pretraining documents are
`inputs.pretraining=…`, or those of the run that `inputs.model` names; where neither holds any, that half is left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable, scoreboard
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.parts import read_docs
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.evals.base import Eval, Subject
from minisc.steps.training import BYTES_PER_TOKEN, LOADING, expected_speed

HELD_OUT_SHARE = 0.03  # of the bytes, where it is not yet known (conf/steps/collect.yaml)
TUNED = "bits_per_byte"  # the evaluation that is told before and after
EVENTS = "tensorboard"  # in the run's folder, where a training writes too


@dataclass(frozen=True, kw_only=True)
class Evaluate(Step):
    version: ClassVar[int] = 2  # 2: what tuning gave
    makes: ClassVar[tuple[str, ...]] = ("evaluation",)
    needs: ClassVar[Mapping[str, Need]] = {
        "model": Need("model"), "tokenizer": Need("tokenizer"), "documents": Need("documents", optional=True),
        "start": Need("model", optional=True, given=True, told_as="model"), "pretraining": Need("documents", optional=True, given=True, told_as="model"),
    }  # fmt: skip

    evals: dict[str, Eval]
    benchmarks: str | None = free()  # the files' contents are in each evaluation's identity, not where they lie

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        """From the parameters, the held-out bytes and the bytes a token; without the first nothing is said of time. The files are looked at."""
        parameters = inputs["model"].get("parameters")
        told = inputs.get("documents") or {}
        held_out = told.get("held_out_bytes") or HELD_OUT_SHARE * told.get("bytes_kept", 0)
        bytes_per_token = inputs["tokenizer"].get("bytes_per_token") or BYTES_PER_TOKEN
        efforts = [one.effort(self._folder, held_out, bytes_per_token) for one in self.evals.values()]
        if not parameters:
            return Cost(remark=" ".join(self.evals))
        speed, _ = expected_speed("auto")
        return Cost(seconds=LOADING + sum(one.seconds(parameters, speed) for one in efforts), remark=" ".join(self.evals))

    @property
    def _folder(self) -> Path | None:
        return Path(self.benchmarks).expanduser() if self.benchmarks else None

    def run(self, work: Work, inputs: Inputs) -> Figures:
        subject = self._subject(work, inputs, "model", "documents")
        told = {name: _score(name, evaluation, subject, work) for name, evaluation in self.evals.items()}
        figures: Figures = {}
        for scores in told.values():
            figures |= scores["figures"]
        if TUNED in self.evals and inputs["start"] is not None and inputs["start"].fingerprint != inputs["model"].fingerprint:
            told["tuning"] = self._tuning(work, inputs, told[TUNED])
            figures |= told["tuning"]["figures"]
        durable.write_json(work.path / "scores.json", told)
        return figures

    def _subject(self, work: Work, inputs: Inputs, model: str, documents: str) -> Subject:
        from minisc.model.base import load
        from minisc.tokenizer.base import Tokenizer

        for name in ("model.safetensors", "config.json"):
            inputs[model].file(name)
        return Subject(
            model=load(inputs[model].path), tokenizer=Tokenizer.load(inputs["tokenizer"].file("tokenizer.json")),
            documents=_reader(inputs, documents), scratch=work.scratch, speak=work.context.speak,
            benchmarks=self._folder,
        )  # fmt: skip

    def _tuning(self, work: Work, inputs: Inputs, after: Mapping[str, Any]) -> dict[str, Any]:
        """Bits per byte before and after, here and on the documents of pretraining: {about, figures, tables}."""
        found = {("documents", "model"): after}
        for documents in ("documents", "pretraining") if inputs["pretraining"] is not None else ("documents",):
            for model in ("start", "model"):
                if (documents, model) not in found:
                    subject = self._subject(work, inputs, model, documents)
                    found[documents, model] = _score(f"{TUNED}_{documents}_{model}", self.evals[TUNED], subject, work)
        figures = {
            f"{'pretraining_' if documents == 'pretraining' else ''}{TUNED}_{'before' if model == 'start' else 'after'}": scores["figures"][
                TUNED
            ]
            for (documents, model), scores in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] == "model"))
        }
        for where, prefix in (("held out here", ""), ("held out of pretraining", "pretraining_")):
            if f"{prefix}{TUNED}_before" in figures:
                before, now = figures[f"{prefix}{TUNED}_before"], figures[f"{prefix}{TUNED}_after"]
                work.context.speak.line(f"bits per byte, {where}: {before:.3f} before tuning, {now:.3f} after")
        return {"about": "Bits per byte of held-out files before and after tuning.", "figures": figures, "tables": {}}

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        """The scores as a table, and as scalars beside the training's, so that TensorBoard's HPARAMS page ranks the jobs of a sweep by them."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        from minisc.trainer.events import Events

        scores = json.loads(artifact.file("scores.json").read_text(encoding="utf-8"))
        context.speak.table("scores", scoreboard.HEAD, scoreboard.rows(scores))
        figures = {f"eval/{name}": value for name, value in artifact.figures.items() if isinstance(value, (int, float))}
        with Events(context.run / EVENTS, time.time()) as events:
            events.add(Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]))


def _reader(inputs: Inputs, role: str) -> Any:
    def documents(split: str) -> Iterable[Doc]:
        if inputs[role] is None:
            raise UserError(
                "this evaluation reads documents, and none were given", where="steps=[evaluate]", do="inputs.documents=latest:RECIPE"
            )
        return read_docs(inputs[role].files("kept"), split)

    return documents


def _score(name: str, evaluation: Eval, subject: Subject, work: Work) -> dict[str, Any]:
    done = work.scratch / f"{name}.json"
    if not done.exists():
        scores = evaluation.score(subject)
        durable.write_json(
            done,
            {"about": scores.about, "figures": dict(scores.figures), "tables": {key: list(rows) for key, rows in scores.tables.items()}},
        )
    return dict(json.loads(done.read_text(encoding="utf-8")))
