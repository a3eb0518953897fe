"""Markdown that says what was meant, whatever the names in it try.

In: text from documents, repositories, licenses, models. Out: Markdown in which that text is only text: no link, no image, no
HTML, no heading, no new line, no cell of its own. What the eye does not see (control and bidirectional characters, zero
widths, lone surrogates) stands as its code point, as in the report.
The YAML above a card is written as JSON strings in ASCII, which YAML reads as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 200  # characters of a name that a card shows
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$@:-])")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]")  # fmt: skip
# A dot too: `www.somewhere.net` and `http://…` become links by themselves on most sites.
_LINKED = re.compile(r"(?<=\S)\.(?=[^\W\d_])")


def plain(text: object) -> str:
    """Foreign text in a sentence or a cell, at most `LONGEST` characters of it."""
    told = str(text)
    cut = told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"
    seen = _UNSEEN.sub(lambda found: f"U+{ord(found[0]):04X} ", cut)
    # Character references for ASCII punctuation work in every dialect, in tables and headings alike.
    return _LINKED.sub("&#46;", _SPECIAL.sub(lambda found: f"&#{ord(found[0])};" if found[0] != "-" else "-", seen))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are Markdown already. A column whose name begins with `>` is a number, to the right."""
    if not rows:
        return ""
    heads = [column.lstrip(">") for column in columns]
    marks = ["---:" if column.startswith(">") else "---" for column in columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, marks, *rows)) + "\n"


def fenced(text: str, language: str = "") -> str:
    """A block of code that its own text cannot end."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    shown = _UNSEEN.sub(lambda found: found[0] if found[0] in "\n\t" else f"U+{ord(found[0]):04X} ", text)
    return f"{ticks}{language}\n{shown.rstrip()}\n{ticks}\n"


def front_matter(values: Mapping[str, Any]) -> str:
    """The YAML block that the Hugging Face hub reads; values that are None are left out."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "\n".join(["---", *lines, "---", ""])


def count(value: float) -> str:
    """1234567 -> '1,234,567'."""
    return f"{value:,.0f}"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f}" if size >= 1e5 else f"{size / 1e6:,.4f}"


def share(part: float, whole: float) -> str:
    """In percent; what is there but tiny is not told as nothing."""
    percent = 100 * part / whole if whole else 0.0
    return "< 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %"
