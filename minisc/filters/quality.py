"""Drops files that are data, machine output, minified or without logic, by the rules of StarCoder2, OpenCoder and swallow-code.

In: documents of kind `code`. Out: kept untouched, or dropped for the first of

    too_long         more than `max_characters` characters (swallow-code's rule; null: no limit)
    too_many_lines   more than `max_lines` lines
    data_file        more than `max_data_lines` lines, under a name that ends in one of `data_suffixes`
    long_lines       a mean line over `max_line_mean` characters, or one over `max_line`
    generated        one of `generated_phrases` in the first `generated_lines` lines, in any case of letters
    few_letters      less than `min_letters` of the characters are letters
    import_lines, pass_lines, print_lines, assert_lines
                     more than a share of the lines begin with the word, in a file of at least `min_lines` of them (OpenCoder's rules for Python)
    encoded_data     runs of base64, of hexadecimal bytes or of \\u escapes: one over `max_encoded` characters, or all of
                     one kind over `max_encoded_share` of the text

Source of rules and numbers: StarCoder2 (arXiv 2402.19173, section 2.1, "basic filters" and those after it), OpenCoder (arXiv 2411.04905,
its filters for Python), swallow-code-v2 (its length filter). OpenCoder has no least number of lines; without one every small
`__init__.py` that gathers names, and with it the packages' structure, would go. StarCoder2's pattern for hexadecimal bytes asks for a word border in front and so loses the first byte of an escaped run ("\\x48\\x65"); ours does not.
Price: 30 MB/s and more; the patterns of encoded data are tried only where a run long enough for them stands. Every pattern is linear in the text.
Not for: judging whether code is good. These rules find files that are hardly code at all.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters.base import within

TOO_LONG, TOO_MANY_LINES, DATA_FILE, LONG_LINES, GENERATED, FEW_LETTERS, ENCODED_DATA = (
    "too_long", "too_many_lines", "data_file", "long_lines", "generated", "few_letters", "encoded_data",
)  # fmt: skip
_BEGINNINGS = {
    "import": ("import ", "from "),
    "pass": ("pass",),
    "print": ("print(", "print "),
    "assert": ("assert ", "assert(", "self.assert"),
}
_ANY_BEGINNING = tuple(beginning for beginnings in _BEGINNINGS.values() for beginning in beginnings)
_REASON_OF = {word: f"{word}_lines" for word in _BEGINNINGS}
_BASE64 = re.compile(r"[a-zA-Z0-9+/\n=]{64,}")
_HEXADECIMAL = re.compile(r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")


@dataclass(frozen=True, kw_only=True)
class Quality(Stage):
    version: ClassVar[int] = 2
    reasons: ClassVar[tuple[str, ...]] = (
        TOO_LONG, TOO_MANY_LINES, DATA_FILE, LONG_LINES, GENERATED, FEW_LETTERS, *_REASON_OF.values(), ENCODED_DATA,
    )  # fmt: skip
    kinds: ClassVar[tuple[str, ...]] = ("code",)

    max_characters: int | None
    max_lines: int
    data_suffixes: Sequence[str]
    max_data_lines: int
    max_line_mean: float
    max_line: int
    generated_lines: int
    generated_phrases: Sequence[str]
    min_letters: float
    max_line_shares: Mapping[str, float]
    min_lines: int
    max_encoded: int
    max_encoded_share: float
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        for name in ("max_characters", "max_lines", "max_data_lines", "max_line_mean", "max_line", "min_lines", "max_encoded"):
            if getattr(self, name) is not None and getattr(self, name) <= 0:
                value = f"filters.quality.{name}={getattr(self, name)}"
                raise UserError(f"{name} has to be above 0", where=value, do=f"filters.quality.{name}=1000")
        within(self.generated_lines, 0, 1000, "filters.quality.generated_lines")
        for name in ("min_letters", "max_encoded_share", "expected_drop"):
            within(getattr(self, name), 0, 1, f"filters.quality.{name}")

        for word, share in self.max_line_shares.items():
            if word not in _BEGINNINGS:
                where = f"filters.quality.max_line_shares.{word}={share}"
                raise UserError(f"lines that begin with {word!r} are not counted", where=where, do=did_you_mean(word, _BEGINNINGS))
            within(share, 0, 1, f"filters.quality.max_line_shares.{word}")

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(self._judge)

    def _judge(self, docs: Sequence[Doc]) -> list[Verdict]:
        return [Verdict(drop=reason) if (reason := next(self._faults(doc.text, doc.path_text), "")) else KEEP for doc in docs]

    def _faults(self, text: str, path: str) -> Iterator[str]:
        """The reasons that apply, the cheapest to find first; an empty text has none."""
        if not text:
            return
        if self.max_characters is not None and len(text) > self.max_characters:
            yield TOO_LONG
        lines = text.splitlines()
        if len(lines) > self.max_lines:
            yield TOO_MANY_LINES
        if len(lines) > self.max_data_lines and path.lower().endswith(tuple(self.data_suffixes)):
            yield DATA_FILE
        if sum(map(len, lines)) > self.max_line_mean * len(lines) or max(map(len, lines)) > self.max_line:
            yield LONG_LINES
        head = "\n".join(lines[: self.generated_lines]).lower()
        if any(phrase.lower() in head for phrase in self.generated_phrases):
            yield GENERATED
        if letters(text) < self.min_letters * len(text):
            yield FEW_LETTERS
        yield from self._without_logic(lines)
        if any(self._is_data(text, pattern) for pattern in _worth_trying(text)):
            yield ENCODED_DATA

    def _without_logic(self, lines: Sequence[str]) -> Iterator[str]:
        """The shares are of the lines that are neither blank nor comments."""
        told = [stripped for line in lines if (stripped := line.lstrip()) and stripped[0] != "#"]
        if len(told) < self.min_lines:
            return
        counted = [line for line in told if line.startswith(_ANY_BEGINNING)]
        for word, share in self.max_line_shares.items():
            beginnings = _BEGINNINGS[word]
            if sum(line.startswith(beginnings) for line in counted) > share * len(told):
                yield _REASON_OF[word]

    def _is_data(self, text: str, pattern: re.Pattern[str]) -> bool:
        found = [match.end() - match.start() for match in pattern.finditer(text)]
        return bool(found) and (max(found) > self.max_encoded or sum(found) > self.max_encoded_share * len(text))


def _members(characters: bytes) -> bytes:
    """A table for `bytes.translate`: 1 for these characters and for what is not ASCII (a `?`), 0 for all others."""
    return bytes(byte in characters + b"?" for byte in range(256))


_LETTERS_DIGITS, _HEX_DIGITS, _SPACES = (
    (string.ascii_letters + string.digits).encode(),
    string.hexdigits.encode(),
    b" \t\n\r\v\f\x1c\x1d\x1e\x1f",
)
_IN_BASE64, _IN_HEXADECIMAL = _members(_LETTERS_DIGITS + b"+/\n="), _members(_HEX_DIGITS + b"x\\,")


def _worth_trying(text: str) -> Iterator[re.Pattern[str]]:
    """The patterns of encoded data that can match at all: trying them all at each character takes most of the filter's time.

    A match of the first is a run of 64 characters of its alphabet; of the second a run of 16 (8 pairs of digits) when white space is
    taken out; of the third 8 times `\\u`.
    """
    plain = text.encode("ascii", "replace")
    if b"\1" * 64 in plain.translate(_IN_BASE64):
        yield _BASE64
    if b"\1" * 16 in plain.translate(_IN_HEXADECIMAL, _SPACES):
        yield _HEXADECIMAL
    if plain.count(b"\\u") >= 8:
        yield _ESCAPES


_ASCII_LETTERS = string.ascii_letters.encode()


def letters(text: str) -> int:
    """How many characters are letters of any script."""
    if text.isascii():
        return len(text) - len(text.encode().translate(None, _ASCII_LETTERS))
    return sum(map(str.isalpha, text))
