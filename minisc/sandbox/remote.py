"""What stands in the examiner for things of the candidate's: its functions, its objects, its exceptions.

A `Remote` is asked, never looked into. It equals itself only; so does the answer to a question that a program would like to
answer with "whatever you expect". Its attributes, items, length, truth and text are questions too: what comes back is data.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from minisc.sandbox import wire

if TYPE_CHECKING:
    from minisc.sandbox.examiner import Talk


_SLOWER = 4.0  # times what we take ourselves


class TooMuch(Exception):
    """The program wrote more than it may."""


class CandidateError(Exception):
    """The program raised something. Also an instance of the nearest built-in exception, so that a check may expect that one."""

    @staticmethod
    def as_builtin(kinds: Sequence[object], text: str) -> BaseException:
        for kind in kinds:
            found = getattr(builtins, str(kind), None)
            if found in (SystemExit, MemoryError):
                return found(text)
            if found in (StopIteration, StopAsyncIteration):  # would end a loop of the check's before its time
                break
            if isinstance(found, type) and issubclass(found, Exception) and found is not Exception:
                return _mixed(found)(text)
        return CandidateError(text)


def _mixed(kind: type[Exception]) -> type[Exception]:
    try:
        return type("CandidateError", (CandidateError, kind), {"__str__": lambda self: str(self.args[0])})
    except TypeError:  # an exception with a layout or constructor of its own
        return CandidateError


def callables(talk: Talk, names: Iterable[str]) -> dict[str, Remote]:
    return {name: Remote(talk, name) for name in names}


class Remote:
    """A global of the program (by name) or a thing that it keeps for us (by number)."""

    __slots__ = ("_of", "_talk")

    def __init__(self, talk: Talk, of: str | int) -> None:
        object.__setattr__(self, "_talk", talk)
        object.__setattr__(self, "_of", of)

    def _ask(
        self, do: str, args: Sequence[object], kwargs: Mapping[str, object] = MappingProxyType({}), seconds: float | None = None
    ) -> Any:
        question = {"do": do, "of": self._of, "args": wire.pack(list(args), _number), "kwargs": wire.pack(dict(kwargs), _number)}
        return self._talk.ask(question, seconds)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return self._ask("call", args, kwargs)

    def each(self, arguments: Sequence[Sequence[object]], expected: Sequence[Any], seconds: float | None = None) -> list[Any]:
        """Many calls in one question: their answers in order.

        An answer whose digest is that of the expected one is given as the expected one, and is never sent: some are huge.
        After `seconds` for all calls together the examination ends as timed out; hashing may take as long again as it takes us, and more.
        """
        began = time.monotonic()
        wanted = [wire.digest(right) for right in expected]
        hashing = time.monotonic() - began
        digests = self._ask("each", arguments, seconds=None if seconds is None else seconds + _SLOWER * hashing)
        if not isinstance(digests, list) or len(digests) != len(arguments):
            raise wire.Broken("another number of answers than of questions")
        triples = enumerate(zip(digests, wanted, expected, strict=True))
        return [right if told is not None and told == own else self._ask("last", [at]) for at, (told, own, right) in triples]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("get", [name])

    def __setattr__(self, name: str, value: object) -> None:
        self._ask("set", [name, value])

    def __getitem__(self, key: object) -> Any:
        return self._ask("item", [key])

    def __iter__(self) -> Iterator[Any]:
        return iter(_of_type(list, self._ask("list", [])))

    def __len__(self) -> int:
        return _of_type(int, self._ask("len", []))

    def __bool__(self) -> bool:
        return _of_type(bool, self._ask("bool", []))

    def __str__(self) -> str:
        return _of_type(str, self._ask("str", []))


def _of_type(kind: type, answer: Any) -> Any:
    if not isinstance(answer, kind):
        raise wire.Broken(f"an answer that is no {kind.__name__}")
    return answer


def _number(thing: object) -> int:
    if isinstance(thing, Remote):
        of = object.__getattribute__(thing, "_of")
        if isinstance(of, int):
            return of
    raise TypeError(f"a check can only pass plain values and things of the program's, not {type(thing).__name__}")
