"""One fork server as our process sees it: started at a level, given a program, restarted when it breaks.

The worker writes three frames a program: to the server how long it may take; to the examiner the order (the untrusted part)
and then, once the candidate has been forked, the check. Two frames come back: the examiner's outcome, and from the
server that all is over and cleaned up.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minisc.sandbox import wire
from minisc.sandbox.base import Limits, Outcome, Program
from minisc.sandbox.confine import account_map

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop()); from minisc.sandbox import server; server.main()"
_HOME = str(Path(__file__).parents[2])
_START_SECONDS = 30.0
_GRACE_SECONDS = 10.0  # beyond the program's wall clock; the server itself waits two
_FRAME = 1 << 26
_KEPT_VARIABLES = ("LD_LIBRARY_PATH",)  # some interpreters do not start without; programs never see it


class Refused(Exception):
    """This machine does not give this level; the text says which call failed."""


class Worker:
    """A server at a level. Raises `Refused` when the machine does not give it."""

    def __init__(self, level: str, preload: tuple[str, ...]) -> None:
        self.level, self._preload = level, preload
        self._folder = Path(tempfile.mkdtemp(prefix="minisc-sandbox-"))
        self._folder.chmod(0o711)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_START_SECONDS)
        environment = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment |= {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with theirs, (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-B", "-c", _BOOT, _HOME],
                stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=log, env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        scratch = self._folder / "scratch"
        scratch.mkdir(mode=0o711, exist_ok=True)
        self._send({"level": self.level, "scratch": str(scratch), "preload": list(self._preload)})
        try:
            said = self._receive()
            if "map" in said:
                _map_accounts(said["map"])
                self._send({"mapped": True})
                said = self._receive()
        except (wire.Broken, OSError) as error:
            raise Refused(f"{error}; {self._last_words()}") from error
        if "refused" in said:
            raise Refused(said["refused"])

    def examine(self, program: Program, limits: Limits) -> Outcome:
        """Run one program. Whatever breaks on the other side becomes an outcome; the next program gets a new server then."""
        self._control.settimeout(limits.wall_seconds + _GRACE_SECONDS)
        try:
            self._send({"wall_seconds": limits.wall_seconds})
            self._send({"code": program.code, "names": program.names, "stdin": program.stdin, "limits": asdict(limits)})
            self._send({"setup": program.setup, "check": program.check, "given": wire.pack(program.given, _refuse)})
            said = self._receive()
            if "over" not in said:
                self._receive()
                return Outcome(level=self.level, **said)
            trouble = f"its examiner ended with wait status {said['over']}"
        except (wire.Broken, OSError) as error:
            trouble = str(error)
        self._stop()
        self._start()
        return Outcome(status="crashed", seconds=limits.wall_seconds, level=self.level, detail=trouble)

    @property
    def process(self) -> int:
        return self._process.pid

    def close(self) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _stop(self) -> None:
        if hasattr(self, "_process"):
            self._control.close()  # the server ends at the end of its orders, and what it started with it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.5)
            self._process.kill()
            self._process.wait()

    def _send(self, value: Any) -> None:
        wire.send(self._control, wire.dumps(value))

    def _receive(self) -> Any:
        return wire.loads(wire.receive(self._control, _FRAME))

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _refuse(thing: object) -> int:
    raise TypeError(f"a check is given plain data, not {type(thing).__name__}")


def _map_accounts(process: int) -> None:
    """Write the account maps of a process that has just entered a user namespace; from outside, which alone may map several."""
    owner = os.geteuid() == 0
    home = Path(f"/proc/{process}")
    if not owner:
        (home / "setgroups").write_text("deny", encoding="ascii")
    (home / "uid_map").write_text(account_map(os.geteuid(), owner), encoding="ascii")
    (home / "gid_map").write_text(account_map(os.getegid(), owner), encoding="ascii")
