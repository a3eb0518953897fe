"""The examiner: one trusted process a program. It reads the order, forks the candidate, and only then reads the check.

So the check, its expected answers and the line on which the outcome is sent are in no memory that the program has ever
shared. What the program can do is answer. The examiner keeps the time (an alarm that rings again until it is heard), collects the output,
and sends the outcome home itself. It gives up its own rights too, to another account than the candidate's where there
is a choice: a benchmark's reference code runs here, within the same limits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import select
import signal
import socket
import time
from typing import Any, NoReturn

from minisc.sandbox import confine, wire
from minisc.sandbox.base import PASSED, Limits
from minisc.sandbox.candidate import sit
from minisc.sandbox.remote import CandidateError, Remote, TooMuch, callables

_LONGEST_ORDER = 1 << 30
_RING_AGAIN_SECONDS = 0.1
_LAST_WORDS_SECONDS = 0.5  # from the closed channel to the process's end
_OURS = 4  # the server twice, examiner, candidate: they count for RLIMIT_NPROC where all have one account


class TimeUp(BaseException):
    """The alarm; no `except Exception` of a check swallows it."""


def examine(control: socket.socket, level: str, folder: str) -> NoReturn:
    """Examine one program and send its outcome. Ends the process."""
    order = wire.loads(wire.receive(control, _LONGEST_ORDER))
    limits = Limits(**order["limits"])
    order |= {"token": secrets.token_hex(8), "ours": _OURS if os.getuid() else 1}
    scratch = confine.own_scratch(level, folder, limits)
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            sit(theirs, writing, scratch, level, limits, order)
        finally:
            os._exit(1)
    theirs.close()
    os.close(writing)
    check = wire.loads(wire.receive(control, _LONGEST_ORDER))
    talk = Talk(ours, reading, order["token"].encode(), limits)
    status, detail = _judged(talk, child, check, order, level, limits, began)
    outcome = {"status": status, "detail": detail[:500], "seconds": time.monotonic() - began, "output": talk.heard()}
    wire.send(control, wire.dumps(outcome))
    os._exit(0)


class Talk:
    """The conversation with one candidate."""

    def __init__(self, channel: socket.socket, output: int, token: bytes, limits: Limits) -> None:
        self._channel, self._output, self._token, self._limits = channel, output, token, limits
        self._written: list[bytes] = []
        self._count = 0
        fcntl.fcntl(output, fcntl.F_SETFL, os.O_NONBLOCK)

    def ask(self, question: Any, seconds: float | None = None) -> Any:
        """The answer's value, plain or `Remote`. Raises what the program raised, or `Broken`, `TooMuch`, `TimeUp`."""
        wire.send(self._channel, wire.dumps(question))
        return self.listen(seconds)

    def listen(self, seconds: float | None = None) -> Any:
        self._wait(None if seconds is None else time.monotonic() + seconds)
        frame = wire.receive(self._channel, self._limits.answer_bytes)
        if not frame.startswith(self._token):
            raise wire.Broken("a message without the token")
        answer = wire.loads(frame[len(self._token) :])
        if "error" in answer:
            raise CandidateError.as_builtin(answer["error"], f"{answer['name']}: {answer['text']}")
        return wire.unpack(answer["value"], lambda number: Remote(self, number))

    def _wait(self, until: float | None) -> None:
        """Until there is something to receive; the program's output is taken meanwhile. Raises `TimeUp`."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._output, select.POLLIN)
        while True:
            left = None if until is None else max(until - time.monotonic(), 0) * 1000
            ready = dict(poll.poll(left))
            if not ready:
                raise TimeUp("an answer took too long")
            if self._output in ready and not self._take():
                poll.unregister(self._output)
            if self._channel.fileno() in ready:
                return

    def _take(self) -> bool:
        """Take what is in the output pipe; False at its end. Raises `TooMuch`."""
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._output, 1 << 16):
                room = self._limits.output_bytes - self._count
                self._written.append(piece[: max(room, 0)])
                self._count += len(piece)
                if self._count > self._limits.output_bytes:
                    raise TooMuch(f"more than {self._limits.output_bytes:,} bytes of output")
            return False
        return True

    def heard(self) -> str:
        with contextlib.suppress(TooMuch):
            self._take()
        return b"".join(self._written).decode("utf-8", "replace")


def _judged(talk: Talk, child: int, check: Any, order: Any, level: str, limits: Limits, began: float) -> tuple[str, str]:
    """(status, detail) of the whole examination."""
    try:
        with contextlib.suppress(OSError):  # nobody but the alarm interrupts us
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda number, frame: _ring(limits))
        left = max(limits.wall_seconds - (time.monotonic() - began), 0.001)
        signal.setitimer(signal.ITIMER_REAL, left, _RING_AGAIN_SECONDS)
        try:
            confine.give_up(level, confine.EXAMINER, limits, 0)
            _check(talk, check, tuple(order["names"]))
            return PASSED, ""
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeUp as error:
        return "timeout", str(error)
    except TooMuch as error:
        return "output", str(error)
    except (wire.Gone, ConnectionError) as error:
        return _ended(child, str(error), limits)
    except MemoryError as error:
        return "memory", str(error)
    except SystemExit as error:
        return "exited", str(error)
    except BaseException as error:
        return "failed", str(error) if isinstance(error, (CandidateError, wire.Broken)) else f"{type(error).__name__}: {error}"


def _ring(limits: Limits) -> NoReturn:
    raise TimeUp(f"{limits.wall_seconds:g} s of wall clock are over")


def _check(talk: Talk, check: Any, names: tuple[str, ...]) -> None:
    talk.listen()  # the program's own code has run
    reference: dict[str, Any] = {"__name__": "reference"}
    exec(compile(check["setup"], "setup.py", "exec", dont_inherit=True), reference)  # noqa: S102 - a benchmark's own text, checked by hash
    scope = {**reference, **callables(talk, names), "given": wire.unpack(check["given"], int)}
    exec(compile(check["check"], "check.py", "exec", dont_inherit=True), scope)  # noqa: S102


def _ended(child: int, said: str, limits: Limits) -> tuple[str, str]:
    """What became of a candidate that no longer answers."""
    until = time.monotonic() + _LAST_WORDS_SECONDS
    while time.monotonic() < until:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.005)
    else:
        return "exited", said
    if not os.WIFSIGNALED(status):
        return "exited", f"ended itself with code {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU or usage.ru_utime + usage.ru_stime >= limits.cpu_seconds:
        return "timeout", f"{limits.cpu_seconds} s of CPU are used up"
    return "crashed", f"killed by {signal.Signals(number).name}"
