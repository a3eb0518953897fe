"""Values survive the wire with their types; nothing that comes over it builds anything else, or takes more than its size."""

from __future__ import annotations

import collections
import enum
import json
import socket
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.sandbox import wire

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4), max_leaves=6)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=4) | st.sets(HASHABLE, max_size=4),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    kept: list[Any] = []

    def keep(thing: Any) -> int:
        kept.append(thing)
        return len(kept) - 1

    return wire.unpack(wire.loads(wire.dumps(wire.pack(value, keep))), lambda number: ("kept", number))


def same(first: Any, second: Any) -> bool:
    """Equal, and of the same types all through."""
    return repr(type(first)) == repr(type(second)) and (
        first == second if not isinstance(first, (list, tuple)) else len(first) == len(second) and all(map(same, first, second))
    )


@settings(deadline=None, max_examples=150)
@given(VALUES)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_lone_surrogates_nan_and_wide_integers() -> None:
    assert there_and_back("\ud800") == "\ud800"
    assert there_and_back([float("nan")])[0] != there_and_back(float("nan"))
    assert there_and_back(-(7**9999)) == -(7**9999)
    assert there_and_back({(1, 2): {3}, None: b"\0\xff"}) == {(1, 2): {3}, None: b"\0\xff"}


class Sly(list[int]):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_a_subclass_arrives_as_the_plain_thing() -> None:
    assert there_and_back(Sly([1])) != [2]
    assert type(there_and_back(Sly([1]))) is list
    assert there_and_back(collections.Counter("aab")) == {"a": 2, "b": 1}
    assert there_and_back(enum.IntEnum("E", "a b").b) == 2  # type: ignore[attr-defined]
    assert there_and_back(collections.namedtuple("P", "x y")(1, 2)) == (1, 2)
    assert [type(there_and_back(value)) for value in (np.float64(1), np.int64(1), np.bool_(1))] == [float, int, bool]


def test_what_is_no_data_stays_and_is_numbered() -> None:
    assert there_and_back([object(), 1, iter([])]) == [("kept", 0), 1, ("kept", 1)]


@pytest.mark.parametrize(
    "text,reason",
    [
        ("{}", "an object"),
        ("[]", "without a tag"),
        ('["object", 1]', "without a tag"),
        ('[["list"], 1]', "without a tag"),
        ('["set", ["list"]]', "unhashable"),
        ('["dict", 1]', "ValueError"),
        ('["int", "x"]', "ValueError"),
        ('["int"]', "IndexError"),
        ('["bytes", 3]', "TypeError"),
        ('["kept", "x"]', "ValueError"),
    ],
)
def test_what_pack_never_makes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(wire.Broken, match=reason):
        wire.unpack(json.loads(text), int)


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        read = wire.unpack(value, int)
    except wire.Broken:
        return
    assert not isinstance(read, wire.Broken)


def test_frames_are_whole_bounded_and_never_read_past() -> None:
    left, right = socket.socketpair()
    with left, right:
        wire.send(left, b"one")
        wire.send(left, b"x" * 100)
        assert wire.receive(right, 10) == b"one"
        with pytest.raises(wire.Broken, match="100 bytes, where 10 are allowed"):
            wire.receive(right, 10)
        left.close()
        right.recv(100)
        with pytest.raises(wire.Gone):
            wire.receive(right, 10)


@pytest.mark.parametrize("frame", [b"", b"{", b"\xff", b"[" * 100_000])
def test_no_json(frame: bytes) -> None:
    with pytest.raises(wire.Broken, match="no JSON"):
        wire.loads(frame)
