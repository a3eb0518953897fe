"""Line charts as inline SVG that fit any width: at 420 pixels the letters are as large as at 1,200.

An SVG with a viewBox shrinks its text with its lines. Here only the lines live in a viewBox (0..1000 both ways, stretched,
with strokes that keep their width); axes and labels are placed by percent in the SVG around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minisc.report.blocks import Curve
from minisc.report.markup import Markup, join, tag

SPAN = 1000
LOG_STEPS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))  # the first is for ranges over more than two decades


def chart(curve: Curve) -> Markup:
    xs = [x for series in curve.series for x, _ in series.points]
    ys = [y for series in curve.series for _, y in series.points]
    across = Axis.of(0 if min(xs) < 0.1 * max(xs) else min(xs), max(xs), log=False, wanted=3 if curve.small else 6, snug=True)
    up = Axis.of(min(ys), max(ys), log=curve.log, wanted=3 if curve.small else 5)
    lines = [_line(series.points, series.role, across, up) for series in curve.series if series.points]
    drawn = tag("svg", *_grid(across, up), tag("svg", *lines, viewBox=f"0 0 {SPAN} {SPAN}", preserveAspectRatio="none", width="100%", height="100%"),
                width="100%", height="100%", role="img", aria_label=curve.title)  # fmt: skip
    head = tag("figcaption", tag("strong", curve.title), tag("span", " (log scale)" if curve.log else "", class_="faint"))
    foot = tag("p", curve.x_label + (f". {curve.remark}." if curve.remark else ""), class_="axis-label")
    return tag("figure", head, tag("div", drawn, class_="plot"), foot, class_="curve small" if curve.small else "curve")


class Axis:
    """Where a value lies, 0 to 1, and which values get a label."""

    def __init__(self, low: float, high: float, log: bool, ticks: Sequence[float]) -> None:
        self.low, self.high, self.log, self.ticks = low, high, log, ticks

    @classmethod
    def of(cls, low: float, high: float, *, log: bool, wanted: int, snug: bool = False) -> Axis:
        """An axis over [low, high]; not `snug`: widened to its outer ticks."""
        if log:
            ticks = log_ticks(low, high)
            return cls(min(low, ticks[0]) * 0.97, high * 1.03, True, [tick for tick in ticks if low * 0.97 <= tick <= high * 1.03])
        ticks = linear_ticks(low, high, wanted)
        step = ticks[1] - ticks[0]
        if snug:
            return cls(low, high if high > low else low + 1, False, [tick for tick in ticks if low <= tick <= high])
        bottom = ticks[0] if ticks[0] <= low else ticks[0] - step
        top = ticks[-1] if ticks[-1] >= high else ticks[-1] + step
        return cls(bottom, top, False, [tick for tick in (bottom, *ticks, top) if bottom <= tick <= top])

    def at(self, value: float) -> float:
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that cover [low, high]; at least two."""
    width = (high - low) or abs(high) or 1.0
    raw = width / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    steps = LOG_STEPS[0] if high / low > 100 else LOG_STEPS[1]
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in steps]
    return [tick for tick in ticks if low <= tick <= high] or [low]


def _grid(across: Axis, up: Axis) -> list[Markup]:
    marks = []
    for tick in up.ticks:
        y = f"{100 * (1 - up.at(tick)):.2f}%"
        marks.append(tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        marks.append(tag("text", _label(tick), x="-8", y=y, dy=".32em", class_="tick end"))
    for tick in across.ticks:
        x = f"{100 * across.at(tick):.2f}%"
        marks.append(tag("line", x1=x, x2=x, y1="100%", y2="100%", class_="grid"))
        marks.append(tag("text", _label(tick), x=x, y="100%", dy="1.5em", class_="tick"))
    return [join(marks)]


def _label(value: float) -> str:
    if value and abs(value) < 0.01:
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value / 1e9:g} B" if abs(value) >= 1e9 else f"{value / 1e6:g} M" if abs(value) >= 1e6 else f"{value:,.6g}"


def _line(points: Sequence[tuple[float, float]], role: str, across: Axis, up: Axis) -> Markup:
    places = [f"{SPAN * across.at(x):.1f} {SPAN * (1 - up.at(y)):.1f}" for x, y in points]
    return tag("path", d="M" + "L".join(places), class_=role, vector_effect="non-scaling-stroke")
