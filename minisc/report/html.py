"""A story as one HTML file that needs nothing else: no script, no font, no image, no network.

Its Content-Security-Policy forbids all of them, so that even a hole in the escaping could run nothing. Light and dark by
the reader's own preference; from 380 pixels upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from minisc.report.blocks import Bar, Block, Chapter, Code, Curve, Curves, Fold, Meter, Meters, Table, Text, Tiles
from minisc.report.chapters import chapters
from minisc.report.chart import chart
from minisc.report.markup import Markup, source, tag
from minisc.report.road import tiles, warned
from minisc.report.story import Story
from minisc.report.verdict import verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(story: Story) -> str:
    """The whole page; pure, the same story gives the same bytes. ASCII-safe to write as UTF-8: no surrogate is left."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{story.recipe} \u2013 minisc"),
        tag("style", Markup(style)),
    )
    told = chapters(story)
    main = tag("main", _header(story), *map(_chapter, told), tag("footer", f"minisc, {story.date}"))
    return f'<!DOCTYPE html>\n<html lang="en">{head}\n<body>{main}</body></html>\n'


def _header(story: Story) -> Markup:
    return tag(
        "header",
        tag("p", tag("span", "minisc", class_="brand"), tag("span", story.date), tag("span", story.machine), class_="over"),
        tag("h1", story.recipe),
        tag("p", verdict(story), class_="verdict"),
        tag("pre", tag("code", "$ ", source(story.command)), class_="command"),
        *map(_block, warned(story)),
        _tiles(tiles(story)),
    )


def _chapter(chapter: Chapter) -> Markup:
    lead = [tag("p", chapter.lead, class_="lead")] if chapter.lead else []
    return tag("section", tag("h2", chapter.title), *lead, *map(_block, chapter.blocks))


def _block(block: Block) -> Markup:
    return _FORMS[type(block)](block)


def _tiles(block: Tiles) -> Markup:
    made = [
        tag(
            "div",
            tag("div", item.value, class_="value"),
            tag("div", item.label, class_="label"),
            *([tag("div", item.remark, class_="faint")] if item.remark else []),
            class_="tile accent" if item.accent else "tile",
        )
        for item in block.items
    ]
    return tag("div", *made, class_="tiles")


def _text(block: Text) -> Markup:
    return tag("p", block.text, class_=f"text {block.tone}")


def _meters(block: Meters) -> Markup:
    width = max((len(row.bars) for row in block.rows), default=1)
    titles = [tag("div", tag("span"), *(tag("span", title) for title in block.titles), class_="meter titles")] if block.titles else []
    return tag("div", *titles, *map(_meter, block.rows), class_=f"meters n{width}")


def _meter(row: Meter) -> Markup:
    badge = [tag("span", row.badge, class_="badge")] if row.badge else []
    keys = [
        tag(
            "li",
            tag("span", class_=f"swatch {key.tone}"),
            tag("span", key.label, class_="key"),
            " ",
            tag("span", key.detail, class_="faint"),
        )
        for key in row.keys
    ]
    below = ([tag("div", row.detail, class_="detail")] if row.detail else []) + ([tag("ul", *keys, class_="keys")] if keys else [])
    bars = [_bar(bar) for bar in row.bars]
    return tag("div", tag("div", row.label, *badge, class_="name"), *bars, *below, class_="meter strong" if row.strong else "meter")


def _bar(bar: Bar) -> Markup:
    pieces, at = [], 0.0
    for part in bar.parts:
        width = min(max(part.share, 0.0), 1.0) * 1000
        pieces.append(tag("rect", tag("title", part.title), x=f"{at:.2f}", y="0", width=f"{width:.2f}", height="10", class_=part.tone))
        at += width
    drawn = tag("svg", *pieces, viewBox="0 0 1000 10", preserveAspectRatio="none", role="img", aria_label=bar.value)
    title = [tag("span", bar.title, class_="bar-title")] if bar.title else []
    return tag("div", tag("div", drawn, class_="track"), tag("div", bar.value, *title, class_="bar-value"), class_="bar")


def _table(block: Table) -> Markup:
    def cell(name: str, value: str, at: int) -> Markup:
        column = block.columns[at]
        kinds = " ".join(kind for kind, on in (("right", column.right), ("mono", column.mono)) if on)
        return tag(name, value, class_=kinds or None)

    head = tag("tr", *(cell("th", column.title, at) for at, column in enumerate(block.columns)))
    rows = [tag("tr", *(cell("td", value, at) for at, value in enumerate(row))) for row in block.rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")


def _curves(block: Curves) -> Markup:
    return tag("div", *map(chart, block.items), class_="curves")


def _code(block: Code) -> Markup:
    badge = [tag("span", block.badge, class_="badge")] if block.badge else []
    detail = [tag("span", block.detail, class_="faint")] if block.detail else []
    last = len(block.pieces) - 1
    pieces = [tag("span", source(piece.text, ends=at == last), class_=piece.role) for at, piece in enumerate(block.pieces)]
    caption = tag("figcaption", tag("strong", block.title), *badge, *detail)
    return tag("figure", caption, tag("pre", tag("code", *pieces)), class_="code low" if block.low else "code")


def _fold(block: Fold) -> Markup:
    return tag("details", tag("summary", block.title), *map(_block, block.blocks))


_FORMS: dict[type, Callable[[Any], Markup]] = {
    Tiles: _tiles, Text: _text, Meters: _meters, Table: _table, Curve: chart, Curves: _curves, Code: _code, Fold: _fold,
}  # fmt: skip
