"""report: what a run did, as a page that people would rather look at than read.

In: the steps of this run and their artifacts. Out: `report.html` (self-contained) and `report.md` in the run's folder. It
looks everything up and decides nothing: what is shown, and how, is `minisc/report/`.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable, mirror
from minisc.core.artifact import Artifact, Figures
from minisc.core.errors import BadInput
from minisc.core.runs import STORY, Run, found, read_run, scores_of, settings_of
from minisc.core.step import Closing, Context, Done
from minisc.evals.pairs import differences
from minisc.report.html import render_html
from minisc.report.markdown import render_markdown
from minisc.report.story import Story


@dataclass(frozen=True, kw_only=True)
class Report(Closing):
    version: ClassVar[int] = 2

    against: str | None

    def look(self, done: Sequence[Done], context: Context) -> Figures:
        story = self._story(done, context)
        page = context.run / "report.html"
        for path, text in ((page, render_html(story)), (context.run / "report.md", render_markdown(story))):
            with durable.write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return {"report_bytes": page.stat().st_size, "where": str(page)}

    def _story(self, done: Sequence[Done], context: Context) -> Story:
        made = [item for item in done if item.artifact is not None]
        told: dict[str, Any] = {"recipe": "", "command": "", "figures": {}}
        if (context.run / STORY).exists():  # not of a report alone
            told |= json.loads((context.run / STORY).read_text(encoding="utf-8"))
        scores = _scores(made)
        corpus, samples = _last(made, "documents"), _last(made, "samples")
        return Story(
            recipe=told["recipe"], command=told["command"], date=time.strftime("%Y-%m-%d %H:%M"), machine=machine(),
            seconds=sum(item.seconds for item in done), figures=told["figures"], steps=told.get("steps", ()) if made else (),
            waterfall=_waterfall(corpus) if corpus else None,
            metrics={item.step: _lines(item.artifact) for item in made if item.artifact and item.artifact.has("metrics.jsonl")},
            scores=scores, samples=_json(samples, "samples.json") or (), traces=_traces(made, samples), earlier=self._earlier(scores, context) if made else None, beside=_compared(context),
            places=[(item.step, _place(item.artifact.path)) for item in made if item.artifact] + [("run", _place(context.run))],
            versions=made[-1].artifact.manifest["versions"] if made and made[-1].artifact else {}, config=_settings(context), warnings=tuple(context.speak.warnings),
        )  # fmt: skip

    def _earlier(self, scores: Mapping[str, Any], context: Context) -> dict[str, Any] | None:
        """The run that is compared with: what both it and this one have. None where there is none."""
        if self.against is None:
            return None
        runs = _previous(context) if self.against == PREVIOUS else found(self.against, context.out)
        if not runs:
            return None
        then = runs[-1]
        artifacts = [Artifact(made.artifact) for made in then.made if made.artifact is not None]
        learnt = next((artifact for artifact in artifacts if artifact.has("metrics.jsonl")), None)
        here, there = settings_of(context.run), settings_of(then.folder)
        differing = {key: [there.get(key, ""), here.get(key, "")] for key in {**there, **here} if there.get(key) != here.get(key)}
        return {
            "name": then.name, "command": then.command, "figures": then.figures, "settings": differing, "metrics": _lines(learnt) if learnt else [],
            "apart": [[one.figure, *one.shown()] for one in differences(scores_of(then), scores)],
        }  # fmt: skip


PREVIOUS = "previous"
COMPARED = "compare.json"  # what the step `compare` has left in the run's folder


def _compared(context: Context) -> dict[str, Any] | None:
    path = context.run / COMPARED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _previous(context: Context) -> list[Run]:
    """The run of the same recipe before this one: folders are named by their dates. One whose story is broken is passed over."""
    for path in sorted(context.run.parent.glob(f"*/{STORY}"), reverse=True):
        if path.parent.name < context.run.name:
            try:
                return [read_run(path.parent)]
            except BadInput:
                continue
    return []


def _place(path: Path) -> str:
    return mirror.name(path) if mirror.is_mirror(path) else os.path.relpath(path)


def _last(done: Sequence[Done], kind: str) -> Artifact | None:
    return next((item.artifact for item in reversed(done) if item.artifact and kind in item.artifact.kinds), None)


def _json(artifact: Artifact | None, name: str) -> Any:
    return json.loads(artifact.file(name).read_text(encoding="utf-8")) if artifact and artifact.has(name) else None


def _lines(artifact: Artifact) -> list[dict[str, Any]]:
    return [json.loads(line) for line in artifact.file("metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def _waterfall(corpus: Artifact) -> dict[str, Any]:
    return {**_json(corpus, "waterfall.json"), "samples": _json(corpus, "samples.json")}


def _scores(done: Sequence[Done]) -> Mapping[str, Any]:
    """Of all evaluations of the run; of two scores of one name the later."""
    told: dict[str, Any] = {}
    for item in done:
        if item.artifact and "evaluation" in item.artifact.kinds:
            told |= _json(item.artifact, "scores.json") or {}
    return told


def _traces(done: Sequence[Done], samples: Artifact | None) -> dict[int, Any]:
    """What each sample repeats, where the run traced these samples."""
    told = next((_json(item.artifact, "trace.json") for item in reversed(done) if item.artifact and item.artifact.has("trace.json")), None)
    return {entry["at"]: entry for entry in told["texts"] if samples and entry["artifact"] == samples.fingerprint} if told else {}


def _settings(context: Context) -> str:
    path = context.run / "settings" / "config.yaml"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def machine() -> str:
    """The machine in a line: system, processor, cores."""
    name = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            name = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass  # no Linux: the processor's own word will do
    return f"{platform.system()} {platform.machine()}, {name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
