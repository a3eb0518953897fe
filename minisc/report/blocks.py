"""What a report is made of: seven kinds of blocks, each with a form in HTML and one in Markdown.

Chapters build blocks out of plain strings and numbers; they know neither tags nor escapes. The two renderers know nothing
of corpora and models. So both reports hold the same facts, and hostile text passes exactly one door in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ACCENT, PLAIN, FAINT = "accent", "plain", "faint"
PALETTE = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")  # tones of unordered things: reasons, licenses


@dataclass(frozen=True, slots=True)
class Tile:
    """One number worth a large type."""

    value: str
    label: str
    remark: str = ""
    accent: bool = False


@dataclass(frozen=True, slots=True)
class Tiles:
    items: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    tone: str = PLAIN  # PLAIN, FAINT or "warn"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar; `share` of the bar's full length, 0 to 1."""

    share: float
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    parts: Sequence[Part]
    value: str
    title: str = ""  # says what the bar measures, where a row has several


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend."""

    tone: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A labelled row of bars, with a legend of their coloured parts."""

    label: str
    bars: Sequence[Bar]
    badge: str = ""
    detail: str = ""
    keys: Sequence[Key] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Meters:
    rows: Sequence[Meter]
    titles: Sequence[str] = ()  # over the bars


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    right: bool = False
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: Sequence[tuple[float, float]]
    role: str  # "raw" or "smooth"


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines over an axis; `log` is about the vertical axis. `small`: one of several in a row."""

    title: str
    x_label: str
    series: Sequence[Series]
    log: bool = False
    small: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Curves:
    items: Sequence[Curve]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text of one origin: prompt, completion, suffix, or plain."""

    text: str
    role: str = "plain"


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it is, white space and all; `badge` and `detail` in its caption."""

    title: str
    pieces: Sequence[Piece]
    badge: str = ""
    detail: str = ""
    low: bool = False  # shown in a box of limited height


@dataclass(frozen=True, slots=True)
class Fold:
    """Closed until it is wanted."""

    title: str
    blocks: Sequence[Block]


Block = Tiles | Text | Meters | Table | Curve | Curves | Code | Fold


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    blocks: Sequence[Block]
    lead: str = ""  # one sentence under the title
