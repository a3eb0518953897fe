"""Frames on a socket, and values as data: what passes between processes that do not trust each other.

A frame is four bytes of length (big endian) and that many bytes. A value is JSON: a scalar, or a list that begins with
a tag, so that reading one builds None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset and dict, and nothing else:
no class of the sender's is ever looked up (pickle, which would do this faster, looks up whatever it is told to).
A subclass of one of these is sent as the plain thing: an answer that claims to equal everything arrives without its claim.
numpy scalars become Python's. Anything else stays where it is and is sent as the number that `keep` gave it.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import socket
import struct
from collections.abc import Callable, Collection, Mapping
from typing import Any

_LENGTH = struct.Struct(">I")
_NARROW = 1 << 64  # an int beyond goes as hexadecimal, which is read in linear time


class Broken(Exception):
    """The other side sent what is no frame or no value."""


class Gone(Broken):
    """The other side closed."""


def send(channel: socket.socket, frame: bytes) -> None:
    channel.sendall(_LENGTH.pack(len(frame)) + frame)


def receive(channel: socket.socket, limit: int) -> bytes:
    """The next frame, never a byte more. Raises `Gone` at the end of the stream, `Broken` for a frame above `limit` bytes."""
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    if length > limit:
        raise Broken(f"a message of {length:,} bytes, where {limit:,} are allowed")
    return _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes:
    pieces = []
    while count:
        piece = channel.recv(min(count, 1 << 20))
        if not piece:
            raise Gone("the other side is gone")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def pack(value: Any, keep: Callable[[Any], int]) -> Any:
    """A value as JSON can hold it: a scalar, or a list whose first item is a tag. `keep(thing)` numbers what is no plain data.

    Raises RecursionError for a value that holds itself or is nested too deep.
    """
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if kind is int:
        return value if -_NARROW < value < _NARROW else ["int", hex(value)]
    if kind in _CONTAINERS:
        return [kind.__name__, *(value if _flat(value) else [pack(item, keep) for item in value])]
    if kind is dict:
        return ["dict", *[pack(part, keep) for pair in value.items() for part in pair]]
    if kind is bytes:
        return ["bytes", value.hex()]
    if kind is complex:
        return ["complex", value.real, value.imag]
    for base, plain in _PLAIN:
        if isinstance(value, base):
            return pack(plain(value), keep)
    if kind.__module__ == "numpy" and callable(getattr(value, "item", None)) and getattr(value, "ndim", 1) == 0:
        return pack(value.item(), keep)
    return ["kept", keep(value)]


def _flat(value: Collection[Any]) -> bool:
    """Whether all items are scalars that go as they are; found at the speed of C, since answers can have millions."""
    kinds = set(map(type, value))
    if int not in kinds:
        return kinds <= _SCALARS
    return kinds <= _NUMBERS and min(value) > -_NARROW and max(value) < _NARROW  # false for NaN, which then goes one by one


_SCALARS, _NUMBERS = frozenset({str, bool, float, type(None)}), frozenset({int, bool, float})
_CONTAINERS: Mapping[type, Callable[[Any], Any]] = {kind: kind for kind in (list, tuple, set, frozenset)}
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (  # how a subclass becomes the thing that it is a kind of
    *_CONTAINERS.items(),
    (dict, dict),
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, bytes),
)


def digest(value: Any) -> str | None:
    """A hash that equal plain values of equal types share, at the speed of C; None for what has none (sets, subclasses, objects).

    By marshal, of which version 2 writes by value alone. It is only ever written here: reading it from a stranger is not safe.
    """
    try:
        return None if isinstance(value, (set, frozenset)) else hashlib.sha256(marshal.dumps(value, 2)).hexdigest()
    except ValueError:
        return None


def unpack(value: Any, kept: Callable[[int], Any]) -> Any:
    """The value again; `kept(number)` gives what stands for a thing that stayed. Raises `Broken` for what `pack` never makes."""
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise Broken("no value: an object")
        return value
    if not value or (read := _READ.get(value[0] if isinstance(value[0], str) else "")) is None:
        raise Broken("no value: a list without a tag")
    try:
        return read(value, kept)
    except (TypeError, ValueError, IndexError) as error:
        raise Broken(f"no value: {type(error).__name__}: {error}") from error


def _items(value: list[Any], kept: Callable[[int], Any]) -> list[Any]:
    kinds = set(map(type, value))
    return value[1:] if list not in kinds and dict not in kinds else [unpack(item, kept) for item in value[1:]]


def _dict(value: list[Any], kept: Callable[[int], Any]) -> dict[Any, Any]:
    parts = _items(value, kept)
    return dict(zip(parts[::2], parts[1::2], strict=True))


_READ: Mapping[str, Callable[[list[Any], Callable[[int], Any]], Any]] = {
    "list": lambda value, kept: _items(value, kept),
    "tuple": lambda value, kept: tuple(_items(value, kept)),
    "set": lambda value, kept: set(_items(value, kept)),
    "frozenset": lambda value, kept: frozenset(_items(value, kept)),
    "dict": _dict,
    "int": lambda value, kept: int(value[1], 16),
    "bytes": lambda value, kept: bytes.fromhex(value[1]),
    "complex": lambda value, kept: complex(value[1], value[2]),
    "kept": lambda value, kept: kept(int(value[1])),
}


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def loads(frame: bytes) -> Any:
    try:
        return json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise Broken(f"no JSON: {type(error).__name__}") from error
