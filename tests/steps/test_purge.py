"""The step `purge`: what the lists name goes, everything else stays byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Step
from minisc.filters.exact_dup import ExactDup
from minisc.filters.license import License
from minisc.filters.optout import Optout
from minisc.filters.syntax import Syntax
from minisc.runner.graph import plan
from minisc.steps.collect import Collect
from minisc.steps.curate import Curate
from minisc.steps.purge import Purge, purge_part
from tests import made

ROWS = [
    [
        made.row("octo/cat", "a.py", "a = 1\n", license="MIT", license_evidence="file:LICENSE"),
        made.row("octo/cat", "broken.py", "def f(:\n"),
        made.row("dog/run", "broken.py", "def g(:\n"),
        made.row("dog/run", "a.py", "# (c) 2020 Jane Doe\nb = 1\n", license="MIT", license_evidence="file:LICENSE"),
        made.row("dog/run", "c.py", "c = 1\n"),
    ],
    [made.row("bird/fly", f"{number}.py", f"number = {number}\n") for number in range(20)]
    + [made.row("dog/run", "twin.py", "number = 3\n")],
]


def filters(**first: Any) -> dict[str, Any]:
    return {
        **first, "license": License(allow=[], unknown="keep", scancode=None, scancode_seconds=60, expected_drop=1), "syntax": Syntax(expected_drop=1),
        "exact_dup": ExactDup(normalized=False, expected_drop=1),
    }  # fmt: skip


def road(**first: Any) -> dict[str, Step]:
    return {
        "collect": Collect(source=made.Listed(given=ROWS), seed=0, held_out=0.1, budget="20x"),
        "curate": Curate(filters=filters(**first)),
    }


def listing(folder: Path, text: str, name: str = "list.txt") -> Optout:
    (folder / name).write_text(text, encoding="utf-8")
    return Optout(lists=[str(folder / name)])


def purged(folder: Path, text: str) -> tuple[Artifact, Artifact]:
    where = made.context(folder)
    artifacts = made.run({**road(), "purge": Purge(optout=listing(folder, text))}, where)
    return artifacts["curate"], artifacts["purge"]


def rows(artifact: Artifact, kind: str) -> dict[str, dict[str, Any]]:
    return {row["uid"]: row for path in artifact.files(kind) for row in pq.read_table(path).to_pylist()}


def test_the_listed_go_and_everything_else_stays(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "octo/cat\n")
    gone = rows(before, "kept").keys() - rows(after, "kept").keys()
    assert gone == {ROWS[0][0]["uid"]}
    assert rows(after, "kept") == {uid: row for uid, row in rows(before, "kept").items() if uid not in gone}
    told = rows(after, "dropped")
    assert {uid: row for uid, row in told.items() if uid not in gone} == rows(before, "dropped")
    (row,) = (told[uid] for uid in gone)
    assert (row["dropped_by"], row["reason"], row["text"], row["size"]) == ("optout", "repository", None, 6)
    assert after.figures["documents_purged"] == 1
    assert after.figures["documents_kept"] == before.figures["documents_kept"] - 1
    assert after.figures["lines_kept"] == before.figures["lines_kept"] - 1


def test_a_part_with_nobody_listed_is_the_same_file(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "octo/cat\n")
    same = [one.read_bytes() == other.read_bytes() for one, other in zip(before.files("kept"), after.files("kept"), strict=True)]
    assert same == [False, True]
    assert {path.name for path in after.files("tables/exact_dup")} == {path.name for path in before.files("tables/exact_dup")} != set()


def test_nobody_listed_changes_no_row(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "nobody/here\n")
    for name in ("kept", "dropped"):
        assert [path.read_bytes() for path in before.files(name)] == [path.read_bytes() for path in after.files(name)]
    assert after.figures["documents_purged"] == 0


def test_the_waterfall_says_where_they_went(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "@octo\n")
    fall = json.loads(after.file("waterfall.json").read_text())
    assert [row["stage"] for row in fall["stages"]] == ["collect", "license", "syntax", "exact_dup", "optout"]
    assert fall["stages"][-1]["reasons"] == {"account": {"documents": 1, "bytes": 6, "tokens": 4}}
    assert fall["stages"][:-1] == json.loads(before.file("waterfall.json").read_text())["stages"]


def test_a_purge_is_what_a_run_with_the_list_would_have_given(tmp_path: Path) -> None:
    """Where nobody who was listed had a duplicate, the kept rows are those of a curation that heard of the list in time."""
    _, after = purged(tmp_path, "octo/cat\n")
    again = made.run(road(optout=listing(tmp_path, "octo/cat\n")), made.context(tmp_path))["curate"]
    assert rows(after, "kept") == rows(again, "kept")


def test_a_second_purge_counts_at_the_same_stage(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    chosen = {**road(optout=listing(tmp_path, "octo/cat\n")), "purge": Purge(optout=listing(tmp_path, "dog/run\n", "more.txt"))}
    after = made.run(chosen, where)["purge"]
    fall = json.loads(after.file("waterfall.json").read_text())
    assert [row["stage"] for row in fall["stages"]] == ["collect", "optout", "license", "syntax", "exact_dup"]
    assert fall["stages"][1]["reasons"]["repository"]["documents"] == 2 + 2 + (1 if after.figures["documents_purged"] == 3 else 0)
    assert {row["repo"] for row in rows(after, "kept").values()} == {"bird/fly"}


def test_no_sample_keeps_the_text_of_who_opted_out(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "octo/cat\n")
    shown = [json.loads(artifact.file("samples.json").read_text())["syntax/syntax_error"] for artifact in (before, after)]
    assert [sorted(sample["repo"] for sample in told) for told in shown] == [["dog/run", "octo/cat"], ["dog/run"]]


def test_the_attribution_is_made_anew(tmp_path: Path) -> None:
    before, after = purged(tmp_path, "dog/run\n")
    named = [pq.read_table(artifact.file("attribution.parquet"))["copyright"].to_pylist() for artifact in (before, after)]
    assert ["(c) 2020 Jane Doe"] in named[0]
    assert ["(c) 2020 Jane Doe"] not in named[1]


def test_killed_on_the_way_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole = purged(tmp_path, "octo/cat\n")
    calls = []

    def dies_at_the_second(task: Any) -> dict[str, Any]:
        calls.append(task.number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return purge_part(task)

    other = tmp_path / "other"
    where = made.context(other)
    step = {"purge": Purge(optout=listing(tmp_path, "octo/cat\n"))}
    monkeypatch.setattr("minisc.steps.purge.purge_part", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        made.run(step, where, documents=str(before.path))
    monkeypatch.undo()
    again = made.run(step, where, documents=str(before.path))["purge"]
    assert again.manifest["files"] == whole.manifest["files"]


def test_a_list_enters_the_fingerprint_by_its_contents(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    marks = []
    for name, text in (("one", "octo/cat\n"), ("two", "octo/cat\n"), ("three", "octo/dog\n")):
        marks.append(plan({**road(), "purge": Purge(optout=listing(tmp_path, text, name))}, {}, where)[-1].fingerprint)
    assert marks[0] == marks[1] != marks[2]


def test_no_list_is_an_error_before_the_run() -> None:
    with pytest.raises(UserError, match="which opt-outs") as caught:
        Purge(optout=Optout(lists=[]))
    assert caught.value.do == "steps.purge.optout.lists=[<file>]"


def test_a_list_of_everybody_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is left"):
        purged(tmp_path, "@octo\n@dog\n@bird\n")
