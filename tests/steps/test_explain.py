"""The step `explain`: every way to ask for a file, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context, Step
from minisc.filters.exact_dup import ExactDup
from minisc.filters.license import License
from minisc.steps.collect import Collect
from minisc.steps.curate import Curate
from minisc.steps.explain import SHOWN, Explain
from tests import made
from tests.silent import Silent

TEXT = "def add(left, right):\n    return left + right\n"
ROWS = [
    made.row(
        "octo/kept", "src/add.py", TEXT, stars=9, license="MIT", license_evidence="file:LICENSE", revision="c" * 40, directory="d" * 40
    ),
    made.row("octo/copy", "lib/add.py", TEXT, stars=1),
    made.row("octo/gpl", "other.py", "import os\n", license="GPL-3.0-only", license_evidence="metadata"),
    *(made.row(f"r{number}", "pkg/__init__.py", f"value = {number}\n") for number in range(30)),
]
FILTERS = {
    "license": License(allow=[], unknown="keep", scancode=None, scancode_seconds=60, expected_drop=1),
    "exact_dup": ExactDup(normalized=False, expected_drop=1),
}


def road(rows: list[dict[str, Any]]) -> dict[str, Step]:
    listed = made.Listed(given=[rows[:2], rows[2:]])
    return {"collect": Collect(source=listed, seed=0, held_out=0.1, budget="20x"), "curate": Curate(filters=dict(FILTERS))}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path]:
    folder = tmp_path_factory.mktemp("corpus")
    return made.run(road(ROWS), made.context(folder))["curate"], folder


def ask(corpus: tuple[Artifact, Path], uid: str) -> tuple[dict[str, Any], Context]:
    where = made.context(corpus[1])
    figures = made.run({"explain": Explain(uid=uid)}, where, documents=str(corpus[0].path))["explain"].figures
    return figures, where


@pytest.mark.parametrize(
    "asked",
    [
        ROWS[0]["uid"], ROWS[0]["uid"][:8], "octo/kept:src/add.py", "octo/kept/src/add.py", "kept/src/add.py", "src/add.py", f"swh:1:dir:{'d' * 40}", f"swh:1:rev:{'c' * 40}",
    ],
)  # fmt: skip
def test_every_way_to_ask_for_one_file(corpus: tuple[Artifact, Path], asked: str) -> None:
    figures, _ = ask(corpus, asked)
    assert figures["files_matched"] == 1
    (story,) = figures["explained"]
    assert (story["uid"], story["repo"], story["path"]) == (ROWS[0]["uid"], "octo/kept", "src/add.py")
    assert (story["license"], story["license_evidence"], story["dropped_by"]) == ("MIT", "file:LICENSE", None)
    assert story["passed"] == ["collect", "license", "exact_dup"]
    assert story["swhid"] == f"swh:1:cnt:{ROWS[0]['sha1_git']}"


@pytest.mark.parametrize("asked", [f"swh:1:cnt:{ROWS[0]['sha1_git']}", ROWS[0]["sha1_git"], "add.py"])
def test_what_several_files_have_in_common_names_all_of_them(corpus: tuple[Artifact, Path], asked: str) -> None:
    figures, where = ask(corpus, asked)
    assert [story["repo"] for story in figures["explained"]] == ["octo/kept", "octo/copy"]
    assert [title for title, _ in cast(Silent, where.speak).tables] == ["octo/kept:src/add.py", "octo/copy:lib/add.py"]


def test_a_duplicate_names_the_file_that_was_kept(corpus: tuple[Artifact, Path]) -> None:
    figures, where = ask(corpus, "octo/copy:lib/add.py")
    (story,) = figures["explained"]
    assert (story["dropped_by"], story["reason"], story["passed"]) == ("exact_dup", "duplicate", ["collect", "license"])
    assert story["duplicates"] == [
        {"uid": ROWS[0]["uid"], "repo": "octo/kept", "path": "src/add.py", "dropped_by": None, "reason": None, "jaccard": None}
    ]
    (table,) = cast(Silent, where.speak).tables
    assert table[1][0] == ["fate", "dropped by exact_dup: duplicate"]
    assert table[1][-1] == ["duplicate of", f"octo/kept:src/add.py (uid {ROWS[0]['uid']}, kept)"]


def test_a_drop_says_why(corpus: tuple[Artifact, Path]) -> None:
    (story,) = ask(corpus, "other.py")[0]["explained"]
    assert (story["dropped_by"], story["reason"], story["passed"]) == ("license", "non_permissive", ["collect"])
    assert story["license"] == "GPL-3.0-only"


def test_many_matches_are_counted_and_the_first_told(corpus: tuple[Artifact, Path]) -> None:
    figures, where = ask(corpus, "__init__.py")
    assert (figures["files_matched"], len(figures["explained"])) == (30, SHOWN)
    assert "30 files match; the first 20 are shown" in cast(Silent, where.speak).lines[0]


@pytest.mark.parametrize(
    ("asked", "do"),
    [
        ("src/ad.py", "did you mean uid=octo/kept:src/add.py"),
        ("octo/gpl:othr.py", "did you mean uid=octo/gpl:other.py?"),
        ("swh:1:cnt:" + "0" * 40, "give a uid"),
        ("dd.py", "did you mean"),  # an end of a name is no end of a path
        ("f" * 32, "give a uid"),
    ],
)
def test_nothing_that_matches_is_an_error_with_a_proposal(corpus: tuple[Artifact, Path], asked: str, do: str) -> None:
    with pytest.raises(UserError, match="no file of this corpus") as caught:
        ask(corpus, asked)
    assert do in caught.value.do


def test_no_question_is_an_error_before_the_run() -> None:
    with pytest.raises(UserError, match="which file"):
        Explain(uid=None)


def test_the_kept_file_of_another_corpus_is_found_in_the_store(corpus: tuple[Artifact, Path]) -> None:
    where = made.context(corpus[1])
    second = made.run(road([*ROWS[:1], made.row("new", "fresh.py", "fresh = 1\n")]), where, against=str(corpus[0].path))["curate"]
    (story,) = ask((second, corpus[1]), "src/add.py")[0]["explained"]
    (twin,) = story["duplicates"]
    assert twin["uid"] == f"{corpus[0].fingerprint}/{ROWS[0]['uid']}"
    assert (twin["repo"], twin["path"], twin["dropped_by"]) == ("octo/kept", "src/add.py", None)


def test_run_json_has_the_answer_and_a_second_time_costs_nothing(corpus: tuple[Artifact, Path]) -> None:
    for _ in range(2):
        _, where = ask(corpus, "other.py")
        told = json.loads((where.run / "run.json").read_text())
        assert told["figures"]["explained"][0]["reason"] == "non_permissive"
        assert cast(Silent, where.speak).tables
    assert told["steps"][0]["cached"]
