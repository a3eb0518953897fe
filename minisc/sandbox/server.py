"""The fork server: a warm interpreter that forks an examiner for every program and cleans up after it.

It is started by `worker.py` with a socket, is single-threaded (so forking is safe), never reads a program or a check (so that
nothing of them is in the memory that programs are copied from) and knows one number of each: how long it may take.
Modules that programs often import are loaded here, once: a program then finds them in a millisecond.

When an examiner has ended, or has been ended, every process that came from it is ended too: with namespaces the kernel does
it (the examiner is the first process of its PID namespace), below them the orphans come to us (we are their subreaper), and we end
them until there are none.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from minisc.sandbox import confine, examiner, linux, wire

_FRAME = 1 << 16
_GRACE_SECONDS = 2.0  # an examiner keeps its own time; this long after it, it is ended


def main() -> None:
    """Serve on the socket that is our standard input until it closes."""
    control = socket.socket(fileno=os.dup(0))
    settings = wire.loads(wire.receive(control, _FRAME))
    for name in settings["preload"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path.pop(0)  # where we ourselves are: loaded, and nothing for programs
    level, folder = settings["level"], settings["scratch"]

    def map_accounts() -> None:
        wire.send(control, wire.dumps({"map": os.getpid()}))
        wire.receive(control, _FRAME)

    try:
        own = confine.enter(level, folder, map_accounts)
    except OSError as error:
        wire.send(control, wire.dumps({"refused": f"{error.strerror or error}"}))
        return
    wire.send(control, wire.dumps({"ready": level}))
    gc.collect()
    gc.freeze()  # pages that children need not copy
    while True:
        try:
            order = wire.loads(wire.receive(control, _FRAME))
        except wire.Broken:
            return
        wire.send(control, wire.dumps({"over": _examine(control, level, folder, order, own)}))


def _examine(control: socket.socket, level: str, folder: str, order: Any, own: int) -> int:
    """Fork an examiner, which reads the rest of the order itself; its wait status."""
    child = _fork(own)
    if child == 0:
        try:
            examiner.examine(control, level, folder)
        finally:
            os._exit(1)  # examine() ends the process; to come here is a fault
    status = _wait(child, order["wall_seconds"] + _GRACE_SECONDS)
    if not confine.at_least(level, "namespaces"):
        _end_orphans()
    if level != "full":
        for left in Path(folder).iterdir():
            shutil.rmtree(left, ignore_errors=True)  # what is nested too deep stays until the pool is closed
    return status


def _fork(own: int) -> int:
    """A child; with namespaces, the first process of a PID namespace of its own."""
    if own < 0:
        return os.fork()
    linux.unshare(linux.NEW_PID)  # for the children to come, until taken back
    child = os.fork()
    if child:
        linux.setns(own, linux.NEW_PID)
    return child


def _wait(child: int, seconds: float) -> int:
    with contextlib.suppress(OSError, AttributeError):  # pidfd_open: Linux 5.3
        handle = os.pidfd_open(child)
        if not select.select([handle], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
        os.close(handle)
    return os.waitpid(child, 0)[1]


def _end_orphans() -> None:
    """End every descendant: kill our children, and those that come to us when their parents die, until there are none."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Processes whose parent we are, by /proc; none where there is no /proc."""
    with contextlib.suppress(OSError):  # one file, where the kernel keeps it (CONFIG_PROC_CHILDREN)
        return [int(number) for number in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()]
    found = []
    for name in os.listdir("/proc") if Path("/proc").exists() else ():  # noqa: PTH208 - thousands of names, many times
        with contextlib.suppress(OSError, ValueError, IndexError):
            if name.isdigit() and int(Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found
