"""How sure one can be of a ratio of sums: the standard error by leaving out each group in turn (Efron and Tibshirani 1993, chapter 11).

In: rows with `bits` and `bytes`, and the column that groups them. Out: the standard error of sum(bits) / sum(bytes). With differences of
bits in `bits` it is that of a paired difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

DIGITS = 5  # fp32 knows no more


def jackknife(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """0.0 where there are fewer than two groups, which tell nothing of the spread."""
    groups: dict[str, list[float]] = {}
    for row in rows:
        held = groups.setdefault(row[key], [0.0, 0.0])
        held[0] += row["bits"]
        held[1] += row["bytes"]
    sums = np.array(list(groups.values()))  # [groups, 2]
    if len(sums) < 2:
        return 0.0
    left = sums.sum(axis=0) - sums
    kept = left[left[:, 1] > 0]
    values = kept[:, 0] / kept[:, 1]
    return round(float(np.sqrt((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())), DIGITS)
