"""Frames on a socket, and values as data: what passes between processes that do not trust each other.

A frame is four bytes of length (big endian) and that many bytes. A value is JSON, tagged where JSON has no such type, so
that reading one builds None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset and dict, and nothing else:
no class of the sender's is ever looked up (pickle, which would do this faster, looks up whatever it is told to).
A subclass of one of these is sent as the plain thing: an answer that claims to equal everything arrives without its claim.
numpy scalars become Python's. Anything else stays where it is and is sent as a number that `keep` gave for it.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct(">I")
_WIDE = 64  # bits; a longer int goes as hexadecimal, which is read in linear time


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


def pack(value: Any, keep: Callable[[Any], Any]) -> Any:
    """A value as JSON can hold it; `keep(thing)` answers for what is no plain data. RecursionError for a cycle."""
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if kind is int:
        return value if value.bit_length() <= _WIDE else {"int": hex(value)}
    if kind is list:
        return [pack(item, keep) for item in value]
    for base, tag, turn in _TAGGED:
        if isinstance(value, base):
            return {tag: turn(value, keep)} if tag else pack(turn(value, keep), keep)
    if kind.__module__ == "numpy" and callable(getattr(value, "item", None)) and getattr(value, "ndim", 1) == 0:
        return pack(value.item(), keep)
    return keep(value)


def _items(value: Any, keep: Callable[[Any], Any]) -> list[Any]:
    return [pack(item, keep) for item in value]


_TAGGED: tuple[tuple[type, str, Callable[[Any, Any], Any]], ...] = (
    (tuple, "tuple", _items),
    (dict, "dict", lambda value, keep: [[pack(key, keep), pack(item, keep)] for key, item in dict.items(value)]),
    (set, "set", _items),
    (frozenset, "frozenset", _items),
    (bytes, "bytes", lambda value, keep: bytes(value).hex()),
    (complex, "complex", lambda value, keep: [value.real, value.imag]),
    (list, "", lambda value, keep: list(value)),  # the subclasses, from here on
    (int, "", lambda value, keep: int.__int__(value)),
    (float, "", lambda value, keep: float.__float__(value)),
    (str, "", lambda value, keep: str.__str__(value)),
)


def unpack(value: Any, kept: Callable[[int], Any]) -> Any:
    """The value again; `kept(number)` gives what stands for a thing that stayed. Raises `Broken` for what `pack` never makes."""
    if isinstance(value, list):
        return [unpack(item, kept) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise Broken("an object with other than one tag")
    ((tag, held),) = value.items()
    try:
        if tag in ("tuple", "set", "frozenset"):
            return _CONTAINERS[tag]([unpack(item, kept) for item in held])
        if tag == "dict":
            return {unpack(key, kept): unpack(item, kept) for key, item in held}
        return kept(int(held)) if tag == "kept" else _SCALARS[tag](held)
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(f"no value: {type(error).__name__}: {error}") from error


_CONTAINERS: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "int": lambda held: int(held, 16),
    "bytes": bytes.fromhex,
    "complex": lambda held: complex(*held),
}


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def loads(frame: bytes) -> Any:
    try:
        return json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise Broken(f"no JSON: {type(error).__name__}") from error
