"""Rows found by an integer key: "which row of this table has the key 4,711?"

In: (n,) integers, the `id` or `object_id` of an export's table: serial numbers of the whole archive, so close together in one export
and far apart in another. Out: row numbers, -1 where there is none; of equal keys the first. MISSING is no key.
Method: a table with a slot for every number where the keys lie close together; else the keys sorted, a binary search, and before it a
filter of bits that answers most questions about keys that are not there.
Price: 4 bytes a number between the lowest and the highest key, at most 16 slots a key and 256 MB; or 12 bytes a key and 16 filter
bytes. Rejected: Arrow's `index_in` (builds its hash table anew for every batch).
"""

from __future__ import annotations

import numpy as np

from minisc.source.swh_graph.columns import MISSING
from minisc.source.swh_graph.ids import ABSENT

SPREAD_AT_MOST, TABLE_AT_MOST = 16, 1 << 26  # slots
_FILTER_BITS = (10, 26)  # at the least and at the most
_AT_ONCE = 1 << 20  # keys that are hashed at a time: bounds memory
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads serial numbers over the filter (Knuth, TAOCP 6.4)


class KeyFilter:
    """Marks of a set of keys: says yes for each of them; where they lie far apart also for some others (one in ten, of 10 million keys)."""

    def __init__(self, keys: np.ndarray) -> None:
        self._first, span = (int(keys.min()), int(keys.max()) - int(keys.min()) + 1) if len(keys) else (0, 0)
        self._shift: np.uint64 | None = None
        if span >= min(SPREAD_AT_MOST * len(keys), TABLE_AT_MOST):
            bits = min(max(len(keys).bit_length() + 3, _FILTER_BITS[0]), _FILTER_BITS[1])
            self._shift, span = np.uint64(64 - bits), 1 << bits
        self._marks = np.zeros(span + 2, bool)  # where they lie close together: a mark more at either end, for all keys outside
        for start in range(0, len(keys), _AT_ONCE):
            self._marks[self._slot(keys[start : start + _AT_ONCE])] = True

    def may_hold(self, asked: np.ndarray) -> np.ndarray:
        """(m,) bool."""
        return self._marks.take(self._slot(asked), mode="clip")

    def _slot(self, keys: np.ndarray) -> np.ndarray:
        keys = keys.astype(np.int64, copy=False)
        return keys - (self._first - 1) if self._shift is None else ((keys.view(np.uint64) * _FACTOR) >> self._shift).view(np.int64)


class KeyIndex:
    """See the module."""

    def __init__(self, keys: np.ndarray) -> None:
        keys = keys.astype(np.int64, copy=False)
        self._rows = None if (keys[1:] > keys[:-1]).all() else np.argsort(keys, kind="stable")
        self._keys = keys if self._rows is None else keys[self._rows]
        span = int(self._keys[-1]) - int(self._keys[0]) + 1 if len(keys) else 0
        self._table = np.zeros(0, np.int32)
        self._filter: KeyFilter | None = None
        if span < min(SPREAD_AT_MOST * len(keys), TABLE_AT_MOST):
            # a slot more at either end, where all keys outside are sent
            self._table = np.full(span + 2, ABSENT, np.int32)
            rows = np.arange(len(keys)) if self._rows is None else self._rows
            self._table[self._keys[::-1] - self._keys[0] + 1] = rows[::-1]
        else:
            self._filter = KeyFilter(keys)

    def find(self, asked: np.ndarray) -> np.ndarray:
        """(m,) int32 or int64: the row of each asked key, or ABSENT."""
        if not len(self._keys):
            return np.full(len(asked), ABSENT, np.int64)
        asked = asked.astype(np.int64, copy=False)
        if self._filter is None:
            return self._table.take(asked - (self._keys[0] - 1), mode="clip")
        found = np.full(len(asked), ABSENT, np.int64)
        open_ = np.flatnonzero(self._filter.may_hold(asked))
        own = asked[open_]
        at = np.searchsorted(self._keys, own)
        at[at == len(self._keys)] = 0
        hit = (self._keys[at] == own) & (own != MISSING)
        found[open_[hit]] = at[hit] if self._rows is None else self._rows[at[hit]]
        return found
