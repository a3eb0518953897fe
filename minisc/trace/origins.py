"""Texts and what they repeat: from spans of lexemes to characters, repositories, paths, lines, licenses and SWHIDs.

In: texts, the folder of an index. Out: for each text a `Traced`: how long its longest repeat is, how much of it is repeated, and its longest
spans with the first documents that hold them. Texts are searched about `BLOCK_BYTES` at a time, in all parts of the index at once, through an engine.
Guarantees: the same texts and index give the same result, whatever the engine. Memory: 30 bytes a byte of the longest text, or of a block.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minisc.core import durable
from minisc.core.step import Mapper
from minisc.text.lexemes import Lexemes, lexemes
from minisc.trace.part import Part, parts_of
from minisc.trace.search import NOTHING, Rules, Spans, maximal, queries, search

BLOCK_BYTES = 4 << 20
SPANS_SHOWN = 20  # of a text, the longest


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What is known of one text. `spans`, the longest first, plain data:

    {tokens, start, end, places, more, origins: [{uid, swhid, source, repo, revision, path, line, license}]}; `start` and `end` are characters of the
    text; `places` of the corpus were seen to hold it, `more`: there may be others (see the package on frequent windows).
    """

    tokens: int  # in the text
    longest: int  # tokens of its longest repeat, 0: none
    repeated: int  # tokens of it that lie in any repeat
    repeats: int  # different spans
    spans: list[dict[str, Any]]


@dataclass(frozen=True)
class _Search:
    part: Path
    ids: Path
    rules: Rules


def _search(task: _Search) -> Spans:
    return search(Part(task.part), np.load(task.ids, allow_pickle=False), task.rules)


def trace(texts: Sequence[str], index: Path, rules: Rules, shown: int, engine: Mapper, scratch: Path) -> Iterator[Traced]:
    """One result a text, in order. `shown`: documents that are named of one span; `scratch`: a folder that workers can read."""
    parts = parts_of(index)
    for block in _blocks([text.encode("utf-8", "surrogatepass") for text in texts]):
        read = lexemes(block)
        ids = scratch / "texts.npy"
        with durable.write(ids) as temporary, temporary.open("wb") as file:
            np.save(file, queries(read.ids), allow_pickle=False)
        found = list(engine.map(_search, [_Search(part, ids, rules) for part in parts]))
        yield from _told(read, found or [NOTHING], [Part(part) for part in parts], shown)


def _blocks(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    for text in texts:
        if block and sum(map(len, block)) + len(text) > BLOCK_BYTES:
            yield block
            block = []
        block.append(text)
    if block:
        yield block


@dataclass(frozen=True, slots=True)
class _Span:
    """An interval of lexemes, and all places of the corpus that hold it: (part, place)."""

    first: int
    last: int
    more: bool
    places: list[tuple[int, int]]


def _told(read: Lexemes, found: Sequence[Spans], parts: Sequence[Part], shown: int) -> Iterator[Traced]:
    """The results of one block of texts, from the spans in each part."""
    spans = list(_spans(found))
    firsts = [span.first for span in spans]
    borders = read.borders.tolist()
    own = [spans[bisect_left(firsts, start) : bisect_left(firsts, end)] for start, end in pairwise(borders)]
    longest = [sorted(each, key=lambda span: span.first - span.last)[:SPANS_SHOWN] for each in own]
    known = _origins(parts, {place for each in longest for span in each for place in span.places[:shown]})
    for text, (start, end) in enumerate(pairwise(borders)):
        yield Traced(
            tokens=end - start - 1, longest=max((span.last - span.first for span in own[text]), default=0), repeated=_covered(own[text]), repeats=len(own[text]),
            spans=[
                {
                    "tokens": span.last - span.first, **_characters(read, text, span.first, span.last), "places": len(span.places), "more": span.more,
                    "origins": [known[place] for place in span.places[:shown]],
                }
                for span in longest[text]
            ],
        )  # fmt: skip


def _spans(found: Sequence[Spans]) -> Iterator[_Span]:
    """The spans of all parts as one list, in the order of the texts: those that do not lie within a longer one of any part."""
    first, last, place, frequent = (np.concatenate([getattr(one, name) for one in found]) for name in Spans.__slots__)
    part = np.repeat(np.arange(len(found)), [len(one) for one in found])
    chosen = maximal(first, last)
    rows = zip(
        first[chosen].tolist(), last[chosen].tolist(), frequent[chosen].tolist(), part[chosen].tolist(), place[chosen].tolist(), strict=True
    )
    for (start, end), held in groupby(rows, key=lambda row: row[:2]):
        several = list(held)
        yield _Span(start, end, any(row[2] for row in several), [row[3:] for row in several])


def _origins(parts: Sequence[Part], places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Who holds each of some places; every part's table is read once."""
    told = {}
    for number, held in groupby(sorted(places), key=lambda place: place[0]):
        pairs = list(held)
        for pair, row in zip(pairs, parts[number].origins([place for _, place in pairs]), strict=True):
            told[pair] = {
                "uid": row["uid"], "swhid": f"swh:1:cnt:{row['sha1_git']}" if row["sha1_git"] else None, "source": row["source"], "repo": row["repo"],
                "revision": row["revision"], "path": row["path_text"], "line": row["line"], "license": row["license"],
            }  # fmt: skip
    return told


def _characters(read: Lexemes, text: int, first: int, last: int) -> dict[str, int]:
    """Where a span of lexemes begins and ends, in characters of its text."""
    begins = int(read.ends[read.borders[text]]) + 1
    before = read.data[begins : read.starts[first]].decode("utf-8", "surrogatepass")
    return {"start": len(before), "end": len(before) + len(read.text(first, last - 1))}


def _covered(spans: Sequence[_Span]) -> int:
    """Lexemes in any of some spans that are sorted by `first` and do not lie within one another."""
    reached = total = 0
    for span in spans:
        total += span.last - max(span.first, reached)
        reached = span.last
    return total
