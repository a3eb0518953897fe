"""Names of persons, where the text itself says that a person stands there.

In: a text. Out: spans of kind `NAME`: after `Copyright (c) 2015`, `Author:`, `@author`, `__author__ =`, `written by`,
`maintainer`, before an e-mail address (`Joe Doe <joe@…>`), inside `TODO(joe)`, and mentions (`thanks to @joe`).
Guarantees: linear; each marker is a literal, and at most one line after it is read. What names an organisation (Inc, Foundation,
Authors, University, `The …`) stays, and so does what is not two to four capitalised words, but for handles after markers that
take handles. Not for: names in running text; that needs a model (StarPII: 800 A100 hours for 800 GB).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from minisc.text.literals import Places
from minisc.text.spans import Span

NAME = "NAME"
_LINE = 300  # characters after a marker that are read

_WORD = r"(?:[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*\.?)"  # Jane, O'Neil, Jean-Luc, J.
_PARTICLE = r"(?:van|von|der|den|de|da|dos|di|la|le|bin|al|ten|zu)"
_PERSON = re.compile(rf"{_WORD}(?: (?:{_PARTICLE} ){{0,2}}{_WORD}){{1,3}}")
_HANDLE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{1,38}")
_ORGANISATION = re.compile(
    r"(?<!\w)(?:inc|llc|ltd|gmbh|corp|corporation|co|company|foundation|authors?|contributors?|team|teams|project|developers?|university|institute|group|community"
    r"|committee|software|holders?|the|regents|limited|ag|sa|bv|technologies|technology|systems|networks?|labs?|laboratory|laboratories|research|solutions|studios?"
    r"|media|center|centre|press|association|consortium|council|college|school|department|enterprises?|partners|international|services|microsystems|analytics"
    r"|all|rights|reserved|apache|license|python|google|microsoft|facebook|nvidia|intel|amd|amazon|apple|ibm|meta|huawei|alibaba|tencent|baidu|openai|anthropic"
    r"|hugging|face|red|hat|mozilla|oracle|sun|adobe|twitter|netflix|uber|salesforce|cisco|vmware|docker|github|gitlab|linux|gnu|open|source|free|version|copyright"
    r"|years?|file|package|module|class|default|none|todo|note|see|this|your|name|email|date|license[ds]?|mit|bsd|gpl|pypi|data|science|machine|learning|intelligence|telecom|ai)(?!\w)",
    re.IGNORECASE,
)
_COMPANY = re.compile(r",? (?:inc|llc|ltd|gmbh|corp|co)\b", re.IGNORECASE)  # "Elemental Security, Inc."
_YEARS = re.compile(
    r"[\s:=]*(?:\(c\)|©|&copy;|copr\.?)?[\s,:]*(?:(?:19|20)\d\d(?:\s{0,2}(?:[-–,/]|to|and)\s{0,2}(?:(?:19|20)?\d\d|present|now))*[\s,.:]*)?(?:\(c\)|©)?[\s,:]*(?:by\s)?",
    re.IGNORECASE,
)
_AFTER = re.compile(r"""(?:\(s\)|s)?["']?\]?\s{0,4}(?:[:=]|by\s)?[\s:=\[({]{0,6}(?:[bruf]?["']+)?""", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"""\s*(?:[,;&/|"'()\[\]<>{}#*]|\band\b|\bwith\b|\bat\b|\bfor\b|\bon\b|\bin\b|\bfrom\b|\bof\b|--| - |(?<=[a-z]{2})\. )\s*"""
)
_SIMPLE = re.compile(r"\s{1,2}(?:original(?:ly)?\s)?by:?\s")

# Marker in lower case -> whether a handle may stand there instead of a full name.
_MARKERS = {
    "author": False, "maintainer": False, "written by": False, "created by": False, "contributed by": False, "developed by": False, "maintained by": False,
    "implemented by": False, "reported by": False, "suggested by": False, "patch by": False, "ported by": False, "modified by": False, "adapted by": False,
    "__author__": True, "@author": True, ":author:": True, "coded by": False, "designed by": False, "thanks to": False,
}  # fmt: skip
_TODO = re.compile(r"(?:TODO|FIXME|XXX|HACK|NOTE)\s?\(@?([A-Za-z][A-Za-z.]{1,30})\)")
_MENTION = re.compile(
    r"(?:thanks|thx|cc|credits?|kudos|ping|courtesy of|h/t|hat tip|(?:reported|suggested|fixed|contributed|written|found|spotted|noticed|patch|pr) by)"
    r"(?: to| goes to)?[ :,]{1,3}@([A-Za-z0-9](?:-?[A-Za-z0-9]){1,38})(?![\w.(])",
    re.IGNORECASE,
)
_TAGS_TEXT = """
param params return returns throws author see since version deprecated override property staticmethod classmethod
"""
_TAGS = frozenset(_TAGS_TEXT.split())
_NO_HANDLE_TEXT = """
the a an me us you we it this that null none unknown nobody anonymous name names string str user users list self get set type default
field object class todo fixme bug issue url email id key value text python django
"""
_NO_HANDLE = frozenset(_NO_HANDLE_TEXT.split())


LITERALS = ("copyright", "@", "todo", "fixme", "xxx", "hack", "note", *_MARKERS)


def names(text: str, places: Places) -> Iterator[Span]:
    """All marked names; `places` are those of LITERALS in the lower case of `text` (of the same length)."""
    for at in places.get("copyright", ()):
        years = _YEARS.match(text, at + len("copyright"), at + 200)
        yield from _persons(text, years.end() if years else at + len("copyright"))
    for marker, handles in _MARKERS.items():
        for at in places.get(marker, ()):
            if text[at - 1 : at].isalnum():
                continue  # "supported by" is not "ported by"
            after = _AFTER.match(text, at + len(marker), at + len(marker) + 40)
            if after and (after[0].strip() or text[at + len(marker) : at + len(marker) + 1] == " "):
                yield from _persons(text, after.end())
                if handles:
                    yield from _handle(text, after.end())
    for mark in ("todo", "fixme", "xxx", "hack", "note"):
        for at in places.get(mark, ()):
            if (found := _TODO.match(text, at)) and found[1].lower() not in _NO_HANDLE:
                yield Span(*found.span(1), NAME)
    yield from _before_mail(text, places.get("@", ()))
    yield from _behind_mail(text, places.get("@", ()))
    yield from _mentions(text, places.get("@", ()))


def _line_end(text: str, start: int) -> int:
    stops = [
        at
        for at in (text.find("\n", start, start + _LINE), text.find("\r", start, start + _LINE), text.find("\\n", start, start + _LINE))
        if at >= 0
    ]
    return min(stops, default=min(len(text), start + _LINE))


def _persons(text: str, start: int) -> Iterator[Span]:
    """The full names in a list of names: as far as each piece between separators is one."""
    at, stop = start, _line_end(text, start)
    if not text[at:stop].lstrip()[:1].isupper():
        return
    while at < stop:
        separator = _SEPARATOR.search(text, at, stop)
        end = separator.start() if separator else stop
        at += len(text[at:end]) - len(text[at:end].lstrip())
        piece = text[at:end].rstrip(" .:\t")
        if piece and "@" not in piece:
            if not _is_person(piece):
                return
            if not _COMPANY.match(text, at + len(piece), stop):
                yield Span(at, at + len(piece), NAME)
        at = separator.end() if separator else stop


def _is_person(piece: str) -> bool:
    return bool(_PERSON.fullmatch(piece)) and not _ORGANISATION.search(piece) and not (piece.isupper() and len(piece) > 30)


def _handle(text: str, start: int) -> Iterator[Span]:
    found = _HANDLE.match(text, start, _line_end(text, start))
    if (
        found
        and found[0].lower() not in _NO_HANDLE
        and text[found.end() : found.end() + 1] in ("", "\n", "\r", '"', "'", ",", " ")
        and not _ORGANISATION.search(found[0])
    ):
        rest = text[found.end() : _line_end(text, start)].strip("\"' ,")
        if not rest:
            yield Span(*found.span(), NAME)


def _before_mail(text: str, places: Sequence[int]) -> Iterator[Span]:
    """`Joe Doe <joe@corp.org>` and `Joe Doe (joe@corp.org)`."""
    for at in places:
        window = max(0, at - 64)
        opening = max(text.rfind("<", window, at), text.rfind("(", window, at))
        if opening <= 0 or any(map(str.isspace, text[opening + 1 : at])):
            continue
        before = text[max(0, opening - 60) : opening].rstrip()
        words = re.findall(r"[^\s,;:\"'#(){}<>\[\]]+", before.rpartition("\n")[2][-60:])
        for count in (4, 3, 2):
            piece = " ".join(words[-count:])
            if len(words) >= count and before.endswith(piece) and _is_person(piece):
                end = max(0, opening - 60) + len(before)
                yield Span(end - len(piece), end, NAME)
                break


_BEHIND = re.compile(r"@[A-Za-z0-9.-]{3,80}\.[A-Za-z]{2,12} \(([^()\r\n]{3,60})\)")


def _behind_mail(text: str, places: Sequence[int]) -> Iterator[Span]:
    """`joe@corp.org (Joe Doe)`, as RFC 822 had it."""
    for at in places:
        found = _BEHIND.match(text, at)
        if found and _is_person(found[1]):
            yield Span(*found.span(1), NAME)


def _mentions(text: str, places: Sequence[int]) -> Iterator[Span]:
    for at in places:
        low = max(0, at - 24)
        found = _MENTION.search(text, low, at + 42) if text[at - 1 : at] in (" ", ":", ",") else None
        if found and found.start(1) == at + 1 and found[1].lower() not in _TAGS:
            yield Span(*found.span(1), NAME)
