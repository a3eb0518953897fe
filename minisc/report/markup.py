"""The one door through which text becomes HTML.

`tag` builds elements; every child that is a plain `str` is escaped on its way in, only a `Markup` passes as it is, and only
this module makes a `Markup`. So a forgotten escape is not possible, it is a type.

Escaping `<>&"'` is not enough for an honest report: bidirectional controls reorder what the eye reads (CVE-2021-42574),
zero-width characters hide, escape sequences and NUL vanish, lone surrogates cannot be written. All of them are shown by
their code points instead.
"""

from __future__ import annotations

import html
import re

from minisc.core.unseen import UNSEEN, code_point

_MARK = re.compile("\0([^\0\n]{1,64})\0")
_TRAILING = re.compile(r"[ \t]+(?=\n)|[ \t]+\Z")
VOID = frozenset({"meta", "br", "rect", "line", "path", "circle"})


class Markup(str):
    """HTML that is safe to stand as it is."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | None) -> Markup:
    """`<name ...>children</name>`. `class_` is class; underscores in names are hyphens; None leaves an attribute out."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{attribute(value)}"' for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Markup(f"<{name}{told}/>" if name not in ("meta", "br") else f"<{name}{told}>")
    return Markup(f"<{name}{told}>{''.join(text(child) for child in children)}</{name}>")


def join(children: list[Markup]) -> Markup:
    return Markup("\n".join(children))


def text(value: str) -> Markup:
    """Escaped; what the eye could not see stands as its code point."""
    if isinstance(value, Markup):
        return value
    return Markup(UNSEEN.sub(lambda found: f'<i class="u">{code_point(found[0])}</i>', html.escape(value)))


def attribute(value: str) -> str:
    return UNSEEN.sub(lambda found: code_point(found[0]), html.escape(value))


def source(value: str, *, ends: bool = True) -> Markup:
    """Text of a document or a model: real special tokens (between NULs) as marks, white space at the ends of lines visible.

    `ends`: nothing follows, so the end of the text is the end of a line.
    """
    out, at = [], 0
    for found in _MARK.finditer(value):
        out += [_lines(value[at : found.start()], ends=False), f'<b class="special">{text(found[1])}</b>']
        at = found.end()
    return Markup("".join([*out, _lines(value[at:], ends=ends)]))


def _lines(value: str, *, ends: bool) -> str:
    out, at = [], 0
    for found in _TRAILING.finditer(value):
        if found.end() == len(value) and not ends:
            break
        out += [text(value[at : found.start()]), f'<span class="ws">{text(found[0])}</span>']
        at = found.end()
    return "".join([*out, text(value[at:])])


def unmarked(value: str) -> str:
    """Special tokens between NULs as their names."""
    return _MARK.sub(lambda found: found[1], value)
