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
from minisc.core.step import Closing, Context, Done
from minisc.report.html import render_html
from minisc.report.markdown import render_markdown
from minisc.report.story import Story


@dataclass(frozen=True, kw_only=True)
class Report(Closing):
    version: ClassVar[int] = 1

    def look(self, done: Sequence[Done], context: Context) -> Figures:
        story = self._story(done, context)
        page = context.run / "report.html"
        for path, text in ((page, render_html(story)), (context.run / "report.md", render_markdown(story))):
            with durable.write(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return {"report_bytes": page.stat().st_size, "where": str(page)}

    def _story(self, done: Sequence[Done], context: Context) -> Story:
        made = [item for item in done if item.artifact is not None]
        told: dict[str, Any] = (
            json.loads((context.run / "run.json").read_text(encoding="utf-8")) if made else {"recipe": "", "command": "", "figures": {}}
        )
        corpus = _last(made, "documents")
        return Story(
            recipe=told["recipe"], command=told["command"], date=time.strftime("%Y-%m-%d %H:%M"), machine=machine(),
            seconds=sum(item.seconds for item in done), figures=told["figures"], steps=told.get("steps", ()),
            waterfall=_waterfall(corpus) if corpus else None,
            metrics={item.step: _lines(item.artifact) for item in made if item.artifact and item.artifact.has("metrics.jsonl")},
            scores=_scores(_last(made, "evaluation")), samples=_json(_last(made, "samples"), "samples.json") or (),
            places=[(item.step, _place(item.artifact.path)) for item in made if item.artifact] + [("run", _place(context.run))],
            versions=made[-1].artifact.manifest["versions"] if made and made[-1].artifact else {}, config=_settings(context), warnings=tuple(context.speak.warnings),
        )  # fmt: skip


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


def _scores(evaluation: Artifact | None) -> Mapping[str, Any]:
    return _json(evaluation, "scores.json") or {}


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
