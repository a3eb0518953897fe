"""The sandbox as its users see it: settings, and once opened, programs in and outcomes out.

    with sandbox.open() as pool:
        outcome = pool.run(Program(code=..., names=("add",), check="assert add(2, 2) == 4"))
        for outcome in pool.run_many(programs): ...          # in the order of the programs

In: programs. Out: one `Outcome` each, with the level of isolation that it ran at. `open` takes the highest level that the
machine gives and proves it with a program that looks around; a machine that gives less than `require` is an error
before anything is run. What the levels mean, and what none of them protects against: the package's docstring and `base.py`.
Price: about five milliseconds a program and worker. Not for: programs whose answers are no data (windows, files, servers).
"""

from __future__ import annotations

import os
import platform
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.sandbox.base import LEVELS, Limits, Outcome, Program
from minisc.sandbox.confine import at_least
from minisc.sandbox.worker import Refused, Worker

_AHEAD = 8  # programs a worker that may be under way before the first of them is handed out

_LOOK = """
import os, socket
def sockets():
    try:
        socket.socket().close()
    except OSError:
        return False
    return True
def process(): return os.getpid()
def sees(path): return os.path.exists(path)
def environment(): return sorted(os.environ)
"""
_SEEN = {  # what a program at each level must find when it looks around
    "rlimits": "assert environment() == ['HOME', 'LANG', 'PATH', 'TMPDIR'], environment()",
    "filtered": "assert not sockets(), 'sockets can be had'",
    "namespaces": "assert process() == 2, 'its number is no namespace\\'s'",
    "full": "assert not sees('/proc/self') and not sees('/etc/passwd'), 'the old root is in sight'",
}


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Settings. `require` is the least level accepted, `at_most` the highest one tried; `preload` names modules that programs import often."""

    limits: Limits
    require: str
    at_most: str
    preload: tuple[str, ...]
    workers: int | None = free()

    def __post_init__(self) -> None:
        object.__setattr__(self, "preload", tuple(self.preload))
        for name in ("require", "at_most"):
            if (level := getattr(self, name)) not in LEVELS:
                raise UserError(f"there is no level {level!r}", where=f"sandbox.{name}={level}", do=did_you_mean(str(level), LEVELS))
        if not at_least(self.at_most, self.require):
            raise UserError(
                "more is required than may be tried", where=f"sandbox.require={self.require}", do=f"sandbox.at_most={self.require}"
            )
        if self.workers is not None and self.workers < 1:
            raise UserError("a sandbox needs a worker", where=f"sandbox.workers={self.workers}", do="sandbox.workers=null  (one a core)")

    def identity(self) -> Mapping[str, str]:
        return {"python": platform.python_version()}

    @contextmanager
    def open(self) -> Iterator[Pool]:
        """Start the workers; on leaving, everything they started is gone. Raises UserError when `require` cannot be had."""
        with ExitStack() as stack:
            first = self._first()
            stack.callback(first.close)
            workers = [first]
            for _ in range((self.workers or _cores()) - 1):
                workers.append(Worker(first.level, self.preload))
                stack.callback(workers[-1].close)
            yield Pool(workers, self.limits)

    def _first(self) -> Worker:
        refusals = []
        for level in reversed(LEVELS[LEVELS.index(self.require) : LEVELS.index(self.at_most) + 1]):
            try:
                worker = Worker(level, self.preload)
            except Refused as refusal:
                refusals.append(f"{level}: {refusal}")
                continue
            if (outcome := worker.examine(_looking_around(level), self.limits)).passed:
                return worker
            worker.close()
            refusals.append(f"{level}: {outcome.status}, {outcome.detail}")
        raise UserError(
            f"this machine gives no sandbox of level {self.require!r} ({'; '.join(refusals)})",
            where=f"sandbox.require={self.require}",
            do=f"sandbox.require={LEVELS[0]}  (weaker), or allow unprivileged user namespaces",
        )


def _looking_around(level: str) -> Program:
    expected = [_SEEN[name] for name in LEVELS[: LEVELS.index(level) + 1]]
    return Program(code=_LOOK, names=("sockets", "process", "sees", "environment"), check="\n".join(expected))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool:
    """An open sandbox."""

    def __init__(self, workers: list[Worker], limits: Limits) -> None:
        self.level, self._workers, self._limits = workers[0].level, workers, limits
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in workers:
            self._idle.put(worker)

    @property
    def processes(self) -> list[int]:
        """The servers' process ids."""
        return [worker.process for worker in self._workers]

    def run(self, program: Program, limits: Limits | None = None) -> Outcome:
        """One program, on the next idle worker. May be called from several threads."""
        worker = self._idle.get()
        try:
            return worker.examine(program, limits or self._limits)
        finally:
            self._idle.put(worker)

    def run_many(self, programs: Iterable[Program], limits: Limits | None = None) -> Iterator[Outcome]:
        """Outcomes in the order of the programs, which are taken from the iterable as workers become idle."""
        under_way: deque[Future[Outcome]] = deque()
        with ThreadPoolExecutor(len(self._workers)) as threads:
            try:
                for program in programs:
                    under_way.append(threads.submit(self.run, program, limits))
                    if len(under_way) >= _AHEAD * len(self._workers):
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()
