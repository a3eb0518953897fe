"""Text as lexemes: words and signs as numbers, white space left out; what "50 tokens verbatim" counts.

In: texts. Out: one 32-bit number a lexeme, equal for equal lexemes, with its place in the text. A lexeme is a run of ASCII letters,
digits, `_` and non-ASCII characters, or a run of one other character: `self.x -= "…"  # ----` is `self` `.` `x` `-` `=` `"` `…` `"` `#` `----`.
White space separates and does not count, so code that was indented anew is still the same code; comments and strings count.

Guarantees: the same text gives the same numbers on every machine and in every batch. Two different lexemes share a number with a
probability of 2**-32: a span that was found may be one lexeme too long once in four billion. Lone surrogates and NULs are let through.
Price: 40 to 50 MB/s a core. One lexeme is 4.9 bytes of Python, white space included (60 MB of installed packages): 50 of them are about
245 characters, more than 50 tokens of a vocabulary are (3.6 bytes each of 4,096, 4.3 of 16,384).
Rejected: the model's own tokens. They differ from model to model, so that scores could not be compared, and what stands before and
after a copied span changes how its edges are cut. Bytes: a copy that was reformatted would be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minisc.text.shingles import hash_runs

Ids = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]
BORDER = 0  # before, between and after texts; no lexeme has it, nor 1
_BORDER_BYTE = b" \xff "  # 0xFF occurs in no UTF-8, nor in encoded surrogates; the spaces keep two of them apart
_SPACE, _WORD, _BORDER, _CONTROL = 0, 1, 2, 0x80


def _kind(code: int) -> int:
    """Runs of bytes of one kind are lexemes."""
    character = chr(code)
    if code == 0xFF:
        return _BORDER
    if code >= 0x80 or character.isalnum() or character == "_":
        return _WORD
    if character in " \t\n\r\f\v":
        return _SPACE
    return code if code > ord(" ") else code | _CONTROL  # 1 and 2 are taken


_KINDS = bytes(map(_kind, range(256)))


@dataclass(frozen=True, slots=True)
class Lexemes:
    """Of several texts: BORDER, the first text's, BORDER, the second's, …, BORDER.

    `starts`, `ends`: bytes in `data`, which is all texts as UTF-8 between borders; `lines`: line ends before each start, since the lexeme before.
    """

    ids: Ids
    starts: Places
    ends: Places
    data: bytes

    @property
    def borders(self) -> Places:
        """Where in `ids` the borders stand: text i lies between borders i and i + 1."""
        return np.flatnonzero(self.ids == BORDER)

    def text(self, first: int, last: int) -> str:
        """The text from the first to the last of some lexemes, the last included."""
        return self.data[self.starts[first] : self.ends[last]].decode("utf-8", "surrogatepass")

    def lines(self) -> npt.NDArray[np.uint8]:
        """How many lines each lexeme lies below the one before it (255: or more)."""
        passed = np.cumsum(np.frombuffer(self.data, np.uint8) == ord("\n"), dtype=np.int32)[self.starts]
        return np.minimum(np.diff(passed, prepend=passed[:1]), 255).astype(np.uint8)


def lexemes(texts: Sequence[bytes]) -> Lexemes:
    """`texts`: UTF-8, surrogates passed. All of them are held in memory with about twenty bytes a byte: come with a megabyte at a time."""
    data = b"".join([_BORDER_BYTE, *(piece for text in texts for piece in (text, _BORDER_BYTE)), b" " * 8])
    kinds = np.frombuffer(data.translate(_KINDS), np.uint8)
    borders = np.flatnonzero(kinds[1:] != kinds[:-1]) + 1
    starts, ends = borders, np.append(borders[1:], len(data))
    inside = kinds[starts] != _SPACE
    starts, ends = starts[inside], ends[inside]
    ids = np.maximum(hash_runs(data, starts, ends) >> np.uint64(32), np.uint64(2)).astype(np.uint32)
    ids[kinds[starts] == _BORDER] = BORDER
    return Lexemes(ids, starts, ends, data)
