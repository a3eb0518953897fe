"""Several devices of one machine: this process is rank 0, the others are started here and do nothing but train.

In: the settings of a training and the job. Out: what `loop.run` gives on rank 0. The others are fresh processes ("spawn") that get
the same two objects and say nothing; the tokens are mapped from the same files, so nothing large travels.
Guarantees: the ranks end together. One that dies takes the run down with an error (the checkpoint stays); when this process is gone,
however it went, the others end too.
Not for: several machines (`trainer=ray` starts ranks there), nor for weights that do not fit one device.
Rejected: Lightning's own launchers. "ddp" runs the whole command line again a rank; "ddp_spawn" makes this process wait outside, so that
bar, curve and signals are a child's.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import torch
from torch import nn

from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.silence import Silence
from minisc.trainer import loop
from minisc.trainer.loop import Job
from minisc.trainer.seat import Seat, free_port

if TYPE_CHECKING:
    from minisc.trainer.fit import Fit

GRACE = 15.0  # seconds for rank 0 to meet the error that a dead rank leaves in the next sum over all (NCCL waits for minutes)


def run(fit: Fit, job: Job) -> tuple[nn.Module, Figures]:
    """`loop.run` on `fit.devices` devices of this machine. Raises UserError when one of the ranks dies."""
    port = free_port()
    seats = [Seat(rank=rank, ranks=fit.devices, here=fit.devices, port=port) for rank in range(fit.devices)]
    quiet = replace(job, speak=Silence(), event_dir=None, looker=None)
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_follow, args=(fit, quiet, seat), name=f"rank {seat.rank}") for seat in seats[1:]]
    with _threads(fit.devices), _company(others) as dead:
        try:
            return loop.run(fit, job, seats[0])
        except BaseException as error:
            met = isinstance(error, RuntimeError)  # what a sum over all says of a lost rank
            if not dead.wait(GRACE if met else 0.0):
                raise
            raise lost(fit.devices) from error


def lost(ranks: int) -> UserError:
    return UserError(
        f"one of the {ranks} ranks of this training died (killed, or out of memory)", where=f"trainer.devices={ranks}",
        do="the same line goes on from the last checkpoint; trainer.micro_batch=1 needs the least memory",
    )  # fmt: skip


@contextlib.contextmanager
def _threads(ranks: int) -> Iterator[None]:
    """The cores divided among the ranks; several that each take all of them would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // ranks))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _company(others: Sequence[BaseProcess]) -> Iterator[threading.Event]:
    """The other ranks while the block runs. The event is set when one has died; rank 0 is told to end, should it not notice."""
    dead, over = threading.Event(), threading.Event()

    def mind() -> None:
        running = {process.sentinel: process for process in others}
        while running and not over.is_set():
            ended = [running.pop(int(str(sentinel))) for sentinel in wait(list(running), timeout=0.2)]
            for process in ended:
                process.join()  # its end is told before its exit status
            if any(process.exitcode for process in ended) and not over.is_set():
                dead.set()
                if not over.wait(GRACE):
                    os.kill(os.getpid(), signal.SIGTERM)
                return

    try:
        for process in others:
            process.start()
        threading.Thread(target=mind, name="ranks", daemon=True).start()
        yield dead
        for process in others:  # they save nothing, so they end when rank 0 does
            process.join(GRACE)
    finally:
        over.set()
        for process in others:
            if process.pid is not None:
                process.kill()
                process.join()


def _follow(fit: Fit, job: Job, seat: Seat) -> None:
    """The life of a rank other than 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; rank 0 decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _threads(seat.ranks):
        loop.run(fit, job, seat)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
