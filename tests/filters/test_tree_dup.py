"""Forks and vendored copies: what falls, for whom, and that no text is lost."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.filters import trees
from minisc.filters.tree_dup import TreeDup
from tests.support import notes, reasons, row, run_stage

OPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/filters/tree_dup.yaml").read_text(encoding="utf-8"))["tree_dup"]


def stage(**changes: Any) -> TreeDup:
    return TreeDup(**{**{key: value for key, value in OPTION.items() if key != "_target_"}, **changes})


def text(name: str) -> str:
    return f"# the file {name}\n" + "x = 1\n" * 20


def uid(name: str, path: str) -> str:
    return f"{name}:{path.replace('/', '|')}"  # a slash in a uid names another corpus


def repo(name: str, *paths: str, below: str = "", **fields: Any) -> list[dict[str, Any]]:
    """Files whose text is that of their path, so that equal paths of two repositories are equal files, wherever they lie."""
    return [
        row(text(path), uid=uid(name, below + path), repo=name, path_text=below + path, path=(below + path).encode(), **fields)
        for path in paths
    ]


LIBRARY = [f"lib/m{number}.py" for number in range(10)]


def fallen(rows: list[dict[str, Any]], **changes: Any) -> dict[str, str]:
    return {name: reason for name, reason in reasons(run_stage(stage(**changes), rows)).items() if reason}


def test_a_fork_falls_for_the_repository_with_more_stars_and_keeps_what_is_its_own() -> None:
    rows = [*repo("fork", *LIBRARY, "own.py", stars=3), *repo("origin", *LIBRARY, "more.py", stars=9)]
    table = run_stage(stage(), rows)
    assert {name: reason for name, reason in reasons(table).items() if reason} == {uid("fork", path): "fork" for path in LIBRARY}
    told = {key: json.loads(value) for key, value in notes(table)["fork:lib|m3.py"].items()}
    assert told == {"of": "origin:lib|m3.py", "repo": "origin", "tree": "", "overlap": round(10 / 11, 4)}


def test_a_vendored_copy_falls_for_the_library_however_many_stars_the_carrier_has() -> None:
    application = [f"app/a{number}.py" for number in range(40)]
    rows = [
        *repo("app", *application, stars=9999),
        *repo("app", *LIBRARY, below="src/_vendor/", stars=9999),
        *repo("lib", *LIBRARY, stars=1),
    ]
    table = run_stage(stage(), rows)
    assert {name: reason for name, reason in reasons(table).items() if reason} == {
        uid("app", f"src/_vendor/{path}"): "vendored_copy" for path in LIBRARY
    }
    told = {key: json.loads(value) for key, value in notes(table)["app:src|_vendor|lib|m3.py"].items()}
    assert told == {"of": "lib:lib|m3.py", "repo": "lib", "tree": "src", "overlap": 1.0}


def test_a_folder_in_two_applications_falls_in_the_worse_one() -> None:
    rows = [
        *repo("one", *[f"one/{number}.py" for number in range(40)], *LIBRARY, stars=5),
        *repo("two", *[f"two/{number}.py" for number in range(40)], *LIBRARY, stars=7),
    ]
    assert fallen(rows) == {uid("one", path): "vendored_copy" for path in LIBRARY}


NEW, OLD = datetime(2024, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"license": "MIT", "stars": 0}, {"license": "GPL-3.0-only", "stars": 99}),
        ({"license": "MIT", "stars": 0}, {"license": None, "stars": 99}),
        ({"stars": 5, "date": OLD}, {"stars": 4, "date": NEW}),
        ({"stars": 0}, {"stars": None}),
        ({"date": NEW}, {"date": OLD}),
        ({}, {}),
    ],
)
def test_the_keeper(better: dict[str, Any], worse: dict[str, Any]) -> None:
    """The name decides last: 'a' before 'b'."""
    rows = [*repo("b", *LIBRARY, **worse), *repo("a", *LIBRARY, **better)]
    assert fallen(rows) == {uid("b", path): "fork" for path in LIBRARY}
    random.Random(0).shuffle(rows)
    assert len(fallen(rows)) == 10


@pytest.mark.parametrize(("shared", "falls"), [(7, 7), (6, 0)])
def test_the_threshold(shared: int, falls: int) -> None:
    rows = [*repo("a", *LIBRARY, stars=9), *repo("b", *LIBRARY[:shared], *[f"lib/own{number}.py" for number in range(10 - shared)])]
    assert len(fallen(rows)) == falls


def test_small_trees_and_small_files_prove_nothing() -> None:
    assert fallen([*repo("a", *LIBRARY[:4]), *repo("b", *LIBRARY[:4])]) == {}
    empty = [row("", uid=f"{name}{number}", repo=name, path_text=f"{number}/__init__.py") for name in "ab" for number in range(20)]
    assert fallen(empty) == {}
    with_library = [*empty, *repo("a", *LIBRARY), *repo("b", *LIBRARY)]
    assert {name for name in fallen(with_library) if ":" not in name} == {f"b{number}" for number in range(20)}, "they go with their tree"


def test_the_depth() -> None:
    rows = [*repo("app", *[f"{number}.py" for number in range(40)]), *repo("app", *LIBRARY, below="1/2/3/4/"), *repo("lib", *LIBRARY)]
    assert fallen(rows, depth=0) == {}
    assert len(fallen(rows, depth=1)) == 10


def test_one_repository_is_never_its_own_copy() -> None:
    assert fallen([*repo("a", *LIBRARY), *repo("a", *LIBRARY, below="again/")]) == {}


def test_the_trees_are_a_side_table(tmp_path: Path) -> None:
    run_stage(stage(), [*repo("a", *LIBRARY), *repo("b", *LIBRARY), *repo("c", *LIBRARY)], tmp_path)
    assert pq.read_table(tmp_path / "copies.parquet").to_pylist() == [
        {"repo": name, "tree": "", "of": "a", "overlap": 1.0, "documents": 10} for name in ("b", "c")
    ]


def test_a_library_in_many_repositories_stays_once() -> None:
    rows = [one for number in range(100) for one in repo(f"r{number:02}", *LIBRARY, stars=number)]
    left = [name for name, reason in reasons(run_stage(stage(), rows)).items() if not reason]
    assert left == [uid("r99", path) for path in LIBRARY]


def made_up(seed: int) -> list[dict[str, Any]]:
    """A few libraries, whole, forked, cut, mixed and vendored in repositories of random stars and licenses."""
    rng = random.Random(seed)
    rows: dict[str, dict[str, Any]] = {}
    for number in range(12):
        fields = {"stars": rng.choice([None, 1, 2]), "license": rng.choice(["MIT", "GPL-3.0-only"])}
        for library in rng.sample("pqrs", rng.randrange(1, 4)):
            paths = [f"{library}/{file}.py" for file in range(8) if rng.random() < 0.9]
            for one in repo(f"r{number}", *paths, below=rng.choice(["", "", "vendor/", "a/b/"]), **fields):
                rows[one["uid"]] = one
    listed = list(rows.values())
    rng.shuffle(listed)
    return listed


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_the_laws(seed: int) -> None:
    """Who falls has a twin of the same text that is kept, in the repository that the note names."""
    rows = made_up(seed)
    by_uid = {one["uid"]: one for one in rows}
    table = run_stage(stage(), rows)
    reason, told = reasons(table), notes(table)
    for name in (name for name, why in reason.items() if why):
        twin = by_uid[json.loads(told[name]["of"])]
        assert reason[twin["uid"]] == "" and twin["text"] == by_uid[name]["text"]
        assert twin["repo"] == json.loads(told[name]["repo"]) != by_uid[name]["repo"]
        assert by_uid[name]["path_text"].startswith(json.loads(told[name]["tree"]))
        assert (reason[name] == "fork") == (json.loads(told[name]["tree"]) == "")


def test_order_batches_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made_up(1)
    expected = notes(run_stage(stage(), rows))
    assert any(expected.values())
    monkeypatch.setattr(trees, "BLOCK_ROWS", 1)
    assert notes(run_stage(stage(), sorted(rows, key=lambda one: str(one["uid"])), batch=3)) == expected


def test_an_empty_corpus_and_one_of_strangers() -> None:
    assert len(run_stage(stage(), [])) == 0
    assert fallen(repo("a", *LIBRARY)) == {}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"threshold": 0.1}, "filters.tree_dup.threshold=0.1"),
        ({"min_files": 0}, "filters.tree_dup.min_files=0"),
        ({"min_characters": -1}, "filters.tree_dup.min_characters=-1"),
        ({"depth": -1}, "filters.tree_dup.depth=-1"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as raised:
        stage(**changes)
    assert raised.value.where == where and raised.value.do
