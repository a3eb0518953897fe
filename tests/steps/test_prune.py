"""What nobody refers to goes, and nothing else: not what a run of a multirun needs, not what that was made from."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisc.core.artifact import Artifact, Work
from minisc.core.errors import BadInput, UserError
from minisc.core.step import Context, Done
from minisc.runner.run import Story, write_run
from minisc.steps.prune import Prune
from tests import made
from tests.runner.test_graph import steps

MONTH = 30 * 86_400


def age(path: Path, seconds: float) -> None:
    for file in [path, *path.rglob("*")]:
        os.utime(file, (time.time() - seconds,) * 2)


@pytest.fixture
def where(tmp_path: Path) -> Context:
    return made.context(tmp_path)


@pytest.fixture
def corpora(where: Context) -> tuple[dict[str, Artifact], dict[str, Artifact]]:
    """Two roads of three steps each; the run's folder tells of the second alone. All of it is a month old."""
    first = made.run(steps(word="first"), where)
    second = made.run(steps(word="second"), where)
    age(where.out, MONTH)
    return first, second


def prune(where: Context, **changes: object) -> set[str]:
    """Steps of the first words of what was listed."""
    Prune(**{"keep_runs_days": None, "keep_days": 1, "really": False} | changes).look([], where)  # type: ignore[arg-type]
    return {row[0] for row in where.speak.tables[-1][1]}  # type: ignore[attr-defined]


def names(artifacts: dict[str, Artifact]) -> set[str]:
    return {f"{artifact.path.parent.name}/{artifact.path.name}" for artifact in artifacts.values()}


def test_it_lists_what_no_run_refers_to_and_removes_nothing(
    where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]
) -> None:
    first, second = corpora
    assert prune(where) == names(first)
    assert all(artifact.path.exists() for artifact in [*first.values(), *second.values()])
    assert any("steps.prune.really=true" in line for line in where.speak.lines)  # type: ignore[attr-defined]


def test_really_removes_just_that(where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]) -> None:
    first, second = corpora
    assert prune(where, really=True) == names(first)
    assert not any(artifact.path.exists() for artifact in first.values())
    assert all(artifact.file(artifact.manifest["files"][0]["name"]) for artifact in second.values())
    assert prune(where, really=True) == set()


def test_what_a_kept_artifact_was_made_from_stays(where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]) -> None:
    """A run that trained on inputs given by hand tells of its model only."""
    first, second = corpora
    jobs = where.out / "multirun" / "test" / "1" / "0,size=2"
    jobs.mkdir(parents=True)
    story = (where.run / "run.json").read_text()
    for step in ("collect", "pretrain"):
        story = story.replace(second[step].fingerprint, "0" * 20)
    (jobs / "run.json").write_text(story.replace(second["evaluate"].fingerprint, first["evaluate"].fingerprint))
    shutil.rmtree(where.out / "runs")
    assert prune(where) == names(second)


def test_runs_beyond_an_age_keep_nothing_and_young_artifacts_stay(
    where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]
) -> None:
    first, second = corpora
    assert prune(where, keep_runs_days=29) == names(first) | names(second)
    assert prune(where, keep_runs_days=31) == names(first)
    assert prune(where, keep_runs_days=29, keep_days=31) == set()
    os.utime(first["pretrain"].path / "manifest.json", (time.time() + MONTH,) * 2)  # a clock that jumped
    assert prune(where) == names(first) - names({"pretrain": first["pretrain"]})


def test_what_another_process_makes_stays(where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]) -> None:
    first, _ = corpora
    with (first["collect"].path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        age(first["collect"].path, MONTH)
        assert prune(where, really=True) == names(first) - names({"collect": first["collect"]})
    assert first["collect"].path.exists()


def test_an_unfinished_folder_is_listed_when_it_is_old(where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]) -> None:
    half = where.out / "store" / "collect" / ("ab" * 10)
    (half / "scratch").mkdir(parents=True)
    (half / "scratch" / "part").write_bytes(b"x" * 1000)
    (where.out / "store" / "blobs").mkdir()  # somebody's own
    assert f"collect/{half.name}" not in prune(where)
    age(half, MONTH)
    assert f"collect/{half.name}" in prune(where)


def test_a_story_that_cannot_be_read_stops_it(where: Context, corpora: tuple[dict[str, Artifact], dict[str, Artifact]]) -> None:
    (where.run / "run.json").write_text("{")
    with pytest.raises(BadInput, match="story of a run cannot be read"):
        prune(where, really=True)
    assert all(artifact.path.exists() for artifact in corpora[0].values())


def test_a_senseless_age_is_refused() -> None:
    with pytest.raises(UserError, match="number of days"):
        Prune(keep_runs_days=-1, keep_days=1, really=False)


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[set[int]], list[tuple[set[int], bool]]]:
    """Artifacts with the earlier ones that each was made from; runs with those that each tells of, and whether it is young."""
    count = draw(st.integers(1, 9))
    made_from = [draw(st.sets(st.integers(0, max(0, number - 1)), max_size=3)) if number else set() for number in range(count)]
    return made_from, draw(st.lists(st.tuples(st.sets(st.integers(0, count - 1), max_size=3), st.booleans()), max_size=4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=stores())
def test_what_a_kept_run_refers_to_is_never_removed_and_all_else_is(
    tmp_path_factory: pytest.TempPathFactory, told: tuple[list[set[int]], list[tuple[set[int], bool]]]
) -> None:
    made_from, runs = told
    where = made.context(tmp_path_factory.mktemp("store"))
    artifacts: list[Artifact] = []
    for number, parents in enumerate(made_from):
        path = where.out / "store" / "step" / f"{number:020x}"
        path.mkdir(parents=True)
        about = {"step": "step", "fingerprint": path.name, "kinds": ["documents"], "settings": {}, "versions": {}, "seconds": 1.0}
        inputs = {"one": None, "many": [artifacts[parent].fingerprint for parent in sorted(parents)]}
        artifacts.append(Work(path, where).commit({**about, "inputs": inputs}, {}))
    age(where.out, MONTH)
    for number, (refers, young) in enumerate(runs):
        run = where.out / ("runs", "multirun")[number % 2] / "test" / str(number) / "0"
        run.mkdir(parents=True)
        done = [Done("step", artifacts[at], False, 1.0, {}) for at in sorted(refers)]
        write_run(done, Story(command="c", recipe="r"), replace(where, run=run))
        age(run, 0 if young else MONTH)
    prune(where, keep_runs_days=7, really=True)
    waiting = [at for refers, young in runs if young for at in refers]
    needed = set(waiting)
    while waiting:
        new = made_from[waiting.pop()] - needed
        needed |= new
        waiting += new
    assert {at for at, artifact in enumerate(artifacts) if artifact.path.exists()} == needed
