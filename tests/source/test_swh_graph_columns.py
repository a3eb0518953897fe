"""Columns of any type, and look-ups of ids, against plain Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.source.swh_graph import columns
from minisc.source.swh_graph.ids import ABSENT, IdIndex, distinct, ranges, unique_ids
from minisc.source.swh_graph.keys import KeyIndex

IDS = st.binary(min_size=20, max_size=20)


def packed(ids: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, 20)


@settings(deadline=None)
@given(st.lists(st.none() | IDS, max_size=30), st.integers(0, 5), st.sampled_from([pa.binary(), pa.large_binary(), pa.binary(20), "hex"]))
def test_ids_are_read_from_any_type_and_slice(values: list[bytes | None], start: int, kind: pa.DataType | str) -> None:
    array = (
        pa.array([value.hex() if value is not None else None for value in values], pa.string())
        if isinstance(kind, str)
        else pa.array(values, kind)
    )
    found, there = columns.ids(array.slice(start))
    assert [row.tobytes() if ok else None for row, ok in zip(found, there.tolist(), strict=True)] == values[start:]


@pytest.mark.parametrize(
    "array",
    [pa.array([b"short"]), pa.array([b"x" * 20, b"y" * 21]), pa.array(["g" * 40]), pa.array([b"x" * 4], pa.binary(4)), pa.array([1])],
)
def test_what_is_no_id_is_refused(array: pa.Array) -> None:
    with pytest.raises(columns.Unreadable):
        columns.ids(array)


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(-(2**52), 2**52), max_size=20), st.sampled_from([pa.int64(), pa.float64()]))
def test_integers_are_read_from_floats_too(values: list[int | None], kind: pa.DataType) -> None:
    array = pa.array([None if value is None else float(value) if kind == pa.float64() else value for value in values], kind)
    assert columns.integers(array).tolist() == [columns.MISSING if value is None else value for value in values]


@pytest.mark.parametrize("array", [pa.array([0.5]), pa.array([2.0**60]), pa.array(["1"]), pa.array([[1]])])
def test_what_is_no_key_is_refused(array: pa.Array) -> None:
    with pytest.raises(columns.Unreadable):
        columns.integers(array)


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("typed", [True, False])
def test_times_of_every_unit_are_microseconds(unit: str, scale: int, typed: bool) -> None:
    raw = [1_500_000_000 * scale, None, 1_548_633_600 * scale]
    array = pa.array(raw, pa.int64())
    assert columns.times(array.cast(pa.timestamp(unit)) if typed else array).tolist() == [
        1_500_000_000_000_000,
        columns.MISSING,
        1_548_633_600_000_000,
    ]


def test_times_that_overflow_are_far_outside_and_not_wrapped() -> None:
    assert (
        columns.times(pa.array([2**62, -(2**62)], pa.timestamp("s"))).tolist()[0]
        > 2**62
        > 0
        > columns.times(pa.array([-(2**62)], pa.timestamp("s")))[0]
    )


@settings(deadline=None)
@given(
    st.lists(st.none() | st.lists(st.integers(0, 2**40), max_size=4), max_size=20),
    st.integers(0, 5),
    st.sampled_from([pa.list_, pa.large_list]),
)
def test_lists_null_or_empty_are_alike(values: list[list[int] | None], start: int, kind: object) -> None:
    lengths, flat = columns.lists(pa.array(values, kind(pa.int64())).slice(start))  # type: ignore[operator]
    assert lengths.tolist() == [len(value or []) for value in values[start:]]
    assert flat.tolist() == [item for value in values[start:] for item in value or []]


@settings(deadline=None)
@given(st.lists(IDS, max_size=50), st.lists(IDS, max_size=20))
def test_look_ups_agree_with_a_dictionary(ids: list[bytes], others: list[bytes]) -> None:
    twins = [one[:8] + bytes(12) for one in ids] + [one[:8] + b"\xff" * 12 for one in ids]  # ids made to collide in their first eight bytes
    known = ids + twins[: len(twins) // 2]
    first = {one: at for at, one in reversed(list(enumerate(known)))}
    asked = known + others + twins
    assert IdIndex(packed(known)).find(packed(asked)).tolist() == [first.get(one, ABSENT) for one in asked]
    assert [row.tobytes() for row in unique_ids(packed(known))] == sorted(set(known))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 5)), max_size=20))
def test_ranges_end_to_end(pairs: list[tuple[int, int]]) -> None:
    starts, lengths = (np.array(column, np.int64) for column in (zip(*pairs, strict=True) if pairs else ([], [])))
    assert ranges(starts, lengths).tolist() == [at for start, length in pairs for at in range(start, start + length)]
    assert distinct(starts).tolist() == sorted(set(starts.tolist()))


def test_ids_made_to_share_their_first_bits_are_found_in_good_time() -> None:
    """A hundred thousand ids of one beginning: a walk from the first of them would take their number of steps for each."""
    rng = np.random.default_rng(5)
    ids = rng.integers(0, 256, (100_000, 20), dtype=np.uint8)
    ids[:, :3] = 7
    index = IdIndex(ids)
    assert index._starts is None and index.find(ids[::-1]).tolist() == list(range(len(ids)))[::-1]
    assert (index.find(rng.integers(0, 256, (1000, 20), dtype=np.uint8)) == ABSENT).all()


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), max_size=30), st.sampled_from([1, 1 << 40]), st.lists(st.integers(-60, 60), max_size=20))
def test_rows_by_key_agree_with_a_dictionary(keys: list[int], apart: int, others: list[int]) -> None:
    """Close together and far apart, in any order, some of them twice."""
    known = [key * apart for key in keys]
    first = {key: at for at, key in reversed(list(enumerate(known)))}
    asked = [*known, *(other * apart for other in others), int(columns.MISSING), 2**62, -(2**62)]
    assert KeyIndex(np.array(known, np.int64)).find(np.array(asked, np.int64)).tolist() == [first.get(key, ABSENT) for key in asked]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 40), max_size=40), st.sampled_from([np.uint32, np.int64]))
def test_distinct_integers_of_any_type_and_spread(values: list[int], kind: type[np.integer]) -> None:
    assert distinct(np.array(values, kind)).tolist() == sorted(set(values))
