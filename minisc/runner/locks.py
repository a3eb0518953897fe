"""One writer an artifact: among the processes of a machine, and among machines where the store is on another file system.

In: the folder of an artifact that is to be made. Out: a block in which nobody else makes it; who waits is told for whom.

    on a machine      the kernel's lock on `.lock`: a dead owner holds nothing
    among machines    a lease, the small file `.lease` beside the artifact: who it is, and a count that goes up every `beat` seconds. One whose
                      count stands still for `dead` seconds is nobody's any more (by the watch of who waits: clocks of machines are not
                      compared), at once where its owner was a process of this machine that is gone

pyarrow has no "write if nobody has", so a lease is written, and read again after `settle` seconds: who wrote last has it. Two runs that begin
at once over a store slower than that could both work. Then one may find its scratch gone, and says so; the same line goes on. No bytes
are wrong, since what two runs write under one fingerprint is the same (of models: on machines that are alike).
Price among machines: four requests and `settle` seconds an artifact, two requests every `beat` seconds.
Rejected: a scratch for each run (what one machine left could not be taken up on another); S3's conditional writes, which Arrow does not pass on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from minisc.core import durable, mirror
from minisc.core.errors import UserError
from minisc.core.step import Speaker

LOCK, LEASE = ".lock", ".lease"
BEAT, DEAD, SETTLE = 10.0, 60.0, 1.0  # seconds; a lease outlives five beats that got lost


@contextmanager
def one_writer(path: Path, label: str, speak: Speaker) -> Iterator[None]:
    """Nobody else makes the artifact at `path` until the block ends. Waits as long as another does."""
    with ExitStack() as held:
        held.enter_context(_locked(path, label, speak))
        if mirror.is_mirror(path):
            held.enter_context(leased(path, label, speak))
        yield


def _me() -> str:
    return f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}"


def _waiting(label: str, owner: str) -> str:
    return f"{label}: {owner or 'another run'} is making this artifact; waiting for it"


@contextmanager
def _locked(path: Path, label: str, speak: Speaker) -> Iterator[None]:
    with (path / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            speak.line(_waiting(label, file.read().strip()))
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            speak.warn(f"{label}: this file system has no locks; see that no other run makes the same artifact")
        file.truncate(0)
        file.write(_me())
        file.flush()
        yield


@contextmanager
def leased(path: Path, label: str, speak: Speaker, beat: float = BEAT, dead: float = DEAD, settle: float = SETTLE) -> Iterator[None]:
    """The lease of an artifact among machines; see the module."""
    mine = {"owner": _me(), "machine": _machine(), "process": os.getpid(), "token": uuid.uuid4().hex}
    while True:
        _await(path / LEASE, label, speak, beat, dead)
        durable.write_json(path / LEASE, {**mine, "beat": 0})
        time.sleep(settle)
        if _read(path / LEASE).get("token") == mine["token"]:
            break
    over = threading.Event()
    thread = threading.Thread(target=_beating, args=(path / LEASE, mine, over, beat), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(UserError, OSError):  # no way to the store: the lease ends by itself
            if _read(path / LEASE).get("token") == mine["token"]:
                mirror.remove(path / LEASE)


def _await(lease: Path, label: str, speak: Speaker, beat: float, dead: float) -> None:
    """Until there is no lease, or one that nobody keeps any more."""
    seen: dict[str, Any] = {}
    since = time.monotonic()
    while (told := _read(lease)) and not _is_gone(told):
        if told != seen:
            if told.get("token") != seen.get("token"):
                speak.line(_waiting(label, str(told.get("owner", ""))))
            seen, since = told, time.monotonic()
        elif time.monotonic() - since > dead:
            speak.line(f"{label}: nothing is heard of {told.get('owner', 'the other run')} any more; going on where it stopped")
            return
        time.sleep(min(beat / 2, 5.0))


def _beating(lease: Path, mine: dict[str, Any], over: threading.Event, beat: float) -> None:
    count = 0
    while not over.wait(beat):
        with contextlib.suppress(UserError, OSError):  # a beat that is lost; the work itself will say what is wrong
            if _read(lease).get("token") != mine["token"]:
                return  # we were not heard of for so long that another has taken over
            count += 1
            durable.write_json(lease, {**mine, "beat": count})


def _read(lease: Path) -> dict[str, Any]:
    """What the lease says; nothing where there is none, or one that is no lease."""
    try:
        told = json.loads(mirror.read(lease) or b"{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _is_gone(told: dict[str, Any]) -> bool:
    """Whether the owner was a process of this very machine, and is no more."""
    process = told.get("process")
    if not told.get("machine") or told["machine"] != _machine() or not isinstance(process, int):
        return False
    return process != os.getpid() and not Path(f"/proc/{process}").exists()


def _machine() -> str:
    """This boot of this machine, and the processes that one sees from here (a container has its own); "" where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
