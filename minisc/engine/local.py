"""Parts on this machine: a pool of processes, one core each, bounded memory.

In: a function and items, both picklable. Out: results in the order of the items. At most twice as many items as workers are
under way, so memory does not grow with their number. A worker that dies (killed, out of memory) is replaced, and its item is
tried again: items are idempotent by design (a finished part is left alone); the third death in a row is an error that says so.
Workers are started fresh ("spawn"): forking a process that has threads, as Arrow and torch have, can hang.
With one worker everything runs in this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.step import Mapper
from minisc.engine.base import Engine

T = TypeVar("T")
R = TypeVar("R")
DEATHS = 3  # in a row, without a finished item between them


@dataclass(frozen=True, kw_only=True)
class Local(Engine):
    workers: int | None = free()  # None: all cores that this process may use

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UserError(
                "at least one worker is needed", where=f"engine.workers={self.workers}", do="engine.workers=1, or null for all cores"
            )

    @contextmanager
    def open(self) -> Iterator[Mapper]:
        pool = _Pool(self.workers or len(os.sched_getaffinity(0)))
        try:
            yield pool
        finally:
            pool.close()


class _Pool:
    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], items: Sequence[T], *, max_workers: int | None = None) -> Iterator[R]:
        workers = min(self._workers, max_workers or self._workers)
        if workers == 1 or len(items) <= 1:
            yield from map(function, items)
            return
        ahead = 2 * workers if workers == self._workers else workers  # a lower limit is kept by not asking for more
        waiting, running, deaths = deque(items), deque[tuple[T, Future[R]]](), 0
        while waiting or running:
            try:
                while waiting and len(running) < ahead:
                    running.append((waiting[0], self._pool().submit(function, waiting[0])))
                    waiting.popleft()
                result = running[0][1].result()
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == DEATHS:
                    raise UserError(
                        f"a worker process died {DEATHS} times in a row (killed, or out of memory)",
                        where=f"{function.__module__}.{function.__qualname__}", do="engine.workers=1 needs the least memory",
                    ) from error  # fmt: skip
                self.close()
                waiting.extendleft(item for item, _ in reversed(running))
                running.clear()
                continue
            running.popleft()
            deaths = 0
            yield result

    def _pool(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self._workers, multiprocessing.get_context("spawn"), initializer=_begin)
        return self._executor

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def _begin() -> None:
    """A worker is one core: libraries with thread pools of their own are told so. Ctrl-C is the parent's to handle."""
    import pyarrow

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pyarrow.set_cpu_count(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
