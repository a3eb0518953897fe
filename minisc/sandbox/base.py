"""The words of the sandbox: what is run, within which limits, and what came out.

LEVELS, each including those before it:

    rlimits      a process and session of its own, limits, no inherited environment, no open files but its own, no new
                 privileges; where we are root, an account that owns nothing
    filtered     a system call filter: no sockets, no signals to others, no tracing, no namespaces, no System V memory
    namespaces   own user, process, network, IPC and host-name namespaces: no network, nobody else to be seen or hit
    full         a root of its own: the interpreter, read-only, and an empty scratch folder in memory; nothing else exists
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minisc.core.errors import UserError

LEVELS = ("rlimits", "filtered", "namespaces", "full")

PASSED = "passed"
STATUSES = (
    PASSED,
    "failed",  # a wrong answer, or an exception
    "exited",  # ended itself before it was asked, or instead of answering
    "timeout",  # wall clock or CPU
    "memory",  # MemoryError at the limit
    "output",  # wrote more than it may
    "crashed",  # killed by a signal
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use. Seconds and bytes; memory is address space, a process; a process is also a thread."""

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    processes: int  # beside the program itself
    open_files: int
    file_bytes: int  # size of one file
    scratch_bytes: int  # all files together; binds at level `full`
    output_bytes: int  # stdout and stderr together
    answer_bytes: int  # one answer to the examiner

    def __post_init__(self) -> None:
        least = {"wall_seconds": 0.01, "cpu_seconds": 1, "memory_bytes": 64 << 20, "processes": 0, "open_files": 8, "answer_bytes": 1024}
        for name in self.__dataclass_fields__:
            value, bound = getattr(self, name), least.get(name, 0)
            if value < bound:
                raise UserError(
                    f"a sandbox needs {name} of at least {bound:g}", where=f"limits.{name}={value}", do=f"limits.{name}={bound:g}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program and its examination.

    `code` is untrusted. `names` are those of its globals that the check may use, and it finds them as callables. `setup` is
    trusted and run by the examiner first, with globals of its own (reference solutions, helpers of the prompt); `check` is
    trusted and run next: it sees what `setup` defined, then `names`, which win, and `given`, a copy of that field (plain data). It passes
    by coming to its end. Without a check the program is run as `__main__`, and passes by coming to its own end.
    """

    code: str
    names: tuple[str, ...] = ()
    setup: str = ""
    check: str = ""
    given: Any = None
    stdin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one program. `detail` is the exception's last line, or the signal; `output` is cut at the limit."""

    status: str
    seconds: float
    level: str
    detail: str = ""
    output: str = ""

    @property
    def passed(self) -> bool:
        return self.status == PASSED
