"""evaluate: scores of a model, each evaluation by itself.

In: a model (its tokenizer is inside it), and documents where an evaluation reads held-out or training text. Out: an
`evaluation` artifact: scores.json, {evaluation: {about, figures, tables}}. A finished evaluation is kept over a kill.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.parts import read_docs
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.evals.base import Eval, Subject

EVENTS = "tensorboard"  # in the run's folder, where a training writes too


@dataclass(frozen=True, kw_only=True)
class Evaluate(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("evaluation",)
    needs: ClassVar[Mapping[str, Need]] = {
        "model": Need("model"), "tokenizer": Need("tokenizer"), "documents": Need("documents", optional=True),
    }  # fmt: skip

    evals: dict[str, Eval]
    benchmarks: str | None = free()  # the files' contents are in each evaluation's identity, not where they lie

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return Cost(remark=" ".join(self.evals))

    def run(self, work: Work, inputs: Inputs) -> Figures:
        from minisc.model.base import load
        from minisc.tokenizer.base import Tokenizer

        for name in ("model.safetensors", "config.json"):
            inputs["model"].file(name)
        subject = Subject(
            model=load(inputs["model"].path), tokenizer=Tokenizer.load(inputs["tokenizer"].file("tokenizer.json")),
            documents=_reader(inputs), scratch=work.scratch, speak=work.context.speak,
            benchmarks=Path(self.benchmarks).expanduser() if self.benchmarks else None,
        )  # fmt: skip
        told = {name: _score(name, evaluation, subject, work) for name, evaluation in self.evals.items()}
        durable.write_json(work.path / "scores.json", told)
        figures: Figures = {}
        for scores in told.values():
            figures |= scores["figures"]
        return figures

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        """The figures as scalars beside the training's, so that TensorBoard's HPARAMS page ranks the jobs of a sweep by them."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        from minisc.trainer.events import Events

        figures = {f"eval/{name}": value for name, value in artifact.figures.items() if isinstance(value, (int, float))}
        with Events(context.run / EVENTS, time.time()) as events:
            events.add(Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items()]))


def _reader(inputs: Inputs) -> Any:
    def documents(split: str) -> Iterable[Doc]:
        if inputs["documents"] is None:
            raise UserError(
                "this evaluation reads documents, and none were given", where="steps=[evaluate]", do="inputs.documents=latest:RECIPE"
            )
        return read_docs(inputs["documents"].files("kept"), split)

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
