"""pass@k without bias, and how sure one can be of it.

pass@k is the chance that at least one of k samples passes. With n >= k samples of an item, c of which passed, the estimate
1 - C(n-c, k) / C(n, k) has no bias (Chen et al. 2021, arXiv 2107.03374, section 2.1); 1 - (1 - c/n)^k, the naive one, has.
The score is the mean over items.

The interval is Wilson's (1927) at 95 %, for as many independent yes-or-no items as would give the variance seen between items: with
one sample an item it is Wilson's interval itself; 0 of 164 gives [0, 2.3 %], where a bootstrap or the normal approximation would
claim certainty. It speaks of other items like these, not of other samples from the same items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from minisc.core.scoreboard import Z


@dataclass(frozen=True, slots=True)
class Share:
    """A share in 0..1 with its 95 % interval."""

    value: float
    low: float
    high: float
    items: int


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The unbiased estimate for one item; needs 0 <= passed <= samples and 1 <= k <= samples."""
    assert 0 <= passed <= samples and 1 <= k <= samples, "pass@k needs k of the samples"
    if samples - passed < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(samples - passed + 1, samples + 1))


def share(values: Sequence[float]) -> Share:
    """The mean of per-item values in 0..1 with its interval."""
    assert values and all(0.0 <= value <= 1.0 for value in values), "a share is made of values between 0 and 1"
    items = len(values)
    mean = math.fsum(values) / items
    variance = math.fsum((value - mean) ** 2 for value in values) / items
    effective = items if variance <= 0 else max(items, items * mean * (1 - mean) / variance)
    low, high = wilson(mean, effective)
    return Share(mean, low, high, items)


def wilson(mean: float, trials: float) -> tuple[float, float]:
    """Wilson's score interval of a share seen in so many trials."""
    spread = Z * Z / trials
    middle = (mean + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(mean * (1 - mean) / trials + spread / (4 * trials))
    return (0.0 if mean == 0 else max(middle - half, 0.0)), (1.0 if mean == 1 else min(middle + half, 1.0))


def difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """(mean of second - first, low, high) of two runs over the same items in the same order, 95 %, paired by item.

    Wald's interval after adding one item won and one lost (Bonett and Price 2012, J. Educ. Behav. Stat. 37, 479): with plain Wald two
    models that both solve nothing would differ by 0 for certain.
    """
    assert len(first) == len(second) > 1, "a paired difference needs the same items"
    gains = [after - before for before, after in zip(first, second, strict=True)]
    wider = [*gains, 1.0, -1.0]
    middle = math.fsum(wider) / len(wider)
    error = math.sqrt(math.fsum((gain - middle) ** 2 for gain in wider)) / len(wider)
    return math.fsum(gains) / len(gains), max(-1.0, middle - Z * error), min(1.0, middle + Z * error)
