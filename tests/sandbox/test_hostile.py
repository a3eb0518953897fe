"""Programs that mean harm: none passes, none hangs, none gets out, none leaves anything behind. At every level that the machine gives.

Each program has to define `add`; the check asks for 2 + 2. Processes are bounded by RLIMIT_NPROC and by the PID namespace,
memory and files by their limits: the bombs are duds by construction, and `test_isolated.py` measures the limits with
harmless programs first.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from minisc.sandbox.base import LEVELS, Limits, Outcome, Program
from minisc.sandbox.isolated import Pool
from tests.sandbox.conftest import given, limits

CHECK = "assert add(2, 2) == 4"
SOON = limits(wall_seconds=0.5)


def judged(pool: Pool, code: str, within: Limits | None = None, check: str = CHECK) -> Outcome:
    return pool.run(Program(code=code, names=("add",), check=check), within)


FORGERIES = {
    "ends itself": ("import os\nos._exit(0)", "exited"),
    "ends itself when asked": ("import os\ndef add(a, b): os._exit(0)", "exited"),
    "exits": ("import sys\nsys.exit(0)", "exited"),
    "exits when asked": ("def add(a, b): raise SystemExit(0)", "exited"),
    "interrupts": ("def add(a, b): raise KeyboardInterrupt", "failed"),
    "equals everything": ("class Yes:\n __eq__ = lambda *a: True\n __bool__ = __eq__\ndef add(a, b): return Yes()", "failed"),
    "a number that equals everything": (
        "class Yes(int):\n __eq__ = lambda *a: True\n __hash__ = int.__hash__\ndef add(a, b): return Yes(5)",
        "failed",
    ),
    "a list that equals everything": ("class Yes(list):\n __eq__ = lambda *a: True\ndef add(a, b): return Yes()", "failed"),
    "lies about its class": ("class Lie:\n __class__ = property(lambda self: dict)\ndef add(a, b): return Lie()", "failed"),
    "replaces the exception": ("import builtins\nbuiltins.AssertionError = builtins.bool = Warning\ndef add(a, b): return 5", "failed"),
    "ends the loop": ("def add(a, b): raise StopIteration", "failed"),
    "closes everything": ("import os\nos.closerange(0, 99)\ndef add(a, b): return 4", "exited"),
    "claims success on every file": (
        "import os, json\nfor handle in range(64):\n for claim in ({'value': 4}, {'status': 'passed'}, {'over': 0}):\n"
        "  text = json.dumps(claim).encode()\n  try: os.write(handle, len(text).to_bytes(4, 'big') + text)\n  except OSError: pass\n",
        "failed",
    ),
    "has no such function": ("x = 4", "failed"),
    "does not parse": ("def add(a, b) return 4", "failed"),
    "holds NUL": ("def add(a, b): return 4\n\0", "failed"),
    "holds a lone surrogate": ("def add(a, b): return '\ud800'\n", "failed"),
    "answers too much": ("def add(a, b): return 'x' * 5_000_000", "failed"),
    "answers too deep": ("def add(a, b):\n x = []\n for _ in range(100_000): x = [x]\n return x", "failed"),
    "answers itself": ("def add(a, b):\n x = []\n x.append(x)\n return x", "failed"),
    "raises an exception that cannot be shown": ("class E(Exception):\n def __str__(self): raise self\ndef add(a, b): raise E", "failed"),
}


@pytest.mark.parametrize("code,status", FORGERIES.values(), ids=FORGERIES.keys())
def test_success_cannot_be_claimed(pool: Pool, code: str, status: str) -> None:
    outcome = judged(pool, code)
    assert outcome.status == status, outcome


def test_an_exception_cannot_end_the_checks_own_loop(pool: Pool) -> None:
    outcome = judged(pool, "def add(a, b): raise StopIteration", check="assert all(map(lambda x: add(x, x) == 2 * x, range(9)))")
    assert outcome.status == "failed" and "StopIteration" in outcome.detail, outcome


def test_the_expected_answer_is_in_no_memory_of_the_program(pool: Pool) -> None:
    code = """
import gc, sys
def add(a, b):
    frame, seen = sys._getframe(), []
    while frame:
        seen += [repr(frame.f_locals), repr(frame.f_globals)]
        frame = frame.f_back
    return "".join(["the ", "wanted", " word"]) in "".join(seen) + repr(gc.get_objects())
"""
    outcome = judged(pool, code, check="assert add(2, 2) is False, add(2, 2)  # the wanted word")
    assert outcome.passed, outcome


def test_the_token_only_buys_another_wrong_answer(pool: Pool) -> None:
    code = """
import json, os, sys
def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back
token = next(frame.f_locals["token"] for frame in frames() if "token" in frame.f_locals)
for claim in ({"value": None}, {"value": "passed"}, {"status": "passed"}):
    text = token + json.dumps(claim).encode()
    os.write(3, len(text).to_bytes(4, "big") + text)
def add(a, b): return 5
"""
    outcome = judged(pool, code)
    assert outcome.status == "failed", outcome


HANGS = {
    "loops": "while True: pass",
    "loops when asked": "def add(a, b):\n while True: pass",
    "sleeps": "import time\ntime.sleep(60)",
    "ignores signals": "import signal\nfor number in set(signal.Signals) - {9, 19}:\n signal.signal(number, signal.SIG_IGN)\nwhile True: pass",
    "stops": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "huge integers": "x = 9 ** 9 ** 9",
    "waits for input": "import threading\nthreading.Event().wait()",
    "an endless answer": "import itertools\ndef add(a, b): return itertools.count()",
    "regular expression": "import re\nre.match('(a+)+b', 'a' * 64)",
}


@pytest.mark.parametrize("code", HANGS.values(), ids=HANGS.keys())
def test_time_ends(pools: dict[str, Pool], code: str) -> None:
    pool = next(pools[level] for level in reversed(LEVELS) if isinstance(pools[level], Pool))
    began = time.monotonic()
    outcome = judged(pool, code, SOON, check="assert list(add(2, 2)) == 4")
    assert outcome.status in ("timeout", "memory"), outcome
    assert time.monotonic() - began < 5


def test_cpu_ends_before_the_clock(pool: Pool) -> None:
    outcome = judged(pool, "while True: pass", limits(cpu_seconds=1, wall_seconds=30.0))
    assert outcome.status == "timeout" and "CPU" in outcome.detail, outcome


BOMBS = {
    "memory at once": ("x = bytearray(1 << 40)", {"memory"}),
    "memory bit by bit": ("x = []\nwhile True: x.append(bytearray(1 << 24))", {"memory"}),
    "output": ("while True: print('x' * 4096)", {"output"}),
    "errors": ("import os\nwhile True: os.write(2, b'x' * 4096)", {"output"}),
    "recursion": ("import sys\nsys.setrecursionlimit(10 ** 9)\nf = lambda _: list(map(f, [0]))\nf(0)", {"crashed"}),
    "a wild pointer": ("import ctypes\nctypes.string_at(0)", {"crashed"}),
    "files": ("x = [open('/dev/null') for _ in range(99)]", {"failed"}),
    "a large file": ("open('f', 'wb').write(bytes(4 << 20))", {"failed"}),
    "processes": ("import os\nwhile True:\n try: os.fork()\n except OSError: pass", {"timeout"}),
    "threads": ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()", {"failed"}),
}


@pytest.mark.parametrize("code,statuses", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_duds(pool: Pool, code: str, statuses: set[str]) -> None:
    outcome = judged(pool, code, SOON if "fork" in code else None)
    assert outcome.status in statuses, outcome
    assert len(outcome.output) <= 1 << 16
    assert left_behind(pool) == []


def left_behind(pool: Pool) -> list[str]:
    """Processes that come from the pool's server and are not the server itself (twice, with namespaces)."""
    family = {pool.processes[0]}
    found: list[str] = []
    for _ in range(8):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                number, rest = int(stat.parent.name), stat.read_text(errors="replace").rpartition(")")[2].split()
            except (OSError, IndexError):
                continue
            if int(rest[1]) in family and number not in family:
                family.add(number)
                found.append(f"{number} {rest[0]}")
    return found[1:] if pool.level in ("namespaces", "full") else found


DAEMONS = {
    "forks": "import os, time\nif os.fork() == 0: time.sleep(60)",
    "forks twice": "import os, time\nif os.fork() == 0:\n if os.fork() == 0: time.sleep(60)\n os._exit(0)",
    "a session of its own": (
        "import os, signal, time\nif os.fork() == 0:\n try: os.setsid()\n except OSError: pass\n"
        " for number in (1, 2, 13, 15): signal.signal(number, signal.SIG_IGN)\n if os.fork() == 0: time.sleep(60)\n os._exit(0)"
    ),
}


@pytest.mark.parametrize("code", DAEMONS.values(), ids=DAEMONS.keys())
def test_nobody_stays(pool: Pool, code: str) -> None:
    outcome = judged(pool, code + "\ndef add(a, b): return a + b\n")
    assert outcome.passed, outcome
    assert left_behind(pool) == []


TRIES = {  # what is tried -> from which level on it fails
    "import socket\nsocket.socket()": "filtered",
    "import socket\nsocket.socket(socket.AF_UNIX)": "filtered",
    "import os\nos.kill(os.getppid(), 9)": "filtered",
    "import os\nos.kill(-1, 9)": "filtered",
    "import os\nos.kill(1, 9)": "filtered",
    "import os\nos.killpg(0, 9)": "filtered",
    "import os\nos.setsid()": "filtered",
    "import resource, os\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))": "filtered",
    "call('unshare', 0x10000000)": "filtered",
    "call('ptrace', 16, os.getppid(), 0, 0)": "filtered",
    "call('shmget', 0, 1 << 20, 0o1600)": "filtered",
    "call('mount', b'none', b'/', b'tmpfs', 0, 0)": "rlimits",
    "call('process_vm_readv', os.getppid(), b' ' * 16, 1, b' ' * 16, 1, 0)": "rlimits",
    "open(f'/proc/{os.getppid()}/mem')": "rlimits",
    "open(f'/proc/{os.getppid()}/environ').read()": "rlimits",
    "os.listdir('/root')": "rlimits",
    "open('/written', 'w')": "rlimits",
    "open('/dev/shm/written', 'w')": "full",
    "open('/etc/passwd')": "full",
    "os.listdir('/proc')": "full",
    "os.listdir('/home')": "full",
    "import tempfile\ntempfile.TemporaryFile(dir='/tmp')": "full",
}
_PRELUDE = """
import ctypes, os
def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
def add(a, b):
    try:
        exec(TRIED)
    except OSError:
        return a + b
    return "done"
"""


@pytest.mark.parametrize("tried", TRIES)
def test_what_is_not_ours_cannot_be_touched(pools: dict[str, Pool], tried: str) -> None:
    for level in LEVELS[LEVELS.index(TRIES[tried]) :]:
        if tried == "os.listdir('/root')" and level == "full":
            continue  # may be there, as a folder on the way to the interpreter, and then shows nothing else
        outcome = judged(given(pools, level), f"TRIED = {tried!r}\n{_PRELUDE}")
        assert outcome.passed, (level, outcome)


def test_a_program_cannot_meet_the_one_before_it(pools: dict[str, Pool]) -> None:
    pool = given(pools, "full")
    first = judged(pool, "import os\nopen('left', 'w').write('x')\ndef add(a, b): return 4")
    again = judged(pool, "import os\ndef add(a, b): return (os.getcwd(), os.listdir('.'))", check="assert add(2, 2) == ('/scratch', [])")
    assert first.passed and again.passed, (first, again)


def test_what_a_program_writes_goes_with_it(pool: Pool) -> None:
    assert judged(pool, "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\ndef add(a, b): return 4").passed
    assert [left for worker in pool._workers for left in (worker._folder / "scratch").iterdir()] == []


def test_the_disk_has_an_end(pools: dict[str, Pool]) -> None:
    code = "def add(a, b):\n for n in range(99): open(str(n), 'wb').write(bytes(1 << 19))"
    outcome = judged(given(pools, "full"), code)
    assert outcome.status == "failed" and "No space left" in outcome.detail, outcome
    code = "def add(a, b):\n for n in range(9999): open(str(n), 'wb')"
    assert "No space left" in judged(given(pools, "full"), code).detail


def test_a_killed_judge_passes_nobody_and_the_next_program_finds_a_new_one(pools: dict[str, Pool]) -> None:
    """At `rlimits` an account's processes can hit each other, where we are not root: what matters is that it gains nothing."""
    pool = given(pools, "rlimits")
    outcome = judged(pool, "import os\nos.kill(os.getppid(), 9)\ndef add(a, b): return 5")
    assert not outcome.passed, outcome
    assert judged(pool, "def add(a, b): return a + b").passed
