"""The filter `decontaminate`: on a small benchmark of our own, and on the real ones where MINISC_BENCHMARKS names their folder."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe
from minisc.filters.decontaminate import Decontaminate, normalised
from minisc.text.renaming import tokens_of
from tests.support import notes, reasons, row, run_stage

OPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/filters/decontaminate.yaml").read_text(encoding="utf-8"))[
    "decontaminate"
]
SETTINGS = {key: value for key, value in OPTION.items() if key != "_target_"}

PROMPT = '''def tide(heights, moon):
    """ Given the heights of the water in the harbour, one for each hour, and the phase of the moon as a number
    between zero and one, say in which hours a boat of two metres draught can leave. Heights below zero are errors.
    >>> tide([1.0, 2.5, 3.0], 0.5)
    [1, 2]
    """
'''
SOLUTION = """    hours = []
    for hour, height in enumerate(heights):
        if height < 0:
            raise ValueError(height)
        lift = 0.25 * (1 - abs(2 * moon - 1))
        if height + lift > 2:
            hours.append(hour)
    return hours
"""
RENAMED = """
def departures(levels, phase):
    found = []  # hours
    for at, level in enumerate(levels):
        if level < 0:
            raise ValueError(
                level
            )
        extra = 0.25 * (1 - abs(2 * phase - 1))
        if level + extra > 2:
            found.append(at)
    return found
"""
QUESTION = "A lighthouse keeper climbs 217 steps every evening and rests after each 31 of them. How often does she rest on the way up?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"task_id": "T/0", "prompt": PROMPT, "canonical_solution": SOLUTION},
        {"task_id": "T/1", "prompt": 'def add(x, y):\n    """Add."""\n', "canonical_solution": "    return x + y\n"},
    ]
    with gzip.open(tmp_path / "tasks.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in rows)
    pyarrow.parquet.write_table(pa.table({"question": [QUESTION], "answer": ["6"]}), tmp_path / "mine.parquet")
    return tmp_path


def stage(folder: Path | None, **changes: Any) -> Decontaminate:
    benchmarks = {
        "tasks": {"file": "tasks.jsonl.gz", "id": "task_id", "prompt": ["prompt"], "solution": ["canonical_solution"]},
        "mine": {"file": "mine.parquet", "prompt": ["question"], "solution": ["answer"]},
    }
    return Decontaminate(**{**SETTINGS, "folder": folder and str(folder), "benchmarks": benchmarks, **changes})


CASES = {
    "a docstring under another name": ("prompt", PROMPT.replace("tide(heights, moon)", "f(a, b)") + "    pass\n"),
    "a docstring in another layout and case": ("prompt", "x = 1\n# " + PROMPT.upper().replace("\n    ", "\n#\t  ") + "y = 2\n"),
    "a solution": ("solution", "def f(heights, moon):\n" + SOLUTION),
    "a solution with tabs": ("solution", "def f(heights, moon):\n" + SOLUTION.replace("    ", "\t")),
    "a solution with other names": ("renamed", RENAMED),
    "a docstring with words changed": ("overlap", "'''" + PROMPT.replace("of two metres", "of three feet") + "'''\n"),
    "a question": ("prompt", f"x = '{QUESTION}'\n"),
    "half a docstring": ("", "'''" + PROMPT[30:170] + "'''\n"),
    "a trivial solution": ("", "def add(x, y):\n    return x + y\n"),
    "a trivial docstring": ("", 'def add(x, y):\n    """Add."""\n'),
    "another program of the same shape": ("", RENAMED.replace("found.append(at)", "found.append(level)")),
    "other numbers": ("", RENAMED.replace("0.25", "0.75")),
    "nothing": ("", "import os\n\nprint(os.sep)\n"),
    "no text": ("", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_reasons(case: str, folder: Path) -> None:
    expected, text = CASES[case]
    assert list(reasons(run_stage(stage(folder), [row(text)])).values()) == [expected]


def test_without_renaming_other_names_pass(folder: Path) -> None:
    assert set(reasons(run_stage(stage(folder, renamed=False), [row(RENAMED)])).values()) == {""}


def test_names_are_renamed_one_to_one(folder: Path) -> None:
    assert set(reasons(run_stage(stage(folder), [row(RENAMED.replace("extra", "level"))])).values()) == {""}


def test_all_documents_at_once_in_any_batch(folder: Path) -> None:
    rows = [row(text, uid=case) for case, (_, text) in CASES.items()]
    expected = {case: reason for case, (reason, _) in CASES.items()}
    for batch in (1, 3, 100):
        assert reasons(run_stage(stage(folder), rows, batch=batch)) == expected


def test_report_names_item_document_and_how(folder: Path, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.mkdir()
    table = run_stage(stage(folder), [row(text, uid=case) for case, (_, text) in CASES.items()], folder=found)
    report = pyarrow.parquet.read_table(found / "report.parquet").to_pylist()
    assert {
        "benchmark": "tasks",
        "item": "T/0",
        "part": "solution",
        "how": "renamed",
        "share": 1.0,
        "uid": "a solution with other names",
    } in report
    assert {(told["benchmark"], told["item"]) for told in report} == {("tasks", "T/0"), ("mine", "0")}
    [partly] = [told for told in report if told["how"] == "overlap"]
    assert 0.7 <= partly["share"] < 1
    items = {
        (told["item"], told["part"]): told
        for told in pyarrow.parquet.read_table(found / "items.parquet").to_pylist()
        if told["benchmark"] == "tasks"
    }
    assert items["T/1", "solution"]["trivial"] and items["T/1", "solution"]["documents"] == 0
    assert not items["T/0", "prompt"]["trivial"] and items["T/0", "prompt"]["documents"] == 3
    assert json.loads(notes(table)["a solution"]["benchmark_items"]) == ["tasks/T/0"]


def test_a_document_with_a_whole_item_in_the_middle_of_a_long_line(folder: Path) -> None:
    text = "x = '" + "lorem ipsum " * 50_000 + QUESTION + "dolor " * 50_000 + "'"
    assert set(reasons(run_stage(stage(folder), [row(text)])).values()) == {"prompt"}


def test_ten_thousand_identical_documents(folder: Path) -> None:
    rows = [row(CASES["a solution"][1], uid=str(at)) for at in range(10_000)]
    assert set(reasons(run_stage(stage(folder), rows)).values()) == {"solution"}


@given(before=st.text(max_size=80), after=st.text(max_size=80), layout=st.sampled_from(["\n", "\t", "  ", "\r\n"]))
@settings(deadline=None, max_examples=40)
def test_an_item_is_found_in_any_surroundings(tmp_path_factory: pytest.TempPathFactory, before: str, after: str, layout: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "shared"
    folder.mkdir(exist_ok=True)
    (folder / "q.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n", encoding="utf-8")
    text = (before + layout.join(QUESTION.split()) + after).replace("\0", "")
    judged = run_stage(
        stage(folder, benchmarks={"q": {"file": "q.jsonl", "prompt": ["question"]}}), [row(text.encode("utf-8", "ignore").decode())]
    )
    assert set(reasons(judged).values()) == {"prompt"}


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_normalising_ignores_white_space_and_case(text: str) -> None:
    assert (
        normalised(text.encode("utf-8", "ignore").decode())
        == "".join(text.encode("utf-8", "ignore").decode().replace("#", "").split()).lower().encode()
    )


def test_identity_is_the_content_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for path in folder.glob("*.*"):
        (other / path.name).write_bytes(path.read_bytes())
    here, there = stage(folder).identity(), stage(other).identity()
    assert here == there and set(here) == {"tasks", "mine"} and all(re.fullmatch("[0-9a-f]{64}", value) for value in here.values())
    assert describe(stage(folder)) == describe(stage(other))


@pytest.mark.parametrize(
    ("entry", "what", "do"),
    [
        ({"file": "missing.jsonl", "prompt": ["question"]}, "is missing", "~filters.decontaminate.benchmarks.bad"),
        ({"file": "mine.parquet", "prompt": ["text"]}, "no field 'text'", "question, answer"),
        ({"file": "mine.parquet", "promt": ["question"]}, "no key 'promt'", "prompt"),
        ({"file": "mine.parquet"}, "names a file", "prompt: [question]"),
        ({"file": "broken.jsonl", "prompt": ["question"]}, "cannot be read", ".parquet"),
        ({"file": "list.jsonl", "prompt": ["question"]}, "cannot be read", ".parquet"),
        ({"file": "cut.jsonl.gz", "prompt": ["question"]}, "cannot be read", ".parquet"),
    ],
)
def test_bad_benchmarks_are_errors_in_three_parts(folder: Path, entry: dict[str, Any], what: str, do: str) -> None:
    (folder / "broken.jsonl").write_text('{"question": ', encoding="utf-8")
    (folder / "list.jsonl").write_text("[1, 2]\n", encoding="utf-8")
    (folder / "cut.jsonl.gz").write_bytes((folder / "tasks.jsonl.gz").read_bytes()[:40])
    with pytest.raises(UserError) as caught:
        run_stage(stage(folder, benchmarks={"bad": entry}), [row()])
    assert what in caught.value.what and do in caught.value.do and caught.value.where


def test_a_folder_alone_has_what_the_hub_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder, an entry without `hub` is absent and says so in the identity; one with `hub` asks, and fails loudly."""
    assert stage(None, benchmarks={"only": {"file": "only.jsonl", "prompt": ["question"]}}).identity() == {"only": "absent"}
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("minisc.core.hub.FIRST_WAIT", 0.01)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody
    with pytest.raises(UserError, match="not to be had") as caught:
        stage(None, benchmarks={"q": {"hub": "a/b:c.parquet", "prompt": ["question"]}}).identity()
    assert isinstance(caught.value, UserError) and not isinstance(caught.value, BadInput) and "benchmarks=<folder" in caught.value.do


@pytest.mark.parametrize("change", [{"min_prompt": 8}, {"min_tokens": 3}, {"overlap": 0.0}, {"overlap": 1.5}, {"min_overlap": 40}])
def test_limits_that_condemn_everything_are_refused(folder: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        stage(folder, **change)
    assert next(iter(change)) in caught.value.where and caught.value.do


REAL = os.environ.get("MINISC_BENCHMARKS")
real = pytest.mark.skipif(not REAL, reason="set MINISC_BENCHMARKS to the folder of benchmark files")


def real_items(file: str) -> list[dict[str, Any]]:
    with gzip.open(Path(str(REAL)) / file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@real
def test_every_item_of_the_real_benchmarks_is_found_whole() -> None:
    """HumanEval by prompt and solution together, MBPP by its text above its code, GSM8K by its questions."""
    leaks = {f"he{at}": told["prompt"] + told["canonical_solution"] for at, told in enumerate(real_items("HumanEval.jsonl.gz"))}
    leaks |= {f"mb{at}": f"# {told['text']}\n{told['code']}" for at, told in enumerate(real_items("mbpp.jsonl.gz"))}
    leaks |= {f"gs{at}": told["question"] for at, told in enumerate(real_items("gsm8k-test.jsonl.gz"))}
    judged = reasons(run_stage(Decontaminate(**{**SETTINGS, "folder": REAL}), [row(text, uid=uid) for uid, text in leaks.items()]))
    missed = [leaks[uid] for uid, reason in judged.items() if not reason]
    assert all(text.startswith("# ") and len(normalised(text.partition("\n")[0][2:])) < SETTINGS["min_prompt"] for text in missed)
    assert len(missed) <= 12, "only MBPP has texts and programs so short that they say nothing"
    assert {judged[uid] for uid in judged if uid.startswith(("he", "gs"))} == {"prompt"}


@real
def test_real_solutions_are_found_under_other_names_and_other_layout() -> None:
    changed = {}
    for at, told in enumerate(real_items("HumanEval.jsonl.gz")):
        names = re.search(r"def \w+\(([^)]*)\)", told["prompt"])
        body = told["canonical_solution"]
        for name in sorted(set(re.findall(r"\w+(?=\s*[:,)]|$)", names[1] if names else "")), key=len, reverse=True):
            body = re.sub(rf"\b{name}\b", f"{name}_q", body)
        changed[f"{at}"] = "def f(x):\n    # mine\n" + body.replace("    ", "  ")
    judged = reasons(run_stage(Decontaminate(**{**SETTINGS, "folder": REAL}), [row(text, uid=uid) for uid, text in changed.items()]))
    long = {uid for uid, text in changed.items() if len(tokens_of(text).texts) - 7 >= SETTINGS["min_tokens"]}  # 7: def f(x):
    found = {uid for uid, reason in judged.items() if reason}
    assert len(long) > 50 and found >= long and "renamed" in judged.values()


def test_benchmarks_that_are_not_looked_for_are_named() -> None:
    """Without a folder only those with a place on the hub can be had; the others must not be left out silently."""
    [told] = Decontaminate(**{**SETTINGS, "folder": None}).remarks()
    assert "5 of 8" in told and "humaneval_plus" in told and "infilling_random_span" in told and "benchmarks=<folder>" in told
    assert Decontaminate(**{**SETTINGS, "folder": "."}).remarks() == []
