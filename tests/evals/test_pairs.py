"""Differences of two evaluations: over what both judged, with an interval that holds the truth as often as it says."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from minisc.evals.pairs import differences
from minisc.evals.pass_at_k import pass_at_k


def bits(values: dict[str, float], size: int = 100, repos: int = 3) -> dict[str, Any]:
    documents = [{"uid": uid, "repo": f"r{at % repos}", "bytes": size, "bits": value} for at, (uid, value) in enumerate(values.items())]
    return {"bits_per_byte": {"figures": {"bits_per_byte": 0.0}, "tables": {"documents": documents}}}


def passed(counts: dict[str, int], samples: int = 1, k: int = 1, **more: Any) -> dict[str, Any]:
    items = [{"item": name, "passed": count, "samples": samples, **more} for name, count in counts.items()]
    return {"humaneval": {"figures": {f"humaneval_pass_at_{k}": 0.0}, "tables": {"items": items}}}


def test_bits_per_byte_over_the_files_that_both_read() -> None:
    (found,) = differences(bits({"a": 200, "b": 300, "c": 250, "x": 900}), bits({"b": 290, "c": 260, "a": 180, "y": 1}))
    assert found.value == pytest.approx((180 + 290 + 260 - 200 - 300 - 250) / 300)
    assert (found.common, found.first_of, found.second_of, found.unit) == (3, 4, 4, "files")
    assert found.low < found.value < found.high and found.verdict == "not told apart"


def test_a_pair_is_far_surer_than_two_scores() -> None:
    """Files differ by 300 bits among themselves and by 10 between the models: only the pair sees it."""
    chance = random.Random(1)
    then = {str(at): chance.uniform(100, 400) for at in range(60)}
    (found,) = differences(bits(then, repos=20), bits({uid: value - 10 + chance.uniform(-2, 2) for uid, value in then.items()}, repos=20))
    assert found.verdict == "better" and found.high - found.low < 0.02
    (back,) = differences(bits({uid: value - 10 for uid, value in then.items()}), bits(then))
    assert back.verdict == "worse", "more bits are worse"


def test_one_repository_is_compared_by_its_files() -> None:
    (found,) = differences(bits({"a": 200, "b": 300}, repos=1), bits({"a": 190, "b": 250}, repos=1))
    assert found.low < found.value < found.high


@pytest.mark.parametrize("k", [1, 2])
def test_pass_at_k_by_item(k: int) -> None:
    then, now = {"a": 0, "b": 2, "c": 4, "only": 4}, {"c": 3, "b": 4, "a": 1}
    (found,) = differences(passed(then, 4, k), passed(now, 4, k))
    expected = sum(pass_at_k(4, now[name], k) - pass_at_k(4, then[name], k) for name in "abc") / 3
    assert found.value == pytest.approx(expected) and (found.common, found.first_of, found.second_of) == (3, 4, 3)
    assert "3 of 4 items" in found.shown()


def test_items_with_fewer_samples_than_k_say_nothing() -> None:
    assert differences(passed({"a": 1, "b": 1}, 1, 2), passed({"a": 1, "b": 1}, 4, 2)) == []


def test_zero_against_zero_is_not_certain() -> None:
    (found,) = differences(passed(dict.fromkeys(map(str, range(164)), 0)), passed(dict.fromkeys(map(str, range(164)), 0)))
    assert found.value == 0 and found.high == -found.low == pytest.approx(1.96 * math.sqrt(2) / 166, abs=1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """400 pairs of runs over 50 items, of which the second solves each with a chance 0.1 higher: 95 % within three standard errors."""
    rng, inside = np.random.default_rng(7), 0
    for _ in range(400):
        ease = rng.uniform(0, 0.9, 50)
        then, now = (rng.uniform(size=50) < chance for chance in (ease, ease + 0.1))
        (found,) = differences(*(passed({str(at): int(value) for at, value in enumerate(run)}) for run in (then, now)))
        inside += found.low <= 0.1 <= found.high
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400) <= inside / 400


def test_kinds_of_holes_apart_and_exact_matches() -> None:
    def told(counts: dict[str, tuple[int, int]]) -> dict[str, Any]:
        rows = [{"item": name, "group": name.split("/")[0], "passed": p, "exact": e, "samples": 1} for name, (p, e) in counts.items()]
        figures = dict.fromkeys(("infilling_pass_at_1", "infilling_single_line_pass_at_1", "infilling_single_line_exact_match"), 0.0)
        return {"infilling": {"figures": figures, "tables": {"items": rows}}}

    then = told({"single_line/1": (0, 0), "single_line/2": (1, 1), "random_span/1": (0, 0)})
    now = told({"single_line/1": (1, 0), "single_line/2": (1, 0), "random_span/1": (1, 0)})
    found = {one.figure: (round(one.value, 3), one.common) for one in differences(then, now)}
    assert found == {
        "infilling_pass_at_1": (0.667, 3), "infilling_single_line_pass_at_1": (0.5, 2), "infilling_single_line_exact_match": (-0.5, 2),
    }  # fmt: skip


def test_what_only_one_has_and_what_has_no_tables() -> None:
    assert differences(bits({"a": 1, "b": 2}), passed({"a": 1, "b": 1})) == []
    assert differences(bits({"a": 1, "b": 2}), bits({"c": 1, "d": 2})) == []
    assert differences({"bits_per_byte": {"figures": {"bits_per_byte": 1.0}, "tables": {}}}, bits({"a": 1})) == []
