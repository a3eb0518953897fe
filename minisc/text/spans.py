"""Spans: places in a text that are to be replaced, merged where they overlap, replaced in one go.

In: a text and spans in any order, overlapping as they like. Out: the text with every span replaced once.
Guarantees: what lies outside all spans comes out unchanged and in order; a character is replaced at most once; the order in
which spans are given does not matter. Price: one sort. Overlapping spans become their union, under the kind that stands
first in `ranks`: two findings about one place are one secret, and the graver name wins (a token inside a password is a
password). Spans that only touch stay two. Rejected: replacing finding by finding (bigcode-dataset does), which cuts a
placeholder of the first replacement in two with the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start` to `end` (exclusive, never empty) of a text, and what they are."""

    start: int
    end: int
    kind: str

    def __post_init__(self) -> None:
        assert 0 <= self.start < self.end, f"an empty or negative span: {self.start}..{self.end}"


def merge(spans: Iterable[Span], ranks: Sequence[str]) -> list[Span]:
    """Disjoint spans in the order of the text; overlapping ones united under the kind that comes first in `ranks`."""
    merged: list[Span] = []
    for span in sorted(set(spans)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            kind = min(last.kind, span.kind, key=ranks.index)
            merged[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            merged.append(span)
    return merged


def replace(text: str, spans: Sequence[Span], replacement: Callable[[Span, str], str]) -> str:
    """`text` with each of the disjoint, ordered `spans` replaced by `replacement(span, the text it covers)`."""
    pieces: list[str] = []
    done = 0
    for span in spans:
        assert done <= span.start and span.end <= len(text), "spans overlap, are not in order, or leave the text"
        pieces += (text[done : span.start], replacement(span, text[span.start : span.end]))
        done = span.end
    return "".join([*pieces, text[done:]])
