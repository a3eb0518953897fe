"""Characters that nobody sees: controls, direction marks, joiners, lone surrogates, tags. Shown by their code, they do nothing.

Names of files, texts of documents and what a model writes are strangers' words: an escape sequence among them would drive the terminal that
shows it, a direction mark would turn a line around, a lone surrogate could not be printed at all.
"""

from __future__ import annotations

import re

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)  # all but tab and line end


def code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def made_visible(value: str) -> str:
    """For plain text (a terminal, a log, Markdown): unseen characters as <U+202E>."""
    return UNSEEN.sub(lambda found: f"<{code_point(found[0])}>", value)
