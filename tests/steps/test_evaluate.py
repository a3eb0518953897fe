from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.steps.evaluate import Evaluate
from minisc.steps.export import Export
from minisc.steps.report import Report
from tests import made
from tests.evals import exams
from tests.evals.test_humaneval import ROWS
from tests.steps import small_road
from tests.steps.small_road import EVALS
from tests.steps.test_export import SETTINGS


def test_scores_are_kept_with_what_they_are(finished: tuple[dict[str, Artifact], Context]) -> None:
    artifacts, _ = finished
    scores = json.loads(artifacts["evaluate"].file("scores.json").read_text())
    figures = artifacts["evaluate"].figures
    assert list(scores) == ["bits_per_byte"]
    assert scores["bits_per_byte"]["figures"]["bits_per_byte"] == figures["bits_per_byte"]
    assert 2 < figures["bits_per_byte"] < 9
    assert 1 < figures["zlib_bits_per_byte"] < 6


def test_a_model_alone_cannot_be_scored_on_documents_that_nobody_gave(finished: tuple[dict[str, Artifact], Context]) -> None:
    artifacts, where = finished
    with pytest.raises(UserError, match="reads documents, and none were given") as caught:
        made.run({"evaluate": small_road.steps()["evaluate"]}, where, model=str(artifacts["pretrain"].path))
    assert caught.value.do == "inputs.documents=latest:RECIPE"


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmarks")
    exams.written(folder, "Small", ROWS)
    return folder


def exam(folder: Path) -> dict[str, Any]:
    told = exams.written(folder, "Small", ROWS)
    return {"humaneval": exams.built("humaneval", lambda node: node.update(benchmark=told, max_new_tokens=4))}


@pytest.mark.parametrize("leaked", [True, False])
def test_contamination_stands_beside_the_score_wherever_it_is_shown(leaked: bool, benchmarks: Path, tmp_path: Path) -> None:
    """One item of three in a training document, or in none: in the terminal, the report, the card, TensorBoard's figures."""
    copied = ROWS[2]["prompt"] + ROWS[2]["canonical_solution"]
    text = f"import os\n\n\n{copied.replace('    ', chr(9))}\n" if leaked else "import os\n\n\nprint(os.sep)\n"
    rows = [[made.row(f"leak{at}", "copy.py", f"# {at}\n{text}") for at in range(6)], *small_road.rows()]
    steps = small_road.steps()
    steps["collect"] = replace(steps["collect"], source=made.Listed(given=rows))
    steps["evaluate"] = replace(steps["evaluate"], evals=exam(benchmarks), benchmarks=str(benchmarks))
    steps |= {"export": Export(**SETTINGS), "report": Report(against=None)}
    where = made.context(tmp_path)
    artifacts = made.run(steps, where)
    seen = "1 of 3; without them 0.0 %" if leaked else "0 of 3"
    assert artifacts["evaluate"].figures["humaneval_items_seen"] == int(leaked)
    [table] = [rows for title, rows in where.speak.tables if title == "scores"]  # type: ignore[attr-defined]
    assert [row[0] for row in table] == ["humaneval pass at 1"] and table[0][3:] == ["3 items", seen]
    scores = json.loads(artifacts["evaluate"].file("scores.json").read_text())
    assert [row["seen"] > 0.9 for row in scores["humaneval"]["tables"]["items"]] == [False, False, leaked]
    for page in (where.run / "report.html", where.run / "report.md", artifacts["export"].path / "repository" / "README.md"):
        told = page.read_text(encoding="utf-8")
        row = next(line for line in re.split("\n|<tr>", told) if "humaneval pass at 1" in line and "3 items" in line)
        assert seen.split(";")[0] in row, (page.name, row)


def test_what_it_lacks_is_said_before_anything_runs(benchmarks: Path, tmp_path: Path) -> None:
    where, inputs = made.context(tmp_path), {"model": {"parameters": 1e6}, "tokenizer": {}}
    step = Evaluate(evals=exam(benchmarks), benchmarks=str(benchmarks))
    assert step.cost(inputs, where).seconds
    (tmp_path / "Small.jsonl").write_text("{}\n")
    for folder, what in ((tmp_path / "none", "not in the folder"), (tmp_path, "not the benchmark that we know")):
        with pytest.raises(UserError, match=what):
            replace(step, benchmarks=str(folder)).cost(inputs, where)


def test_more_to_do_costs_more(benchmarks: Path, tmp_path: Path) -> None:
    where = made.context(tmp_path)

    def seconds(parameters: float = 1e7, held_out: float = 1e6, **changes: Any) -> float:
        told = {
            "humaneval": replace(exam(benchmarks)["humaneval"], **changes),
            "bits_per_byte": replace(EVALS["bits_per_byte"], max_bytes=10**7),
        }
        inputs = {"model": {"parameters": parameters}, "tokenizer": {"bytes_per_token": 3.0}, "documents": {"held_out_bytes": held_out}}
        return Evaluate(evals=told, benchmarks=str(benchmarks)).cost(inputs, where).seconds or 0

    least = seconds()
    assert least < min(seconds(parameters=2e7), seconds(held_out=2e6), seconds(max_new_tokens=4000), seconds(samples=9, temperature=0.2))
    assert Evaluate(evals=EVALS, benchmarks=None).cost({"model": {}, "tokenizer": {}}, where).seconds is None, (
        "an imported model tells no size"
    )
