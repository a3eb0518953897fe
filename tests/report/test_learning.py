"""The curves: thinning hides no spike, smoothing does not lag, an axis covers what it shows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.report.chart import Axis, linear_ticks
from minisc.report.learning import points_of, smoothed, thinned
from tests.report import stories

VALUES = st.floats(min_value=1e-6, max_value=1e6)


def test_a_spike_of_one_step_survives_thinning() -> None:
    points = points_of(stories.rows(), "loss")
    thin = thinned(points)
    spike = max(points[500:], key=lambda point: point[1])
    assert len(points) == 3000 and len(thin) <= 600
    assert spike in thin and points[1776] == spike


def test_the_smoothed_line_of_a_straight_line_is_itself() -> None:
    line = [(float(x), 3.0 - x / 100) for x in range(200)]
    assert all(abs(y - told) < 1e-9 for (_, y), (_, told) in zip(line, smoothed(line), strict=True))


def test_rows_without_a_finite_value_are_left_out() -> None:
    assert points_of([{"step": 1, "loss": 2.0}, {"step": 2, "loss": float("nan")}, {"step": 3}], "loss") == [(1.0, 2.0)]


@given(a=VALUES, b=VALUES, log=st.booleans(), wanted=st.integers(2, 8))
@settings(deadline=None, max_examples=200)
def test_an_axis_covers_its_values_and_labels_a_few_places(a: float, b: float, log: bool, wanted: int) -> None:
    low, high = min(a, b), max(a, b)
    axis = Axis.of(low, high, log=log, wanted=wanted)
    assert -1e-6 <= axis.at(low) <= axis.at(high) <= 1 + 1e-6
    assert 1 <= len(axis.ticks) <= 60
    assert all(-0.05 <= axis.at(tick) <= 1.05 for tick in axis.ticks)


@given(a=VALUES, b=VALUES, wanted=st.integers(2, 12))
@settings(deadline=None, max_examples=200)
def test_linear_ticks_are_round_and_cover(a: float, b: float, wanted: int) -> None:
    low, high = min(a, b), max(a, b)
    ticks = linear_ticks(low, high, wanted)
    step = ticks[1] - ticks[0]
    assert 2 <= len(ticks) <= wanted + 3
    assert ticks[0] <= low + step * 1e-6 and ticks[-1] >= high - step * 1e-6
