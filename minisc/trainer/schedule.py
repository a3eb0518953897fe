"""The learning rate as a pure function of the step: resuming needs no scheduler state.

Both schedules rise linearly over `warmup` steps. `wsd` (warm-up, stable, decay: arXiv 2404.06395) then stays at the top and
falls linearly over the last `decay` steps; any checkpoint of its plateau can be annealed into a release. `cosine` falls over
all the steps after the warm-up (arXiv 1608.03983). Both end at `floor` times the top.
"""

from __future__ import annotations

import math

KINDS = ("wsd", "cosine")


def factor(step: int, steps: int, *, kind: str, warmup: int, decay: int, floor: float) -> float:
    """What the top rate is multiplied by at `step`, counted from 0, of `steps`; in (0, 1] for floor > 0 or steps > 0."""
    assert 0 <= step < steps, "the step lies outside the run"
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    if kind == "wsd":
        fall = min(1.0, (steps - step) / decay) if decay else 1.0
    else:
        fall = 0.5 * (1.0 + math.cos(math.pi * max(0, step - warmup) / max(1, steps - warmup)))
    return rise * (floor + (1.0 - floor) * fall)


def length(value: float, steps: int) -> int:
    """Below 1 a share of all steps (rounded up), from 1 on a number of steps; never more than there are."""
    return min(steps, math.ceil(value * steps) if value < 1 else int(value))
