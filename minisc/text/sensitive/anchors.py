"""What every match of a regular expression must contain, read off the expression itself.

In: a compiled pattern that somebody else wrote. Out: an `Anchor`, something cheap to look for: one of a few literal strings,
or a run of at least `length` characters out of a set. Where no anchor occurs, the pattern cannot match, so it need not run.
Guarantees: no false negatives (a property test draws matches from every plugin's patterns and asks for the anchor); a
pattern that we cannot read has no anchor and is run on every line. Read from the pattern at run time, not copied from it:
a new version of the library brings its own anchors.
Rejected: a hand-written list of triggers beside the plugins' names, which would silently miss what a new version adds.

It reads `re._parser`, CPython's own parser of expressions, as there is no public one; 3.11 to 3.14 have it alike.
"""

from __future__ import annotations

import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_STRINGS = 64  # alternatives of one literal anchor; more are no anchor
_SHORTEST_LITERAL, _SHORTEST_RUN = 2, 24  # weaker ones occur on every other line


@dataclass(frozen=True, slots=True)
class Anchor:
    """In the `plain` match, one of `literals` occurs (in lower case if `ignore_case`); or `length` characters of `charset` in a row do."""

    literals: tuple[str, ...] = ()
    charset: str = ""  # as written inside [...]
    length: int = 0
    ignore_case: bool = False

    @property
    def price(self) -> tuple[int, int]:
        """What looking for it costs: how common it is, and 1 / its length; the last class is not worth looking for."""
        if self.literals:
            shortest = min(map(len, self.literals))
            return (0 if shortest >= 4 else 1 if shortest == 3 and not self.ignore_case else 3), -shortest
        return 2, -self.length


USELESS = 3


_WIDE = re.compile("[^\\x00-\\x7f]+")
_ODD_LETTERS = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}


def plain(text: str) -> str:
    """`text` at the same length, with what the `re` module takes for ASCII letters (four, ignoring case) and digits made ASCII."""
    return text if text.isascii() else _WIDE.sub(_narrow, text)


def _narrow(wide: re.Match[str]) -> str:
    run = wide[0]
    if not any(character.isdecimal() or character in _ODD_LETTERS for character in run):
        return run
    return "".join(
        _ODD_LETTERS.get(character) or (str(unicodedata.decimal(character)) if character.isdecimal() else character) for character in run
    )


def anchors_of(pattern: re.Pattern[str]) -> list[Anchor]:
    """All anchors of a pattern, each of which must occur; the one that is cheapest to look for first. Empty if there is none.

    Literals of four characters (three, if case counts) are cheapest, as all are looked for in one pass; then long runs.
    """
    tree = parser.parse(pattern.pattern, pattern.flags)
    found = dict.fromkeys(_anchors(tree, bool(pattern.flags & re.IGNORECASE)))
    return sorted(found, key=lambda anchor: anchor.price)


def _anchors(sequence: Any, ignore_case: bool) -> Iterator[Anchor]:
    """Anchors of a sequence of items, all of which must match."""
    texts, ended = [""], False
    for code, value in [*sequence, (op.ANY, None)]:
        options, whole = _strings(code, value)
        if options and not ended and len(options) * len(texts) <= _MOST_STRINGS:
            texts, ended = [text + option for text in texts for option in options], not whole
            continue
        if min(map(len, texts)) >= _SHORTEST_LITERAL:
            literals = {text.lower() for text in texts} if ignore_case else set(texts)
            yield Anchor(literals=tuple(sorted(literals)), ignore_case=ignore_case)
        texts, ended = options or [""], bool(options) and not whole
        yield from _inside(code, value, ignore_case)


def _inside(code: Any, value: Any, ignore_case: bool) -> Iterator[Anchor]:
    if code is op.SUBPATTERN:
        yield from _anchors(value[3], ignore_case or bool(value[1] & re.IGNORECASE))
    elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, _, body = value
        charset = _charset(body)
        if charset and least >= _SHORTEST_RUN:
            yield Anchor(charset=charset, length=int(least), ignore_case=ignore_case)
        elif least >= 1:
            yield from _anchors(body, ignore_case)


Strings = tuple[list[str], bool]  # what an item can begin with, if that is few; whether it is all of the item
_NONE: Strings = ([], False)


def _strings(code: Any, value: Any) -> Strings:
    if code is op.LITERAL:
        return [chr(value)], True
    if code is op.SUBPATTERN:
        return _sequence(value[3])
    if code is op.BRANCH:
        branches = [_sequence(branch) for branch in value[1]]
        if all(options for options, _ in branches):
            return [text for options, _ in branches for text in options], all(whole for _, whole in branches)
    if code is op.IN:
        return _characters(value), True
    return _NONE


def _sequence(items: Any) -> Strings:
    texts = [""]
    for code, value in items:
        options, whole = _strings(code, value)
        if not options or len(options) * len(texts) > _MOST_STRINGS:
            return (texts, False) if texts != [""] else _NONE
        texts = [text + option for text in texts for option in options]
        if not whole:
            return texts, False
    return texts, True


def _characters(parts: Any) -> list[str]:
    """The members of a small [...], else nothing."""
    found: list[str] = []
    for code, value in parts:
        if code is op.LITERAL:
            found.append(chr(value))
        elif code is op.RANGE and value[1] - value[0] < 10:
            found += map(chr, range(value[0], value[1] + 1))
        elif code is op.CATEGORY and value is op.CATEGORY_DIGIT:
            found += "0123456789"  # others are made ASCII by `plain`
        else:
            return []
    return found if len(found) <= 16 else []


def _charset(body: Any) -> str:
    """The inside of [...] for a repeated single set of characters, or ''."""
    if len(body) != 1 or body[0][0] is not op.IN:
        return ""
    parts = []
    for code, value in body[0][1]:
        if code is op.LITERAL:
            parts.append(re.escape(chr(value)))
        elif code is op.RANGE:
            parts.append(f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}")
        elif code is op.CATEGORY and value in (op.CATEGORY_DIGIT, op.CATEGORY_WORD):
            parts.append(r"\d" if value is op.CATEGORY_DIGIT else r"\w")
        else:
            return ""
    return "".join(parts)
