"""Columns of an export as plain numpy, whatever type the exporter gave them.

In: Arrow arrays as they stand in a file. Out: fixed shapes, always the same:

    ids      (n, 20) uint8, and (n,) bool where there is one     binary, fixed binary, or 40 hex digits (the ORC exports)
    integers (n,) int64, missing = MISSING                       any integer, or the float64 that pandas makes of nullable keys
    times    (n,) int64 microseconds since 1970, or MISSING      timestamp of any unit, INT96, or integers whose unit is told by
                                                                 their size: 1e9 seconds, 1e12 ms, 1e15 us, 1e18 ns
    names    large_binary                                        binary or string; raw bytes, any encoding
    lists    (n,) int64 lengths, flat int64                      null and empty lists are alike

Raises `Unreadable` (a ValueError) with a sentence; the caller knows file and column and says them too.
Rejected: letting Arrow cast (it refuses float keys with nulls, and overflows on dates of the year 9999).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = np.iinfo(np.int64).min  # no integer of an export can be this one
ID_BYTES = 20
_HEX = np.full(256, 255, np.uint8)
_HEX[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10)
_HEX[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)
_HEX[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class Unreadable(ValueError):
    """A column that cannot be what its name says."""


def ids(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(n, 20) uint8 and (n,) bool: which are there. Absent ids are zeros."""
    there = _there(array)
    if pa.types.is_fixed_size_binary(array.type):
        if array.type.byte_width != ID_BYTES:
            raise Unreadable(f"ids are {array.type.byte_width} bytes long, not {ID_BYTES}")
        raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)[array.offset * ID_BYTES : (array.offset + len(array)) * ID_BYTES]
        packed = raw.reshape(-1, ID_BYTES)
        return (np.where(there[:, None], packed, 0).astype(np.uint8) if array.null_count else packed), there
    flat, wide = _bytes_of(array.drop_null() if array.null_count else array)
    if (wide == ID_BYTES).all():
        width = ID_BYTES
    elif (wide == 2 * ID_BYTES).all():
        width = 2 * ID_BYTES
    else:
        odd = int(wide[(wide != ID_BYTES) & (wide != 2 * ID_BYTES)][:1].sum()) or int(wide[0])
        raise Unreadable(f"ids must be {ID_BYTES} bytes or {2 * ID_BYTES} hex digits long; one is {odd} bytes")
    packed = flat.reshape(-1, width)
    if width != ID_BYTES:
        packed = _unhex(packed)
    if not array.null_count:
        return packed, there
    out = np.zeros((len(array), ID_BYTES), np.uint8)
    out[there] = packed
    return out, there


def _there(array: pa.Array) -> np.ndarray:
    """(n,) bool: which values are no nulls."""
    return pc.is_valid(array).to_numpy(zero_copy_only=False) if array.null_count else np.ones(len(array), bool)


def _unhex(digits: np.ndarray) -> np.ndarray:
    values = _HEX[digits]
    if (values == 255).any():
        raise Unreadable("ids hold letters that are no hex digits")
    return (values[:, 0::2] << 4) | values[:, 1::2]


def _bytes_of(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all values end to end, and the length of each; no value is null. Nothing is copied."""
    if not (pa.types.is_binary(array.type) or pa.types.is_string(array.type)):
        array = names(array)
    if not len(array):
        return np.zeros(0, np.uint8), np.zeros(0, np.int64)
    offsets = _offsets(array, np.int64 if pa.types.is_large_binary(array.type) else np.int32)
    return np.frombuffer(array.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]], np.diff(offsets)


def _offsets(array: pa.Array, kind: type[np.integer]) -> np.ndarray:
    """(n + 1,): where each value of a column of variable length begins and the last one ends."""
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array) + 1]


def integers(array: pa.Array) -> np.ndarray:
    """(n,) int64; null and NaN become MISSING."""
    kind = array.type
    if pa.types.is_integer(kind):
        if array.null_count == 0 and pa.types.is_int64(kind):
            return array.to_numpy(zero_copy_only=False)
        return pc.fill_null(array.cast(pa.int64()), int(MISSING)).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(kind):
        values = pc.fill_null(array.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
        there = np.isfinite(values)
        whole = np.where(there, values, 0.0)
        if (np.abs(whole) >= 2.0**53).any() or (whole != np.floor(whole)).any():
            raise Unreadable("keys are floats that are no whole numbers below 2^53")
        return np.where(there, whole.astype(np.int64), MISSING)
    if pa.types.is_null(kind):
        return np.full(len(array), MISSING, np.int64)
    raise Unreadable(f"integers are expected, the column is {kind}")


def times(array: pa.Array) -> np.ndarray:
    """(n,) int64 microseconds since 1970 UTC, or MISSING."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        raw = integers(array.view(pa.int64()) if not isinstance(array, pa.ChunkedArray) else array.cast(pa.int64()))
        if kind.unit == "ns":
            return np.where(raw == MISSING, MISSING, raw // 1_000)
        return _scaled(raw, _MICROSECONDS[kind.unit])
    raw = integers(array)
    known = np.abs(raw[raw != MISSING].astype(np.float64))
    typical = float(np.median(known)) if len(known) else 0.0
    if typical >= 1e17:
        return np.where(raw == MISSING, MISSING, raw // 1_000)
    return _scaled(raw, 1 if typical >= 1e14 else 1_000 if typical >= 1e11 else 1_000_000)


def _scaled(raw: np.ndarray, factor: int) -> np.ndarray:
    """Times `factor`; what would overflow is clipped, far outside every real date."""
    limit = (2**63 - 1) // factor
    return np.where(raw == MISSING, MISSING, np.clip(raw, -limit, limit) * factor)


def names(array: pa.Array) -> pa.Array:
    """large_binary, nulls kept."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_binary(array.type):
        return array
    if (
        pa.types.is_binary(array.type)
        or pa.types.is_string(array.type)
        or pa.types.is_large_string(array.type)
        or pa.types.is_null(array.type)
    ):
        return array.cast(pa.large_binary())
    raise Unreadable(f"bytes or text are expected, the column is {array.type}")


def texts(array: pa.Array) -> list[str | None]:
    return [None if value is None else value.decode("utf-8", "replace") for value in names(array).to_pylist()]


def lists(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int64 lengths and the flat int64 values; null elements are left out of neither (they become MISSING)."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64), np.zeros(0, np.int64)
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        raise Unreadable(f"a list of integers is expected, the column is {array.type}")
    if not len(array):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = _offsets(array, np.int64 if pa.types.is_large_list(array.type) else np.int32)
    lengths = np.diff(offsets).astype(np.int64)
    if array.null_count:
        lengths[~_there(array)] = 0  # a null list may still stand over values
    if lengths.sum() == offsets[-1] - offsets[0]:
        return lengths, integers(array.values[int(offsets[0]) : int(offsets[-1])])
    return lengths, integers(array.flatten())
