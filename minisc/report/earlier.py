"""The chapter on an earlier run: the loss of both, the figures that changed, the settings that differ.

Scores are compared over the documents and items that both judged. Of other figures it says both; which is better is for the reader, since a
figure's name does not say whether more is good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.report import spell
from minisc.report.blocks import Block, Chapter, Column, Curve, Fold, Series, Table, Text
from minisc.report.learning import points_of, smoothed, thinned
from minisc.report.story import Story

SHOWN = 12  # figures before the fold


def earlier(story: Story) -> Chapter | None:
    then = story.earlier
    if not then:
        return None
    blocks: list[Block] = _curves(story, then)
    if apart := [[spell.plain(figure), *rest] for figure, *rest in then["apart"]]:
        titles = (("Score", False), ("Now less then", True), ("95 % interval", False), ("Over", True), ("Verdict", False))
        blocks.append(Table([Column(title, right=right) for title, right in titles], apart))
    rows = list(_figures(then["figures"], story.figures))
    columns = [Column("Figure"), Column("Then", right=True), Column("Now", right=True), Column("Change", right=True)]
    if rows:
        blocks.append(Table(columns, rows[:SHOWN]))
    if rows[SHOWN:]:
        blocks.append(Fold(f"{len(rows) - SHOWN} more figures that changed", [Table(columns, rows[SHOWN:])]))
    settings = [[key, *pair] for key, pair in sorted(then["settings"].items())]
    if settings:
        blocks.append(Fold(f"Settings that differ: {len(settings)}", [Table([Column("Setting"), Column("Then"), Column("Now")], settings)]))
    if not blocks:
        blocks.append(Text("No figure and no setting differs."))
    return Chapter("Beside an earlier run", blocks, f"{then['name']}: {then['command']}")


def _curves(story: Story, then: Mapping[str, Any]) -> list[Block]:
    before = points_of(then["metrics"], "loss")
    now = next((points for rows in story.metrics.values() if len(points := points_of(rows, "loss")) > 1), [])
    if len(before) < 2 or not now:
        return []
    values = [value for _, value in (*before, *now)]
    series = [Series("then", thinned(smoothed(before)), "raw"), Series("now", thinned(smoothed(now)), "smooth")]
    remark = "strong: this run; faint: the earlier one; both smoothed over 2 % of their steps"
    log = min(values) > 0 and max(values) / min(values) > 2.5
    return [Curve("Loss of both runs, nats a token", "tokens", series, log=log, remark=remark)]


def _figures(then: Mapping[str, Any], now: Mapping[str, Any]) -> Any:
    """Numbers that both runs have and that are not the same."""
    for name, value in now.items():
        before = then.get(name)
        if _is_number(value) and _is_number(before) and value != before:
            change = f"{100 * (value / before - 1):+.1f} %" if before else ""
            yield [spell.plain(name), spell.figure(name, before), spell.figure(name, value), change]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
