from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import pyarrow.parquet as pq
import pytest

from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import Judge, Stage, Verdict
from minisc.core.step import Step
from minisc.filters.exact_dup import ExactDup
from minisc.filters.license import License
from minisc.filters.threshold import Threshold
from minisc.runner.graph import plan
from minisc.steps.collect import Collect
from minisc.steps.curate import Curate
from tests import made
from tests.silent import Silent


@dataclass(frozen=True, kw_only=True)
class Longer(Stage):
    """Drops texts of more than so many characters."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("too_long",)
    most: int
    expected_drop: float = free(default=1.0)

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(
            lambda docs: [Verdict(drop="too_long" if len(doc.text) > self.most else "", notes={"most": self.most}) for doc in docs]
        )


@dataclass(frozen=True, kw_only=True)
class Secret(Longer):
    private: ClassVar[bool] = True


ROWS = [made.row(f"r{n}", "a.py", "x" * n + "\n") for n in range(1, 40)]


def steps(**filters: Stage) -> dict[str, Step]:
    return {
        "collect": Collect(source=made.Listed(given=[ROWS[:20], ROWS[20:]]), seed=0, held_out=0.1, budget="20x"),
        "curate": Curate(filters=dict(filters)),
    }


def test_every_filter_is_in_the_waterfall_with_its_reasons(tmp_path: Path) -> None:
    artifact = made.run(steps(first=Longer(most=30), second=Longer(most=10), third=Longer(most=50)), made.context(tmp_path))["curate"]
    fall = json.loads(artifact.file("waterfall.json").read_text())
    assert [(row["stage"], row["seen"], row["kept"], row["dropped"]) for row in fall["stages"]] == [
        ("collect", 39, 39, 0), ("first", 39, 29, 10), ("second", 29, 9, 20), ("third", 9, 9, 0),
    ]  # fmt: skip
    assert fall["stages"][2]["reasons"] == {"too_long": {"documents": 20, "bytes": sum(range(11, 31)), "tokens": 86}}
    tokens = [(row["seen_tokens"], row["kept_tokens"], row["dropped_tokens"]) for row in fall["stages"]]
    assert all(seen == kept + dropped for seen, kept, dropped in tokens) and tokens[1][1] == tokens[2][0] and tokens[2][2] == 86
    assert artifact.figures["tokens_kept_estimated"] == tokens[-1][1]
    assert artifact.figures["documents_kept"] == 9
    assert artifact.figures["lines_kept"] == 9
    kept = [row for path in artifact.files("kept") for row in pq.read_table(path).to_pylist()]
    assert {dict(row["notes"])["most"] for row in kept} == {"50"}


def test_no_filter_keeps_everything(tmp_path: Path) -> None:
    assert made.run(steps(), made.context(tmp_path))["curate"].figures["documents_kept"] == 39


def test_the_order_of_filters_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    one, other = Longer(most=10), Longer(most=30)
    assert plan(steps(a=one, b=other), {}, where)[1].fingerprint != plan(steps(b=other, a=one), {}, where)[1].fingerprint


@dataclass(frozen=True, kw_only=True)
class Scored(Stage):
    """Notes the length of a text."""

    version: ClassVar[int] = 1
    writes: ClassVar[tuple[str, ...]] = ("length",)

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(lambda docs: [Verdict(notes={"length": len(doc.text)}) for doc in docs])


def limit(least: int) -> Threshold:
    return Threshold(limits={"length": {"min": least}}, absent="error", expected_drop=1)


def test_a_score_is_noted_once_and_cut_at_in_the_same_run_or_later(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    whole = made.run(steps(score=Scored(), threshold=limit(21)), where)["curate"]
    assert whole.figures["documents_kept"] == 20  # texts of 21 to 40 characters
    scored = made.run(steps(score=Scored()), where)["curate"]
    cut = made.run({"curate": Curate(filters={"threshold": limit(31)})}, where, documents=str(scored.path))["curate"]
    fall = json.loads(cut.file("waterfall.json").read_text())
    assert [(row["stage"], row["kept"]) for row in fall["stages"]] == [("collect", 39), ("score", 39), ("threshold", 10)]
    assert set(fall["stages"][-1]["reasons"]) == {"length_below"} and "length_below" in "".join(
        json.loads(cut.file("samples.json").read_text())
    )


def test_a_limit_before_the_filter_that_scores_is_refused_when_built() -> None:
    with pytest.raises(UserError, match="which score writes only after it") as caught:
        Curate(filters={"threshold": limit(3), "long": Longer(most=9), "score": Scored()})
    assert caught.value.do == "filters=[long,score,threshold]"


def test_a_limit_on_what_no_filter_writes_is_said_in_the_plan_and_an_error_of_the_run(tmp_path: Path) -> None:
    chosen = steps(threshold=limit(3))
    cost = chosen["curate"].cost({"documents": {}}, made.context(tmp_path))
    assert "threshold reads the note 'length', which no filter of the list writes" in cost.remark
    with pytest.raises(UserError, match="no note 'length'"):
        made.run(chosen, made.context(tmp_path))


def test_a_private_filter_leaves_no_samples(tmp_path: Path) -> None:
    artifact = made.run(steps(shown=Longer(most=30), hidden=Secret(most=10)), made.context(tmp_path))["curate"]
    samples = json.loads(artifact.file("samples.json").read_text())
    assert list(samples) == ["shown/too_long"]
    assert [sample["uid"] for sample in samples["shown/too_long"]] == sorted(row["uid"] for row in ROWS[29:])
    hidden = ROWS[20]["text"]  # dropped by the private filter
    assert all(hidden not in sample["text"] or len(sample["text"]) > len(hidden) for sample in samples["shown/too_long"])


def test_more_drops_than_expected_are_said_with_the_way_to_accept_them(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    made.run(steps(first=Longer(most=10, expected_drop=0.5)), where)
    (said,) = cast(Silent, where.speak).warnings
    assert "first dropped 77% of the documents, mostly as 'too_long'; it expects at most 50%" in said
    assert "filters.first.expected_drop=0.82" in said
    made.run(steps(first=Longer(most=9, expected_drop=0.9)), where)
    assert len(cast(Silent, where.speak).warnings) == 1


def test_a_corpus_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="curation kept no document") as caught:
        made.run(steps(first=Longer(most=0)), made.context(tmp_path))
    assert caught.value.where == "filters=[first]"


EXACT = ExactDup(normalized=False, expected_drop=1)


def test_a_second_corpus_is_curated_against_the_first(tmp_path: Path) -> None:
    """The second collection holds the whole first one again, and one document more: that one is what is left."""
    where = made.context(tmp_path)
    first = made.run(steps(exact_dup=EXACT), where)["curate"]
    more = [*ROWS, made.row("new", "a.py", "not seen before\n")]
    again: dict[str, Step] = {
        "collect": Collect(source=made.Listed(given=[more]), seed=0, held_out=0.1, budget="20x"), "curate": Curate(filters={"exact_dup": EXACT})
    }  # fmt: skip
    second = made.run(again, where, against=str(first.path))["curate"]
    assert second.figures["documents_kept"] == 1
    dropped = [row for path in second.files("dropped") for row in pq.read_table(path).to_pylist()]
    assert {json.loads(dict(row["notes"])["of"]) for row in dropped} == {f"{first.fingerprint}/{row['uid']}" for row in ROWS}
    assert second.manifest["inputs"]["against"] == [first.fingerprint]


def test_a_corpus_to_compare_with_and_no_filter_that_compares_is_an_error(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    first = made.run(steps(), where)["curate"]
    with pytest.raises(UserError, match="no filter compares") as caught:
        made.run(steps(first=Longer(most=30)), where, against=str(first.path))
    assert "exact_dup" in caught.value.do


def test_a_kill_inside_resolve_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    node = plan(steps(exact_dup=EXACT), {}, where)[1]
    half = node.path / "scratch" / "found" / "exact_dup.writing"
    half.mkdir(parents=True)
    (half / "clusters.parquet").write_bytes(b"half")
    artifact = made.run(steps(exact_dup=EXACT), where)["curate"]
    assert artifact.figures["documents_kept"] == 39
    assert not list(artifact.path.rglob("*.writing*"))


def test_the_curated_corpus_says_who_has_to_be_named(tmp_path: Path) -> None:
    rows = [
        made.row("a", "one.py", "# (c) 2020 Jane Doe\nx = 1\n", license="MIT License", license_evidence="file:LICENSE"),
        made.row("a", "two.py", "# (c) 2020 Jane Doe\n# (c) 2021 Joe Bloggs\ny = 1\n", license="MIT", license_evidence="file:LICENSE"),
        made.row("b", "one.py", "# (c) 2022 Somebody Else\nz = 1\n", license="GPL-3.0-only", license_evidence="file:COPYING"),
    ]
    chosen: dict[str, Step] = {
        "collect": Collect(source=made.Listed(given=[rows]), seed=0, held_out=0.1, budget="20x"),
        "curate": Curate(filters={"license": License(allow=[], unknown="keep", scancode=None, scancode_seconds=60, expected_drop=1)}),
    }
    artifact = made.run(chosen, made.context(tmp_path))["curate"]
    assert pq.read_table(artifact.file("attribution.parquet")).to_pylist() == [{
        "source": "listed", "repo": "a", "license": "MIT", "license_evidence": "file:LICENSE",
        "copyright": ["(c) 2020 Jane Doe", "(c) 2021 Joe Bloggs"], "documents": 2, "bytes": sum(row["size"] for row in rows[:2]),
    }]  # fmt: skip
