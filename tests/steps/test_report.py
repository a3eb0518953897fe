from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from minisc.core.artifact import Artifact
from minisc.core.step import Context, Step
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute
from minisc.steps.report import Report
from tests import made
from tests.steps import small_road


def test_the_report_tells_what_the_run_did(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    where = replace(finished[1], run=tmp_path)
    steps: dict[str, Step] = {**small_road.steps(), "report": Report(against="previous")}
    done = execute(plan(steps, {}, where), Story(command="python -m minisc <b>", recipe="test"), where)
    page, text = (where.run / "report.html").read_text(), (where.run / "report.md").read_text()
    for words in ("bits per byte", "zlib", "def f(", "pretrain"):
        assert words in page
        assert words in text
    assert "<b>" not in page.split("<body", 1)[1].replace("<b>", "", page.count("</b>"))
    assert done[-1].figures["report_bytes"] == (where.run / "report.html").stat().st_size
    assert done[-1].artifact is None


def test_a_report_of_a_corpus_alone_is_a_report(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    steps: dict[str, Step] = {"collect": small_road.steps()["collect"], "report": Report(against=None)}
    execute(plan(steps, {}, where), Story(command="test", recipe="test"), where)
    assert "collect" in (where.run / "report.html").read_text()
