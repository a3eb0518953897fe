"""The candidate: the process in which the program runs. It answers questions about it until it is ended.

Whatever this process says is the program's word: it can have changed every function and every byte here. So nothing in it is
secret but the token that begins each of its messages, which keeps a program that merely writes into all open files from
being heard as an answer (one that looks through its caller's frames can find it).
"""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

from minisc.sandbox import confine, wire
from minisc.sandbox.base import Limits

_CHANNEL = 3
_LONGEST_QUESTION = 1 << 30
_TEXT = 300  # characters of an exception's message
_INDIRECT: dict[str, Callable[..., Any]] = {  # what can be asked of a thing that is no plain data
    "get": getattr,
    "set": setattr,
    "item": lambda thing, key: thing[key],
    "list": list,
    "len": len,
    "bool": bool,
    "str": str,
}


def sit(channel: socket.socket, output: int, folder: str, level: str, limits: Limits, order: Any) -> NoReturn:
    """Become powerless, run `order['code']`, then answer. Ends the process."""
    os.setsid()
    _only_files(channel, output, order["stdin"], folder)
    os.environ.clear()
    os.environ.update({"HOME": folder, "TMPDIR": folder, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
    confine.give_up(level, confine.CANDIDATE, limits, limits.processes + order["ours"])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    random.seed(0)  # of the warm server all would inherit one state, but another one in every run
    gc.enable()
    _answer(socket.socket(fileno=_CHANNEL), order["token"].encode(), order["code"], "solution" if order["names"] else "__main__")


def _only_files(channel: socket.socket, output: int, stdin: str, folder: str) -> None:
    """Files 0, 1 and 2 and the channel; all else is closed."""
    os.chdir(folder)
    if stdin:
        source = os.open("stdin", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(os.dup(source), "w", encoding="utf-8", errors="replace") as file:
            file.write(stdin)
        os.unlink("stdin")  # noqa: PTH108
        os.lseek(source, 0, os.SEEK_SET)
    else:
        source = os.open("/dev/null", os.O_RDONLY)
    parts = [os.dup2(handle, 100 + at) for at, handle in enumerate((source, output, output, channel.fileno()))]
    for at, handle in enumerate(parts):
        os.dup2(handle, at, inheritable=at < _CHANNEL)
    os.closerange(_CHANNEL + 1, max(os.sysconf("SC_OPEN_MAX"), 4096))
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)  # noqa: SIM115


def _answer(channel: socket.socket, token: bytes, code: str, name: str) -> NoReturn:
    module = types.ModuleType(name)
    sys.modules[name] = module
    sys.argv = ["solution.py"]
    kept: list[Any] = []
    last: list[Any] = []  # the answers of the last round of calls

    def say(answer: Any) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        wire.send(channel, token + wire.dumps(answer))

    def keep(thing: Any) -> int:
        kept.append(thing)
        return len(kept) - 1

    say(_tried(lambda: exec(compile(code, "solution.py", "exec", dont_inherit=True), module.__dict__), lambda _: None))  # noqa: S102
    while True:
        question = wire.loads(wire.receive(channel, _LONGEST_QUESTION))
        say(_tried(lambda: _asked(module.__dict__, kept, last, question), lambda value: wire.pack(value, keep)))  # noqa: B023


def _asked(names: dict[str, Any], kept: list[Any], last: list[Any], question: Any) -> Any:
    """Carry out one question: {"do", "of": a name or the number of a kept thing, "args", "kwargs"}.

    "each" makes many calls and gives digests of their answers, of which "last" gives one in full.
    """
    do, of = question["do"], question["of"]
    args = wire.unpack(question["args"], kept.__getitem__)
    if do == "last":
        return last[args[0]]
    thing = names[of] if isinstance(of, str) else kept[of]
    if do == "call":
        return thing(*args, **wire.unpack(question["kwargs"], kept.__getitem__))
    if do == "each":
        last.clear()
        last.extend(thing(*given) for given in args)
        return [wire.digest(answer) for answer in last]
    return _INDIRECT[do](thing, *args)


def _tried(action: Callable[[], Any], told: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        return {"value": told(action())}
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            text = str(error)[:_TEXT]
        except BaseException:
            text = ""
        return {"error": kinds, "name": type(error).__name__, "text": text}
