"""The step `trace`: what a person may ask, what is told, what the score counts, and errors in three parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from minisc.core import durable
from minisc.core.artifact import Artifact, Work
from minisc.core.errors import BadInput, DamagedArtifact, UserError
from minisc.core.parts import read_docs
from minisc.core.step import Context, Step
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute
from minisc.steps.collect import Collect
from minisc.steps.export import Export
from minisc.steps.index import Index
from minisc.steps.report import Report
from minisc.steps.trace import Trace
from tests import made
from tests.silent import Silent
from tests.steps import small_road
from tests.steps.test_export import SETTINGS

BODY = "\n".join(f"    value_{at} = compute_{at}(first={at}, second=[{at}])" for at in range(40))
ROWS = [
    made.row("octo/kept", "src/body.py", f"def body():\n{BODY}\n", license="MIT"),
    *(made.row(f"r{at}", "m.py", f"x{at} = {at}\n") for at in range(30)),
]


def asking(text: Any = None, **changes: Any) -> Trace:
    return Trace(**{"text": text, "least": 24, "long": 50, "distinct": 6, "places": 256, "shown": 3, **changes})


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path]:
    folder = tmp_path_factory.mktemp("indexed")
    steps: dict[str, Step] = {
        "collect": Collect(source=made.Listed(given=[ROWS]), seed=3, held_out=0.01, budget="20x"),
        "index": Index(window=16, every=8),
    }
    return made.run(steps, made.context(folder))["index"], folder


def ask(indexed: tuple[Artifact, Path], text: Any, **changes: Any) -> tuple[dict[str, Any], Context]:
    where = made.context(indexed[1])
    artifact = made.run({"trace": asking(text, **changes)}, where, index=str(indexed[0].path))["trace"]
    return json.loads(artifact.file("trace.json").read_text()), where


def test_a_text_and_its_origin(indexed: tuple[Artifact, Path]) -> None:
    told, where = ask(indexed, BODY[200:1200].replace("    ", "\t"))
    (entry,) = told["texts"]
    (span,) = entry["spans"]
    assert span["origins"][0]["path"] == "src/body.py"
    ((title, rows),) = cast(Silent, where.speak).tables
    assert title == "text 1 repeats"
    assert rows[0][2:] == ["MIT", f"swh:1:cnt:{ROWS[0]['sha1_git']}"]
    assert json.loads((next((indexed[1] / "store" / "trace").glob("*/scores.json"))).read_text()) == {}, (
        "a given text is no score of a model"
    )


def test_files_and_lists(indexed: tuple[Artifact, Path], tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(BODY.encode() + b"\0\xff\xfe")
    lines = [json.dumps(BODY), "", json.dumps({"completion": "x \ud800"}), json.dumps({"text": BODY[:300]})]
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    told, _ = ask(indexed, [f"@{tmp_path}/a.py", f"@{tmp_path}/many.jsonl", 17])
    assert [entry["name"] for entry in told["texts"]] == ["a.py", "many.jsonl:1", "many.jsonl:3", "many.jsonl:4", "text 5"]
    assert [entry["longest"] > 50 for entry in told["texts"]] == [True, True, False, True, False]


def test_another_content_of_the_same_file_is_another_question(indexed: tuple[Artifact, Path], tmp_path: Path) -> None:
    found = []
    for text in (BODY, "nothing\n"):
        (tmp_path / "a.py").write_text(text)
        found.append(ask(indexed, f"@{tmp_path}/a.py")[0]["texts"][0]["longest"] > 0)
    assert found == [True, False]


@pytest.mark.parametrize(
    ("text", "changes", "what", "do"),
    [
        (None, {}, "nothing to trace", "inputs.samples"),
        ("", {}, "nothing to trace", "text="),
        ("@/nowhere/a.py", {}, "cannot be read", "text=@"),
        ({"a": 1}, {}, "no text", "text=@<file>"),
        ("x", {"least": 20}, "23 tokens for certain", "steps.trace.least=23"),
        ("x", {"distinct": 17}, "16 tokens", "steps.trace.distinct"),
        ("x", {"least": 60}, "not looked for", "steps.trace.least=50"),
        ("x", {"places": 0}, "from 1 on", "leave it out"),
    ],
)
def test_questions_that_cannot_be_answered(indexed: tuple[Artifact, Path], text: Any, changes: dict[str, int], what: str, do: str) -> None:
    with pytest.raises(UserError, match=what) as caught:
        ask(indexed, text, **changes)
    assert do in caught.value.do
    assert caught.value.where


@pytest.mark.parametrize("line", ["{", '{"other": 1}', "[1]", "3"])
def test_a_line_that_holds_no_text_is_named(indexed: tuple[Artifact, Path], tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text('"x"\n' + line)
    with pytest.raises(BadInput) as caught:
        ask(indexed, f"@{tmp_path}/a.jsonl")
    assert "line 2" in caught.value.where


def test_a_damaged_index_is_found_before_it_is_believed(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    road: dict[str, Step] = {
        "collect": Collect(source=made.Listed(given=[ROWS]), seed=4, held_out=0.01, budget="20x"),
        "index": Index(window=16, every=8),
    }
    index = made.run(road, where)["index"]
    path = next(index.path.glob("index/*.hashes.npy"))
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(DamagedArtifact):
        made.run({"trace": asking("x")}, where, index=str(index.path))


def test_what_a_model_wrote_is_scored_and_shown(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    """The samples of a real road, one of them replaced by training text: its origin stands in the report."""
    artifacts, old = finished
    where = replace(old, run=tmp_path / "runs" / "small" / "2")
    where.run.mkdir(parents=True)
    doc = max(read_docs(artifacts["collect"].files("kept"), "train"), key=lambda doc: (len(doc.text), doc.uid))
    index = made.run({"index": Index(window=16, every=8)}, where, documents=str(artifacts["collect"].path))["index"]
    steps: dict[str, Step] = {**small_road.steps(), "index": Index(window=16, every=8), "trace": asking(), "report": Report(against=None)}
    execute(plan(steps, {}, where), Story(command="x", recipe="small"), where)
    scores = json.loads(next((where.out / "store" / "trace").glob("*/scores.json")).read_text())
    figures = scores["verbatim_repeats"]["figures"]
    assert figures["texts_traced"] == 2
    assert "words and signs" in (where.run / "report.html").read_text()
    (where.run / "one").mkdir()
    durable.write_json(where.run / "one" / "samples.json", [{"name": "<b>", "completion": "import os\n" + doc.text}])
    copied = Work(where.run / "one", where).commit(
        {"step": "generate", "fingerprint": "ab" * 10, "kinds": ["samples"], "inputs": {"model": artifacts["pretrain"].fingerprint}}, {}
    )
    traced = made.run({"trace": asking()}, where, index=str(index.path), samples=str(copied.path))["trace"]
    told = json.loads(traced.file("trace.json").read_text())
    assert told["models"] == [artifacts["pretrain"].fingerprint]
    assert traced.figures["share_repeating_50_tokens"] == 1.0
    assert 0.2 < traced.figures["share_repeating_50_tokens_low"] < 0.3
    (row,) = json.loads(traced.file("scores.json").read_text())["verbatim_repeats"]["tables"]["repeats"]
    assert (row["repo"], row["path"], row["line"]) == (doc.repo, doc.path_text, 1)
    given = {"model": str(artifacts["pretrain"].path), "evaluations": str(traced.path)}
    card = (made.run({"export": Export(**SETTINGS)}, where, **given)["export"].path / "repository" / "README.md").read_text(
        encoding="utf-8"
    )
    assert "| share repeating 50 tokens | 100.0 % | " in card, "what its words repeat stands among the scores in the card"
