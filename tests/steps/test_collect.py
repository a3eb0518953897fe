from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import HELD_OUT, TRAIN
from minisc.core.errors import UserError
from minisc.steps.collect import CHOICE, FEW, MOST, Collect
from tests import made


def collect(*parts: list[dict[str, Any]], seed: int = 0, held_out: float = 0.1) -> Collect:
    return Collect(source=made.Listed(given=list(parts)), seed=seed, held_out=held_out, budget="20x")


def rows_of(folder: Path, name: str = "kept") -> list[dict[str, Any]]:
    return [row for path in sorted((folder / name).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_parts_stay_parts_and_rows_stay_rows(tmp_path: Path) -> None:
    one = [made.row(f"r{n}", "a.py", f"x = {n}\n") for n in range(30)]
    two = [made.row(f"r{n}", "b.py", f"y = {n}\n") for n in range(30)]
    artifact = made.run({"collect": collect(one, two)}, made.context(tmp_path))["collect"]
    assert [path.name for path in artifact.files("kept")] == ["part-00000.parquet", "part-00001.parquet"]
    assert [row["uid"] for row in rows_of(artifact.path)] == [row["uid"] for row in one + two]
    assert {row["split"] for row in rows_of(artifact.path)} == {TRAIN, HELD_OUT}


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 5000), min_size=2, max_size=60), seed=st.integers(0, 2**31), share=st.sampled_from([0.03, 0.1, 0.3]))
def test_whole_repositories_are_held_out_up_to_the_share(sizes: list[int], seed: int, share: float) -> None:
    facts = [{"rows": 1, "repos": {f"r{at}": size}} for at, size in enumerate(sizes)]
    split, how = collect(seed=seed, held_out=share)._split(facts)
    wanted, held = share * sum(sizes), sum(sizes[int(repo[1:])] for repo in split)
    if how == "document":
        assert split == frozenset()
    else:
        assert MOST * wanted <= held < wanted * (1 + MOST)  # the last one taken is at most MOST of the share
        assert max(sizes[int(repo[1:])] for repo in split) <= MOST * wanted
    assert collect(seed=seed, held_out=share)._split(list(reversed(facts))) == (split, how)


@settings(deadline=None, max_examples=60)
@given(
    small=st.lists(st.integers(1, 3000), min_size=200, max_size=300),
    large=st.lists(st.integers(5000, 20_000), max_size=9),
    seed=st.integers(0, 9),
)
def test_where_there_are_many_small_repositories_none_is_more_than_a_tenth(small: list[int], large: list[int], seed: int) -> None:
    sizes = small + large
    wanted = 0.03 * sum(sizes)
    eligible = sum(size for size in sizes if size <= FEW * wanted)
    split, how = collect(seed=seed, held_out=0.03)._split([{"rows": 1, "repos": {f"r{at}": size}} for at, size in enumerate(sizes)])
    held = [sizes[int(repo[1:])] for repo in split]
    assert how == "repository" and wanted <= sum(held)
    if eligible >= CHOICE * wanted:
        assert max(held) <= FEW * wanted
    assert sum(size for size in sizes if size < max(held)) < max(CHOICE * wanted, eligible)


def test_a_single_repository_is_split_by_document_and_says_so(tmp_path: Path) -> None:
    artifact = made.run({"collect": collect([made.row("only", f"{n}.py", f"x = {n}\n") for n in range(400)])}, made.context(tmp_path))[
        "collect"
    ]
    held = sum(row["split"] == HELD_OUT for row in rows_of(artifact.path))
    assert 20 < held < 60
    assert artifact.figures["split_by"] == "document"


def test_a_row_that_repeats_a_uid_is_dropped_as_such(tmp_path: Path) -> None:
    same = made.row("r", "a.py", "x = 1\n")
    others = [made.row(f"r{n}", "a.py", f"x = {n}\n") for n in range(2, 9)]
    artifact = made.run({"collect": collect([same, *others], [same], [same])}, made.context(tmp_path))["collect"]
    dropped = rows_of(artifact.path, "dropped")
    assert [(row["reason"], row["text"]) for row in dropped] == [("repeated", None)] * 2
    uids = [row["uid"] for row in rows_of(artifact.path) + dropped]
    assert len(set(uids)) == len(uids) == 10
    assert json.loads((artifact.path / "waterfall.json").read_text())["stages"][0]["reasons"] == {"repeated": {"documents": 2, "bytes": 12}}


def test_a_source_without_a_usable_document_is_an_error(tmp_path: Path) -> None:
    bad = {**made.row("r", "a.py", "x"), "text": None, "dropped_by": "collect", "reason": "holds_nul"}
    with pytest.raises(UserError, match="no usable document") as caught:
        made.run({"collect": collect([bad])}, made.context(tmp_path))
    assert "holds_nul" in caught.value.where


def test_a_senseless_share_is_refused() -> None:
    with pytest.raises(UserError, match="between 0 and"):
        collect(held_out=0.7)


def test_another_seed_holds_out_others(tmp_path: Path) -> None:
    rows = [made.row(f"r{n}", "a.py", f"x = {n}\n" * 9) for n in range(200)]
    held = []
    for seed in (0, 1, 0):
        artifact = made.run({"collect": collect(rows, seed=seed)}, made.context(tmp_path / str(len(held))))["collect"]
        held.append({row["repo"] for row in rows_of(artifact.path) if row["split"] == HELD_OUT})
    assert held[0] == held[2] != held[1]
