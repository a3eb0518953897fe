"""Window hashes, against Python's own slices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.windows import Table, byte_windows, code_windows


@given(st.binary(max_size=120), st.sampled_from([8, 16, 32]))
@settings(deadline=None, max_examples=200)
def test_equal_windows_have_equal_hashes_and_others_do_not(data: bytes, width: int) -> None:
    hashes = byte_windows(data, width).tolist()
    slices = [data[at : at + width] for at in range(len(data) - width + 1)]
    assert len(hashes) == len(slices)
    assert len(set(zip(hashes, slices, strict=True))) == len(set(hashes)) == len(set(slices))


def test_hashes_do_not_depend_on_what_stands_around() -> None:
    window = bytes(range(32))
    assert (
        byte_windows(b"abc" + window + b"d", 32)[3] == byte_windows(window, 32)[0] == code_windows(np.frombuffer(window, np.uint8), 32)[0]
    )


@pytest.mark.parametrize("data", [b"", b"1234567", b"1" * 31])
def test_what_is_shorter_has_no_window(data: bytes) -> None:
    assert len(byte_windows(data, 32)) == 0


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.lists(st.integers(0, 2**64 - 1), max_size=40))
@settings(deadline=None, max_examples=100)
def test_places_are_those_of_members(members: list[int], windows: list[int]) -> None:
    windows = windows + members[::2]
    found = Table(np.array(members, np.uint64)).places(np.array(windows, np.uint64))
    assert found.tolist() == [at for at, window in enumerate(windows) if window in set(members)]
