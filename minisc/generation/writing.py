"""One text while it is being written: bytes so far, stop strings, and why it ended.

Works on bytes, because a token may end inside a character, and a stop string may begin in one token and end in another.
`fresh` gives what may be shown already: not the beginning of a stop string that may still be completed, not half a
character. What it gave in pieces is, put together, exactly the final text.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence


class Writing:
    """`take` tokens until `ending` says why it ended: end, stop, length or context."""

    def __init__(self, *, stop: Sequence[str], ends: Mapping[int, str], limit: int, context: int) -> None:
        self._stop = [one.encode("utf-8", "surrogatepass") for one in stop]
        self._longest = max(map(len, self._stop), default=0)
        self._ends, self._limit, self._context = ends, limit, context
        self._bytes = bytearray()
        self._shown = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.tokens: list[int] = []
        self.ending = ""
        self.ended_by = ""  # the special token or the stop string

    def take(self, token: int, raw: bytes) -> None:
        """One more token, `raw` its bytes."""
        if token in self._ends:
            self.ending, self.ended_by = "end", self._ends[token]
            return
        self.tokens.append(token)
        searched = max(0, len(self._bytes) - self._longest + 1)
        self._bytes += raw
        found = [(at + len(one), at, one) for one in self._stop if (at := self._bytes.find(one, searched)) >= 0]
        if found:
            _, at, one = min(found)  # the first to be complete: the same however the text is cut into tokens
            del self._bytes[at:]
            self.ending, self.ended_by = "stop", one.decode("utf-8", "surrogatepass")
        elif len(self.tokens) >= self._limit:
            self.ending = "length"
        elif len(self.tokens) >= self._context:
            self.ending = "context"

    def fresh(self) -> str:
        """What can be shown since the last call."""
        safe = len(self._bytes) if self.ending else len(self._bytes) - self._open()
        new = bytes(self._bytes[self._shown : safe])
        self._shown = max(self._shown, safe)
        return self._decoder.decode(new, final=bool(self.ending))

    def _open(self) -> int:
        """Bytes at the end that may be the beginning of a stop string."""
        tail = bytes(self._bytes[-self._longest :]) if self._longest else b""
        return next(
            (held for held in range(min(self._longest - 1, len(tail)), 0, -1) if any(one.startswith(tail[-held:]) for one in self._stop)), 0
        )

    @property
    def text(self) -> str:
        """The whole text; a character that was cut in half at the end is U+FFFD."""
        return self._bytes.decode("utf-8", "replace")
