"""Ctrl-C and SIGTERM: a clean word and the exit status that shells expect, at any moment.

Both signals raise `Stopped` in the main thread, which unwinds as an error does: bars are taken down, locks fall, half-written files are
removed. It is no `Exception` and no `KeyboardInterrupt`, so that libraries that treat those (Lightning ends the process with status 1)
pass it on. A second signal ends the process at once.
Python runs a handler between two of its own instructions, so a long call into native code (a tokenizer in training) would sit it out:
a thread that the kernel's handler wakes ends the process `GRACE` seconds later, with the same word. That is a kill -9, and every step
survives one. What is raised inside a weak reference's callback or a `__del__` Python drops, and libraries drop some too (seen once in 20
to 60 signals while OmegaConf copied and wrote settings): so a signal is remembered, and raised again between the steps.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from types import FrameType

GRACE = 10.0  # seconds
GOES_ON = "the same line goes on where it stopped"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Somebody wants us to end. `status` is the process's exit status: 130 for Ctrl-C, 143 for SIGTERM."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        self.word = "interrupted" if number == signal.SIGINT else "asked to end"


_asked: list[int] = []  # signals that came; what was raised for them may have been dropped on the way


def still_wanted() -> None:
    """Raise `Stopped` again where a signal came and nobody let it through."""
    if _asked:
        raise Stopped(_asked[0])


def mind_signals() -> None:
    """From here on, and again after a library has put handlers of its own: raise `Stopped`."""
    still_wanted()
    for number in _SIGNALS:
        signal.signal(number, _stop)


def _dropped(told: sys.UnraisableHookArgs) -> None:
    """What Python prints of an error that it drops; a `Stopped` among them is raised again, and no news to anybody."""
    if not isinstance(told.exc_value, Stopped):
        sys.__unraisablehook__(told)


def watch() -> None:
    """Start the thread that ends the process when `Stopped` does not."""
    sys.unraisablehook = _dropped
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(end is ours)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_after, args=(ours, theirs), name="stopping", daemon=True).start()


def _end_after(ours: socket.socket, theirs: socket.socket) -> None:
    """`theirs` is kept open here: the kernel's handler writes into it."""
    with contextlib.suppress(OSError):
        while (number := ours.recv(1)) and number[0] not in _SIGNALS:
            pass
        if number:
            threading.Event().wait(GRACE)
            end_children()
            stopped = Stopped(number[0])
            os.write(2, f"{stopped.word}; {GOES_ON}\n".encode())
            os._exit(stopped.status)
    theirs.close()


def _stop(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_DFL)
    raise Stopped(number)


def behind(error: BaseException | None) -> Stopped | None:
    """The `Stopped` that a library met while it cleaned up, and told as an error of its own."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__cause__ or error.__context__
    return error


def end_children() -> None:
    """Workers that would finish their part first are told to go; what they wrote half is swept by the next run."""
    for child in multiprocessing.active_children():
        child.terminate()
