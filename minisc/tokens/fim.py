"""Fill-in-the-middle inside a window: one document's piece, cut at two characters and told in another order.

In: the tokens of a piece (from a document's start or from a window's, to the document's end or the window's). Out: the
tokens of prefix, suffix and middle, each encoded anew, to be put as

    PSM  <fim_prefix> prefix <fim_suffix> suffix <fim_middle> middle
    SPM  <fim_prefix> <fim_suffix> suffix <fim_middle> prefix middle      (StarCoder2's variant 2)

Guarantees: the bytes of prefix + middle + suffix are those of the piece, always. Cuts fall between characters: the uniform
choice is over the characters' borders, both ends included, so any part may be empty. A piece may begin or end inside a
character (tokens are bytes): the few tokens of such a broken character stay as they are, first in the prefix or last in the
suffix, as the tokens of the path line do. StarCoder2's own code cuts bytes, and drops what does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.draws import below, happens

SHORTEST = 3  # characters: a piece that can be cut into three parts


@dataclass(frozen=True, slots=True)
class Cut:
    """A transformed piece, as token ids."""

    form: str  # psm | spm
    prefix: list[int]
    middle: list[int]
    suffix: list[int]

    def growth(self, tokens: int) -> int:
        """How many tokens more it is than the piece's own."""
        return 3 + len(self.prefix) + len(self.middle) + len(self.suffix) - tokens

    def told(self, special: Mapping[str, int]) -> list[int]:
        """In the order of its form, with the three sentinels."""
        first, second, third = special["<fim_prefix>"], special["<fim_suffix>"], special["<fim_middle>"]
        if self.form == "psm":
            return [first, *self.prefix, second, *self.suffix, third, *self.middle]
        return [first, second, *self.suffix, third, *self.prefix, *self.middle]


def cut(tokens: list[int], fixed: int, tokenizer: Tokenizer, words: Sequence[int], spm_rate: float) -> Cut | None:
    """A piece cut in three; None when it has fewer than `SHORTEST` whole characters.

    `fixed`: how many first tokens (of the path line) belong to the prefix uncut. `words`: three random words: form, two cuts.
    """
    table = tokenizer.token_bytes
    raw = [table[token] for token in tokens[fixed:]]
    first, last = whole_characters(raw)
    text = b"".join(raw[first:last]).decode("utf-8")
    if len(text) < SHORTEST:
        return None
    one, two = sorted((below(words[1], len(text) + 1), below(words[2], len(text) + 1)))
    return Cut(
        form="spm" if happens(words[0], spm_rate) else "psm",
        prefix=tokens[: fixed + first] + tokenizer.encode(text[:one]),
        middle=tokenizer.encode(text[one:two]),
        suffix=tokenizer.encode(text[two:]) + tokens[fixed + last :],
    )


def whole_characters(raw: Sequence[bytes]) -> tuple[int, int]:
    """(first, last): tokens first .. last - 1 begin and end between characters of the UTF-8 that `raw` is a stretch of."""
    first, last = 0, len(raw)
    while first < last and _continues(raw[first]):
        first += 1
    if first < last and not _complete(b"".join(raw[max(first, last - 4) : last])):
        last -= 1
        while last > first and _continues(raw[last]):
            last -= 1
    return first, last


def _continues(token: bytes) -> bool:
    """It begins inside a character: 10xxxxxx (RFC 3629)."""
    return token[0] & 0xC0 == 0x80


def _complete(tail: bytes) -> bool:
    """The last character of the bytes is whole. A character has at most four bytes, so the last four tokens show it."""
    for back in range(1, min(4, len(tail)) + 1):
        byte = tail[-back]
        if byte & 0xC0 != 0x80:
            needs = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return needs == back
    return False
