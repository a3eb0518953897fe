"""The filter `threshold`: numbers that others noted, and limits on them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe
from minisc.filters.threshold import Threshold
from tests.support import notes, reasons, row, run_stage

NUMBERS = st.none() | st.integers(-20, 20) | st.floats(-20, 20)


def stage(limits: dict[str, Any], absent: str = "error") -> Threshold:
    return Threshold(limits=limits, absent=absent, expected_drop=1)


def noted(**values: Any) -> dict[str, Any]:
    return row(notes={name: json.dumps(value) for name, value in values.items()})


def judged(limits: dict[str, Any], *rows: dict[str, Any], absent: str = "error") -> list[str]:
    return list(reasons(run_stage(stage(limits, absent), [{**one, "uid": f"uid-{at}"} for at, one in enumerate(rows)])).values())


def test_what_lies_outside_falls_and_the_limits_themselves_stay() -> None:
    rows = [noted(lint_score=value) for value in (2.99, 3, 7.5, 8, 8.01)]
    assert judged({"lint_score": {"min": 3, "max": 8}}, *rows) == ["lint_score_below", "", "", "", "lint_score_above"]


def test_a_limit_of_one_side() -> None:
    assert judged({"score": {"max": 0.5}}, noted(score=0.6), noted(score=-1e9)) == ["score_above", ""]
    assert judged({"score": {"min": 0.5, "max": None}}, noted(score=0.4), noted(score=1e9)) == ["score_below", ""]


def test_several_limits_the_first_that_fails_is_the_reason_and_what_was_compared_is_noted() -> None:
    limits = {"lint_score": {"min": 7}, "pii": {"email": {"max": 3}}}
    table = run_stage(stage(limits), [noted(lint_score=9, pii={"email": 4, "name": 1})])
    assert list(reasons(table).values()) == ["pii.email_above"]
    (told,) = notes(table).values()
    assert json.loads(told["threshold"]) == {"note": "pii.email", "value": 4, "min": None, "max": 3}
    assert judged(limits, noted(lint_score=1, pii={"email": 9})) == ["lint_score_below"]


def test_a_note_of_null_is_dropped_with_a_reason_of_its_own() -> None:
    """What ruff does not parse has no score, and no limit can be met without one."""
    assert judged({"lint_score": {"min": 0}}, noted(lint_score=None), noted(lint_score=float("nan"))) == ["lint_score_null"] * 2


def test_a_note_that_nobody_wrote_is_an_error_unless_it_is_said_what_it_means() -> None:
    for rows in (noted(), noted(lint_score={"other": 1})):
        with pytest.raises(UserError, match=r"no note 'lint_score.x'.*test/repo:a.py") as caught:
            judged({"lint_score": {"x": {"min": 7}}}, rows)
        assert caught.value.where == "filters.threshold.limits.lint_score.x" and "filters.threshold.absent=keep" in caught.value.do
        assert judged({"lint_score": {"x": {"min": 7}}}, rows, absent="keep") == [""]
        assert judged({"lint_score": {"x": {"min": 7}}}, rows, absent="drop") == ["lint_score.x_absent"]


@pytest.mark.parametrize("value", ["7", True, [7], {"score": 7}])
def test_a_note_that_is_no_number_is_an_error(value: Any) -> None:
    with pytest.raises(BadInput, match="no number") as caught:
        judged({"malware": {"min": 7}}, noted(malware=value))
    assert caught.value.do


@given(st.lists(NUMBERS, min_size=1), NUMBERS, NUMBERS)
def test_the_law(values: list[float | None], one: float | None, other: float | None) -> None:
    """Kept is exactly what lies between; the reasons are declared; the batch does not matter."""
    low, high = sorted((one, other)) if one is not None and other is not None else (one, other)
    if low is None and high is None:
        return
    filter_ = stage({"a": {"min": low, "max": high}})
    rows = [row(uid=f"uid-{at}", notes={"a": json.dumps(value)}) for at, value in enumerate(values)]
    told = reasons(run_stage(filter_, rows))
    for value, reason in zip(values, told.values(), strict=True):
        inside = value is not None and (low is None or low <= value) and (high is None or value <= high)
        assert (reason == "") == inside and reason in ("", *filter_.reasons)
    assert reasons(run_stage(filter_, rows, batch=1)) == told


def test_no_sample_of_malware_is_kept() -> None:
    assert stage({"malware_score": {"score": {"max": 3}}}).private
    assert not stage({"lint_score": {"min": 3}}).private


def test_without_a_limit_nothing_runs() -> None:
    for limits in ({}, {"lint_score": {"min": None, "max": None}}):
        with pytest.raises(UserError, match="no limit is set") as caught:
            describe(stage(limits))
        assert caught.value.do == "filters.threshold.limits.lint_score.min=7"


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        ({"a": 7}, "filters.threshold.limits.a=7"),
        ({"a": {"min": "x"}}, "filters.threshold.limits.a.min=x"),
        ({"a": {"max": True}}, "filters.threshold.limits.a.max=True"),
        ({"a": {"min": 3, "max": 2}}, "filters.threshold.limits.a.min=3 max=2"),
        ({"a": {"least": 3}}, "filters.threshold.limits.a.least=3"),
    ],
)
def test_bad_limits_are_refused_when_built(limits: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        stage(limits)
    assert caught.value.where == where and caught.value.do


def test_bad_values_are_refused_when_built() -> None:
    with pytest.raises(UserError) as caught:
        stage({"a": {"min": 1}}, absent="ignore")
    assert caught.value.where == "filters.threshold.absent=ignore"
    with pytest.raises(UserError):
        Threshold(limits={}, absent="keep", expected_drop=2)
