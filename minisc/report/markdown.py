"""The same story as Markdown: for terminals, diffs and pages that render it. Bars become shares, curves become tables.

Hostile text can do less here than in HTML, but renderers of Markdown pass HTML through: `<` and `&` are escaped wherever
text flows, tables lose `|` and line breaks, code stands in fences longer than any run of backticks inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from minisc.core.unseen import made_visible
from minisc.report.blocks import Block, Chapter, Code, Column, Curve, Curves, Fold, Meter, Meters, Table, Text, Tiles
from minisc.report.chapters import chapters
from minisc.report.chart import linear_ticks
from minisc.report.markup import unmarked
from minisc.report.road import tiles, warned
from minisc.report.story import Story
from minisc.report.verdict import verdict

CURVE_ROWS = 10
BAR_CHARACTERS = 24
WRITTEN = ("completion", "repeated")  # roles of pieces that are the model's
_ACTIVE = re.compile(r"([\\`*_{}\[\]#|~!])")
_RUNS = re.compile("`+")


def render_markdown(story: Story) -> str:
    """The whole page; pure. Says what `render_html` says, but for the texts of dropped samples, which it names."""
    head = [
        f"# {_flow(story.recipe)}",
        f"**{_flow(verdict(story))}**",
        f"{_flow(story.date)}, {_flow(story.machine)}",
        _fenced("$ " + story.command),
    ]
    parts = [*head, *(_block(block) for block in warned(story)), _tiles(tiles(story)), *(_chapter(chapter) for chapter in chapters(story))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _chapter(chapter: Chapter) -> str:
    return "\n\n".join(
        [f"## {_flow(chapter.title)}", *([_flow(chapter.lead)] if chapter.lead else []), *(_block(block) for block in chapter.blocks)]
    )


def _block(block: Block) -> str:
    return _FORMS[type(block)](block)


def _tiles(block: Tiles) -> str:
    return _grid(
        [Column("Figure"), Column("Value", right=True)],
        [[f"{item.label} {f'({item.remark})' if item.remark else ''}".strip(), item.value] for item in block.items],
    )


def _text(block: Text) -> str:
    return f"> **Warning:** {_flow(block.text)}" if block.tone == "warn" else _flow(block.text)


def _meters(block: Meters) -> str:
    titles = list(block.titles) or [""] * max((len(row.bars) for row in block.rows), default=1)
    columns = [Column(""), *(column for title in titles for column in (Column(title), Column("", right=True))), Column("")]
    return _grid(columns, [_meter(row) for row in block.rows])


def _meter(row: Meter) -> list[str]:
    bars = [cell for bar in row.bars for cell in ("\u2588" * round(BAR_CHARACTERS * (bar.parts[0].share if bar.parts else 0)), bar.value)]
    told = [row.badge, row.detail, "; ".join(f"{key.label}: {key.detail}" for key in row.keys)]
    return [row.label, *bars, ". ".join(part for part in told if part)]


def _grid(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    lines = [[_cell(column.title) for column in columns], ["---:" if column.right else "---" for column in columns]]
    lines += [[_cell(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(block: Table) -> str:
    return _grid(block.columns, block.rows)


def _curve(block: Curve) -> str:
    return _curves(Curves([block]))


def _curves(block: Curves) -> str:
    """The smoothed lines at round places of their common axis, side by side."""
    lines = [next((series.points for series in curve.series if series.role == "smooth"), curve.series[0].points) for curve in block.items]
    first, last = lines[0][0][0], lines[0][-1][0]
    places = [first, *(tick for tick in linear_ticks(first, last, CURVE_ROWS) if first < tick < last), last]
    rows = [[f"{place:,.0f}", *(f"{_nearest(line, place):.4g}" for line in lines)] for place in dict.fromkeys(places)]
    return _grid([Column(block.items[0].x_label, right=True), *(Column(curve.title, right=True) for curve in block.items)], rows)


def _nearest(line: Sequence[tuple[float, float]], place: float) -> float:
    return min(line, key=lambda point: abs(point[0] - place))[1]


def _code(block: Code) -> str:
    caption = " ".join([f"**{_flow(block.title)}**", *(f"({_flow(told)})" for told in (block.badge, block.detail) if told)])
    if block.low:
        return f"* {caption}"
    roles = {piece.role for piece in block.pieces}
    if roles <= {"plain"}:
        return f"{caption}\n\n{_fenced(''.join(piece.text for piece in block.pieces))}"
    runs = [
        (is_written, "".join(piece.text for piece in pieces))
        for is_written, pieces in groupby(block.pieces, lambda piece: piece.role in WRITTEN)
    ]
    named = [f"{'The model wrote' if is_written else 'Given'}:\n\n{_fenced(text)}" for is_written, text in runs if text or is_written]
    return "\n\n".join([caption, *named])


def _fold(block: Fold) -> str:
    blocks = [_block(inner) for inner in block.blocks]
    lists = all(isinstance(inner, Code) and inner.low for inner in block.blocks)
    return f"**{_flow(block.title)}**\n\n" + ("\n" if lists else "\n\n").join(blocks)


def _flow(value: str) -> str:
    """Text in a line: nothing in it can open a tag, a link, a table or a heading."""
    return _ACTIVE.sub(r"\\\1", made_visible(value.replace("\n", " "))).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cell(value: str) -> str:
    return _flow(value) if value.strip("\u2588") else value


def _fenced(value: str) -> str:
    fence = "`" * max([3, *(len(run) + 1 for run in _RUNS.findall(value))])
    return f"{fence}\n{made_visible(unmarked(value))}\n{fence}"


_FORMS: dict[type, Callable[[Any], str]] = {
    Tiles: _tiles, Text: _text, Meters: _meters, Table: _table, Curve: _curve, Curves: _curves, Code: _code, Fold: _fold,
}  # fmt: skip
