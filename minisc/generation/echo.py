"""What a text will say next, if it goes on saying what it said before.

In: the ids of one text, as they come. Out: a guess of the next ones: those that followed when its last `GRAM` ids stood here before.
Guesses are for the model to confirm: it reads several ids at once for little more than the price of one (the weights are
read once), and every id that it would have chosen itself is won. This is speculative decoding (Leviathan et al. 2022, arXiv
2211.17192) with the text as its own draft model, known as prompt lookup (github.com/apoorvumang/prompt-lookup-decoding).
How many: as many as it has guessed right in a row, in silence or aloud. So text that is new costs nothing, and a loop, which is
where small models end, is guessed 1, 3, 7, … ids at a time.
Price: a few microseconds an id. Rejected: guesses of a fixed length (on new text most are wrong, and each costs a product's row).
"""

from __future__ import annotations

from collections.abc import Sequence

GRAM = 3  # ids that must have stood together before: fewer guess worse, more come later


class Echo:
    """Follows one text."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}  # the last GRAM ids -> place of what came next, where they stood last
        self._next: int | None = None  # place of the id that is guessed
        self._right = 0  # guesses in a row
        for token in ids:
            self.take(token)

    def take(self, token: int) -> None:
        """The text's next id."""
        ids = self._ids
        if self._next is not None and ids[self._next] == token:
            self._right, self._next = self._right + 1, self._next + 1
        else:
            self._right, self._next = 0, None
        ids.append(token)
        gram = tuple(ids[-GRAM:])
        if self._next is None:
            self._next = self._after.get(gram)
        self._after[gram] = len(ids)

    def guess(self, most: int) -> list[int]:
        """The next ids, at most `most`; a guess that comes to the text's end goes on with itself, as a loop does."""
        if self._next is None or not self._right:
            return []
        period = len(self._ids) - self._next
        return [self._ids[self._next + at % period] for at in range(min(self._right, most))]
