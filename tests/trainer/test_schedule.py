"""The learning rate's course, at its corners and as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisc.trainer.schedule import KINDS, factor, length


def course(kind: str, steps: int, warmup: int, decay: int, floor: float = 0.0) -> list[float]:
    return [factor(step, steps, kind=kind, warmup=warmup, decay=decay, floor=floor) for step in range(steps)]


def test_wsd_rises_stays_and_falls() -> None:
    assert course("wsd", 10, 2, 4) == [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert course("wsd", 4, 0, 0) == [1, 1, 1, 1]
    assert course("wsd", 4, 0, 4, floor=0.2) == pytest.approx([1, 0.8, 0.6, 0.4])


def test_cosine_falls_after_the_warm_up() -> None:
    assert course("cosine", 6, 2, 0) == pytest.approx([0.5, 1, 1, 0.8535533905932737, 0.5, 0.1464466094067263])
    assert course("cosine", 101, 0, 0, floor=0.1)[50] == pytest.approx(0.1 + 0.9 * 0.5, abs=0.01)


@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.floats(0, 0.9))
def test_it_stays_between_nothing_and_the_top(kind: str, steps: int, warmup: int, decay: int, floor: float) -> None:
    rates = course(kind, steps, min(warmup, steps), min(decay, steps), floor)
    assert all(0 < rate <= 1 for rate in rates)
    assert rates == rates[: rates.index(max(rates))] + sorted(rates[rates.index(max(rates)) :], reverse=True)


@pytest.mark.parametrize(
    ("value", "steps", "result"), [(0, 100, 0), (0.02, 100, 2), (0.02, 10, 1), (1, 100, 1), (2000, 100, 100), (0.5, 3, 2)]
)
def test_lengths_are_shares_or_steps(value: float, steps: int, result: int) -> None:
    assert length(value, steps) == result
