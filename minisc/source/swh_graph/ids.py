"""Sets of 20-byte ids with vectorised look-up: "which row of this table has that id?"

In: (n, 20) uint8. Out: row numbers, -1 where there is none.
Method: the first eight bytes as one integer, sorted once; their first bits lead to the few of the same beginning, among which the look-up
goes step by step; then the other twelve bytes are compared. Ids are SHA-1, so their bits are as good as random; for ids made to share
their first bits it is a binary search, and ids made to collide in eight bytes (2^32 work buys a pair) are still told apart.
Price: 12 bytes an id beside the ids, and 20 more up to 80 MB in all; 10 million are sorted in a second. Rejected: a hash table of Python bytes (100 bytes
and a microsecond an id), Arrow's dictionary encoding (copies the ids again), numpy's comparing sort (twice as long as four
passes over 16 bits, measured on 5 million).
"""

from __future__ import annotations

import numpy as np

from minisc.source.swh_graph.columns import ID_BYTES

ABSENT = -1
_LAST = np.uint64(2**64 - 1)  # behind the last key, so that looking one further needs no question
_FILTER_BITS, _BUCKET_BITS = (10, 24), (4, 24)  # at the least and at the most
_LONGEST_BUCKET = 64  # steps of one look-up: 11 M ids in 2^24 buckets have at most 9 in one by chance, ids made to collide any number
_MARKED_AT_MOST = 1 << 28  # bytes of a table of marks


def keys_of(ids: np.ndarray) -> np.ndarray:
    """(n,) uint64: the first eight bytes of each id, big-endian, so that their order is that of the ids."""
    return _field(ids, ">u8", 0).astype(np.uint64)


def _field(ids: np.ndarray, kind: str, offset: int) -> np.ndarray:
    """(n,): some bytes of each id as one integer, without a copy."""
    ids = np.ascontiguousarray(ids)
    return np.ndarray((len(ids),), kind, ids, offset, (ID_BYTES,)) if len(ids) else np.zeros(0, kind)


class IdIndex:
    """The rows of ids. Of equal ids the first row is found."""

    def __init__(self, ids: np.ndarray) -> None:
        assert ids.ndim == 2 and ids.shape[1] == ID_BYTES, f"ids have shape {ids.shape}"
        self.ids = ids
        keys = keys_of(ids)
        self._filter_shift = _shift(len(ids).bit_length() + 4, _FILTER_BITS)
        self._filter = np.zeros(
            1 << (64 - int(self._filter_shift)), bool
        )  # one look here answers most questions about ids that are not there
        self._filter[keys >> self._filter_shift] = True
        self._order = None if (keys[1:] >= keys[:-1]).all() else order_of(keys)  # None: they are in order
        self._keys = np.append(keys if self._order is None else keys[self._order], _LAST)
        self._shift = _shift(len(ids).bit_length(), _BUCKET_BITS)
        sizes = np.bincount((keys >> self._shift).view(np.int64), minlength=1 << (64 - int(self._shift)))
        # where each run of ids with the same first bits begins; None where one is so long that a binary search is better
        self._starts = (np.cumsum(sizes) - sizes).astype(np.int32) if len(ids) and sizes.max() <= _LONGEST_BUCKET else None

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, asked: np.ndarray) -> np.ndarray:
        """(m,) int64: the row of each asked id, or ABSENT."""
        found = np.full(len(asked), ABSENT, np.int64)
        if not len(self.ids) or not len(asked):
            return found
        keys = keys_of(asked)
        open_ = np.flatnonzero(self._filter[keys >> self._filter_shift])
        keys = keys[open_]
        at = self._first_at(keys)
        while len(open_):
            same = (self._keys[at] == keys) & (at < len(self.ids))
            open_, at, keys = open_[same], at[same], keys[same]
            rows = at if self._order is None else self._order[at]
            hit = self._rest_equal(rows, asked, open_)
            found[open_[hit]] = rows[hit]
            open_, at, keys = open_[~hit], at[~hit] + 1, keys[~hit]
        return found

    def _first_at(self, keys: np.ndarray) -> np.ndarray:
        """Where the first key stands that is not smaller, for each of these."""
        if self._starts is None:
            return np.searchsorted(self._keys[:-1], keys)
        at = self._starts[keys >> self._shift].astype(np.int64)
        low = np.flatnonzero(self._keys[at] < keys)
        while len(low):
            at[low] += 1
            low = low[self._keys[at[low]] < keys[low]]
        return at

    def _rest_equal(self, rows: np.ndarray, asked: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Whether all but the first eight bytes are alike."""
        same = _field(self.ids, "<u8", 8)[rows] == _field(asked, "<u8", 8)[which]
        return same & (_field(self.ids, "<u4", 16)[rows] == _field(asked, "<u4", 16)[which])


def _shift(bits: int, between: tuple[int, int]) -> np.uint64:
    """How far to shift a key right so that so many bits are left."""
    return np.uint64(64 - min(max(bits, between[0]), between[1]))


def order_of(keys: np.ndarray) -> np.ndarray:
    """(n,): the rows of uint64 keys in ascending order, equal ones as they stand. Sixteen bits at a time, which numpy sorts by radix."""
    order = np.argsort((keys & np.uint64(0xFFFF)).astype(np.uint16), kind="stable")
    for shift in (16, 32, 48):
        digits = (keys >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order.astype(np.int32) if len(keys) < 2**31 else order


def unique_ids(ids: np.ndarray) -> np.ndarray:
    """The distinct ids, sorted."""
    if not len(ids):
        return ids.reshape(0, ID_BYTES)
    keys = keys_of(ids)
    order = order_of(keys)
    again = keys[order[1:]] == keys[order[:-1]]
    run = np.flatnonzero(np.r_[again, False] | np.r_[False, again])  # the few whose first eight bytes are not theirs alone
    rows = order[run]
    order[run] = rows[np.lexsort((_field(ids, ">u4", 16)[rows], _field(ids, ">u8", 8)[rows], keys[rows]))]
    ordered = ids[order]
    fresh = np.ones(len(ordered), bool)
    fresh[1:] = ~again
    pairs = np.flatnonzero(again) + 1
    fresh[pairs] = (ordered[pairs] != ordered[pairs - 1]).any(axis=1)
    return ordered[fresh]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The integers of [start, start + length) of each pair, end to end."""
    total = int(lengths.sum())
    if not total:
        return np.zeros(0, np.int64)
    ends = np.cumsum(lengths)
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)


def distinct(values: np.ndarray) -> np.ndarray:
    """The distinct integers, ascending: by marks in a table where they lie close together, else by sorting.

    numpy's own `unique` hashes, which takes three times as long on millions.
    """
    if not len(values):
        return values
    first = int(values.min())
    span = int(values.max()) - first + 1
    if span <= min(16 * len(values), _MARKED_AT_MOST):
        marks = np.zeros(span, bool)
        marks[values - values.dtype.type(first)] = True
        return (np.flatnonzero(marks) + first).astype(values.dtype)
    ordered = np.sort(values)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]]
