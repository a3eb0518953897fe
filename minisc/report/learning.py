"""The chapter on training: the loss as it was at every logged step, and a smoothed line over it.

The faint line is the raw value: per bucket its lowest and highest point, so that thinning thousands of steps to the width
of a page hides no spike. The strong line is a centred mean over 2 % of the steps, which unlike an exponential average does
not lag behind. The axis of the loss is logarithmic where its range asks for it, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from minisc.report import spell
from minisc.report.blocks import Block, Chapter, Curve, Curves, Series, Text
from minisc.report.story import Story

POINTS = 600  # twice the pixels that a phone has; a page at full width has 1,100
WINDOW = 0.02  # of the steps, each side together
BESIDE = (
    ("lr", "learning rate"),
    ("grad_norm", "gradient norm"),
    ("tokens_per_second", "tokens per second"),
    ("mfu", "model FLOPs utilisation"),
)
Points = list[tuple[float, float]]


def learning(story: Story) -> Chapter | None:
    blocks: list[Block] = []
    for name, rows in story.metrics.items():
        if len(story.metrics) > 1:
            blocks.append(Text(name))
        blocks += _one(rows)
    return Chapter("Learning", blocks, _lead(story.metrics)) if blocks else None


def _lead(metrics: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [row for rows in metrics.values() for row in rows if row.get("loss") is not None]
    if not rows:
        return ""
    last = rows[-1]
    told = (
        f"{spell.count(last['step'])} steps, {spell.short(last['tokens'])} tokens"
        if "tokens" in last
        else f"{spell.count(last['step'])} steps"
    )
    return f"{told}; the loss went from {rows[0]['loss']:.2f} to {last['loss']:.2f} nats a token."


def _one(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    blocks: list[Block] = []
    loss = points_of(rows, "loss")
    if len(loss) > 1:
        blocks.append(curve("Loss, nats a token", loss))
    small = [
        Curve(title, "tokens", [Series(title, thinned(points), "smooth")], small=True)
        for key, title in BESIDE
        if len(points := points_of(rows, key)) > 1
    ]
    return [*blocks, Curves(small)] if small else blocks


def points_of(rows: Sequence[Mapping[str, Any]], key: str) -> Points:
    """(tokens, value) of the rows that have the value as a finite number; steps stand in where tokens are not told."""
    x_key = "tokens" if all("tokens" in row for row in rows) else "step"
    pairs = ((row.get(x_key), row.get(key)) for row in rows)
    return [(float(x), float(y)) for x, y in pairs if isinstance(x, (int, float)) and isinstance(y, (int, float)) and abs(y) < 1e30]


def curve(title: str, points: Points) -> Curve:
    low, high = min(y for _, y in points), max(y for _, y in points)
    log = low > 0 and high / low > 2.5
    smooth = smoothed(points)
    remark = "faint: every logged step (lowest and highest of a bucket); strong: centred mean over 2 % of the steps"
    return Curve(
        title, "tokens", [Series("raw", thinned(points), "raw"), Series("smoothed", thinned(smooth), "smooth")], log=log, remark=remark
    )


def smoothed(points: Points) -> Points:
    """A centred mean; the window shrinks symmetrically towards both ends, so the ends are the values themselves."""
    half = max(1, round(len(points) * WINDOW / 2))
    sums = [0.0, *accumulate(y for _, y in points)]
    out = []
    for at, (x, _) in enumerate(points):
        reach = min(half, at, len(points) - 1 - at)
        out.append((x, (sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1)))
    return out


def thinned(points: Points, limit: int = POINTS) -> Points:
    """At most `limit` points: of each bucket the lowest and the highest, in their order."""
    if len(points) <= limit:
        return points
    out: Points = []
    buckets = limit // 2
    for bucket in range(buckets):
        inside = points[bucket * len(points) // buckets : (bucket + 1) * len(points) // buckets]
        low, high = min(inside, key=lambda point: point[1]), max(inside, key=lambda point: point[1])
        out += sorted({low, high})
    return out
