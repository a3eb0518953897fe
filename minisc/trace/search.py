"""Texts against one part of the index: all spans of lexemes that they share, as long as they go on.

In: the lexemes of many texts with borders between them, a part. Out: `Spans`: where in the texts, where in the part. Texts are
searched together: numpy needs the same 20 calls for one as for a thousand.

Hits of one span lie `every` places apart on one diagonal (place minus place); only the first of such a row is extended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from minisc.text.lexemes import BORDER, Ids, Places
from minisc.trace.part import Part, window_hashes

QUERY_BORDER = 1  # what stands between texts here: equal to nothing in a part
PAIRS = 1 << 21  # hits extended at once; changes memory (200 MB), never a result
_REACH = 16  # lexemes compared at first; twice as many in each further round
_ROUND = 1 << 20  # lexemes compared in a round, at most, while several spans are open


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How is searched. `window`, `every`: of the index; `least`: lexemes in a span; `distinct`, `places`: see the package."""

    window: int
    every: int
    least: int
    distinct: int
    places: int


@dataclass(frozen=True, slots=True)
class Spans:
    """`first`, `last`: lexemes of the texts, the last not included; `place`: of the first one in the part; `frequent`: hit by a window with more places."""

    first: Places
    last: Places
    place: Places
    frequent: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def at(self, chosen: npt.NDArray[Any] | slice) -> Spans:
        return Spans(self.first[chosen], self.last[chosen], self.place[chosen], self.frequent[chosen])


_NONE = np.empty(0, np.int64)
NOTHING = Spans(_NONE, _NONE, _NONE, np.empty(0, bool))


def search(part: Part, ids: Ids, rules: Rules) -> Spans:
    """All spans of `least` lexemes or more, but for those that lie within another one; in the order of the texts.

    `ids`: the lexemes of texts, with QUERY_BORDER before, between and after them.
    """
    found = [NOTHING, *(_extended(part, ids, hits, rules) for hits in _hits(part, ids, rules))]
    every = Spans(*(np.concatenate([getattr(one, name) for one in found]) for name in Spans.__slots__))
    return (once := _once(every)).at(maximal(once.first, once.last))


@dataclass(frozen=True, slots=True)
class _Hits:
    """Equal windows: `query` in the texts, `place` in the part."""

    query: Places
    place: Places
    frequent: npt.NDArray[np.bool_]


def _hits(part: Part, ids: Ids, rules: Rules) -> Iterator[_Hits]:
    hashes = window_hashes(ids, rules.window)  # one with a border equals none of the part's
    wanted = np.flatnonzero(_distinct(ids, np.arange(len(hashes)), rules.window) >= rules.distinct)
    hashes = hashes[wanted]
    order = np.argsort(hashes, kind="stable")  # neighbours in the index are neighbours on disk
    wanted, hashes = wanted[order], hashes[order]
    left = np.searchsorted(part.hashes, hashes, "left")
    there = np.flatnonzero(left < len(part.hashes))
    there = there[part.hashes[left[there]] == hashes[there]]
    wanted, left = wanted[there], left[there]
    count = np.searchsorted(part.hashes, hashes[there], "right") - left
    frequent, count = count > rules.places, np.minimum(count, rules.places)
    ends = np.cumsum(count)
    start = 0
    while start < len(wanted):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + PAIRS, "right")))
        number = count[start:end]
        within = np.arange(ends[end - 1] - before) - np.repeat(ends[start:end] - number - before, number)
        places = part.places[np.repeat(left[start:end], number) + within].astype(np.int64)
        yield _Hits(np.repeat(wanted[start:end], number), places, np.repeat(frequent[start:end], number))
        start = end


def _distinct(ids: Ids, firsts: Places, window: int) -> npt.NDArray[np.int64]:
    """How many different lexemes each window holds."""
    counts = np.empty(len(firsts), np.int64)
    for start in range(0, len(firsts), _ROUND // window):
        chosen = firsts[start : start + _ROUND // window]
        held = np.sort(ids[chosen[:, None] + np.arange(window)], axis=1)
        counts[start : start + len(chosen)] = 1 + np.count_nonzero(held[:, 1:] != held[:, :-1], axis=1)
    return counts


def _extended(part: Part, ids: Ids, hits: _Hits, rules: Rules) -> Spans:
    order = np.lexsort((hits.query, hits.place - hits.query))
    query, place, frequent = hits.query[order], hits.place[order], hits.frequent[order]
    fresh = np.ones(len(query), bool)
    fresh[1:] = (np.diff(place - query) != 0) | (np.diff(query) != rules.every)
    frequent = np.logical_or.reduceat(frequent, np.flatnonzero(fresh)) if len(query) else frequent
    query, place = query[fresh], place[fresh]
    right = _reach(part.ids, ids, place, query, 1)
    left = _reach(part.ids, ids, place - 1, query - 1, -1)
    return Spans(query - left, query + right, place - left, frequent).at(right + left >= rules.least)


def _reach(there: Ids, here: Ids, place: Places, query: Places, step: int) -> Places:
    """How many lexemes are equal from each pair of places on, going right (1) or left (-1). Borders end it."""
    length = np.zeros(len(query), np.int64)
    going, width = np.arange(len(query)), _REACH
    while len(going):
        width = max(_REACH, min(width, _ROUND // len(going)))
        more = np.empty(len(going), np.int64)
        for start in range(0, len(going), _ROUND // width):
            chosen = going[start : start + _ROUND // width]
            offsets = step * (length[chosen][:, None] + np.arange(width))
            # What lies outside ends a span: both arrays begin and end with a border, where clipping stays.
            one = there[np.clip(place[chosen][:, None] + offsets, 0, len(there) - 1)]
            other = here[np.clip(query[chosen][:, None] + offsets, 0, len(here) - 1)]
            unlike = one != other
            more[start : start + len(chosen)] = np.where(unlike.any(axis=1), unlike.argmax(axis=1), width)
        length[going] += more
        going = going[more == width]
        width *= 2
    return length


def _once(found: Spans) -> Spans:
    """A span that several rows of hits led to, once; in the order of the texts, then of the part."""
    order = np.lexsort((found.frequent, found.place, -found.last, found.first))
    found = found.at(order)
    fresh = np.ones(len(found), bool)
    fresh[1:] = (np.diff(found.first) != 0) | (np.diff(found.last) != 0) | (np.diff(found.place) != 0)
    return found.at(fresh)


def maximal(first: Places, last: Places) -> Places:
    """Which of some intervals do not lie within a longer one, equal ones together: their numbers, in the order of `first`."""
    order = np.lexsort((-last, first))
    if not len(order):
        return order
    first, last = first[order], last[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(first) != 0) | (np.diff(last) != 0)
    ends = last[fresh]
    within = np.zeros(len(ends), bool)
    within[1:] = ends[1:] <= np.maximum.accumulate(ends)[:-1]
    return order[~within[np.cumsum(fresh) - 1]]


def queries(ids: Ids) -> Ids:
    """Lexemes of texts as `search` takes them."""
    return np.where(ids == BORDER, np.uint32(QUERY_BORDER), ids)
