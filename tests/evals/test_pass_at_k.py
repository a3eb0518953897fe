"""pass@k against exact arithmetic, intervals against published values."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.evals.pass_at_k import difference, pass_at_k, share, wilson


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_it_is_the_unbiased_estimator(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 200))
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - Fraction(comb(n - c, k), comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact), abs=1e-12)


def test_it_has_no_bias_where_the_naive_one_has() -> None:
    """Over all outcomes of n=5 samples with p=0.3, its mean is 1 - 0.7^k exactly."""
    p, n, k = 0.3, 5, 3
    weights = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    assert sum(weight * pass_at_k(n, c, k) for c, weight in enumerate(weights)) == pytest.approx(1 - (1 - p) ** k, abs=1e-12)
    assert sum(weight * (1 - (1 - c / n) ** k) for c, weight in enumerate(weights)) < 1 - (1 - p) ** k - 0.01


def test_wilson_is_the_published_interval() -> None:
    """Newcombe 1998, table I, Wilson's score method: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for passed, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        assert [round(end, 4) for end in wilson(passed / trials, trials)] == [low, high]


def test_an_honest_zero_is_not_certain() -> None:
    zero = share([0.0] * 164)
    assert (zero.value, zero.low, round(zero.high, 4)) == (0.0, 0.0, 0.0229)
    assert share([1.0] * 164).high == 1.0 and share([1.0] * 164).low == pytest.approx(0.9771, abs=1e-4)


def test_one_sample_an_item_is_wilson_and_more_samples_are_narrower() -> None:
    assert (share([1.0, 0.0] * 50).low, share([1.0, 0.0] * 50).high) == wilson(0.5, 100)
    steady = share([0.4, 0.6] * 50)
    assert steady.high - steady.low < 0.1 < share([1.0, 0.0] * 50).high - share([1.0, 0.0] * 50).low


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_interval_holds_the_share(values: list[float]) -> None:
    found = share(values)
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


def test_a_paired_difference_is_surer_than_two_scores() -> None:
    before = [float(at % 2) for at in range(100)]
    after = [1.0 if at < 20 else value for at, value in enumerate(before)]
    mean, low, high = difference(before, after)
    assert mean == pytest.approx(0.1) and 0 < low < mean < high < 0.2


def test_a_difference_is_bonetts_and_prices_interval() -> None:
    """With f12 lost and f21 won of n: (f21 - f12) / (n + 2), and its variance from (f12 + 1) and (f21 + 1) of n + 2."""
    won, lost, n = 9, 4, 40
    _, low, high = difference([0.0] * won + [1.0] * (n - won), [1.0] * won + [0.0] * lost + [1.0] * (n - won - lost))
    p21, p12 = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    reach = 1.959963984540054 * math.sqrt((p12 + p21 - (p21 - p12) ** 2) / (n + 2))
    assert (low, high) == pytest.approx((p21 - p12 - reach, p21 - p12 + reach), abs=1e-12)
