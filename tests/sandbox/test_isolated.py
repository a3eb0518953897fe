"""The sandbox keeps its word to honest programs: outcomes, order, limits as stated, levels, restarts."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.sandbox import isolated
from minisc.sandbox.base import LEVELS, Program
from minisc.sandbox.isolated import Pool
from minisc.sandbox.worker import Refused
from tests.sandbox.conftest import given, limits, sandbox

ADD = "def add(a, b):\n    print('adding')\n    return a + b\n"


def add(check: str, **more: Any) -> Program:
    return Program(code=ADD, names=("add",), check=check, **more)


def test_a_right_program_passes_and_says_what_it_wrote(pool: Pool) -> None:
    outcome = pool.run(add("assert add(2, 2) == 4"))
    assert (outcome.status, outcome.passed, outcome.output, outcome.detail, outcome.level) == ("passed", True, "adding\n", "", pool.level)
    assert 0 < outcome.seconds < 5


@pytest.mark.parametrize(
    "code,check,status,detail",
    [
        (ADD, "assert add(2, 2) == 5", "failed", "AssertionError"),
        ("def add(a, b): return a / 0", "add(1, 1)", "failed", "ZeroDivisionError: division by zero"),
        ("import nowhere", "", "failed", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def add(:", "", "failed", "SyntaxError"),
        ("def add(a, b): return a", "assert add((1, {2: {3}}), 0) == (1, {2: {3}})", "passed", ""),
        ("def add(a, b): raise KeyError(a)", "try:\n    add(1, 2)\nexcept LookupError:\n    pass", "passed", ""),
        ("class P:\n    def __init__(self, x): self.x = x\ndef add(a, b): return a.x + b.x", "", "passed", ""),
        ("import sys\nassert sys.stdin.read() == ''\nimport numpy", "", "passed", ""),
    ],
)
def test_outcomes(pools: dict[str, Pool], code: str, check: str, status: str, detail: str) -> None:
    outcome = given(pools, "full").run(Program(code=code, names=("add",), check=check))
    assert outcome.status == status and detail in outcome.detail, outcome


def test_objects_of_the_programs_are_handled_at_a_distance(pool: Pool) -> None:
    code = "class P:\n    def __init__(self, x): self.x = x\n    def twice(self): return P(2 * self.x)\n    def __len__(self): return 3\n    def __getitem__(self, k): return k\n    def __str__(self): return 'P'\ndef total(items): return sum(item.x for item in items)\n"
    check = """
first = P(1)
first.x = 5
assert total([first, P(2), first.twice()]) == 17
assert (len(first), first[7], str(first), bool(first)) == (3, 7, 'P', True)
assert first == first and first != P(5) and first.x == 5
assert not hasattr(first, 'y')
"""
    outcome = pool.run(Program(code=code, names=("P", "total"), check=check))
    assert outcome.passed, outcome


def test_setup_and_given_belong_to_the_check_alone(pool: Pool) -> None:
    code = "def add(a, b): return a + b\ndef right(x): return None\n"
    program = Program(code=code, names=("add",), setup="def add(a, b): return b + a\ndef right(x): return add(x, x)", check="assert [add(x, x) for x in given] == [right(x) for x in given]", given=[1, (2,)])  # fmt: skip
    assert pool.run(program).passed


def test_without_a_check_a_program_is_a_script(pool: Pool) -> None:
    outcome = pool.run(Program(code="if __name__ == '__main__':\n    print(input() * 2)", stdin="ab\n"))
    assert (outcome.status, outcome.output) == ("passed", "abab\n")
    assert pool.run(Program(code="raise SystemExit(0)")).status == "exited"


def test_many_come_back_in_order_and_a_slow_one_delays_nobody() -> None:
    programs = [Program(code=f"import time\ntime.sleep({0.2 if n == 3 else 0})\nprint({n})") for n in range(40)]
    with sandbox("rlimits", at_most="full", workers=2).open() as pool:
        assert [outcome.output for outcome in pool.run_many(programs)] == [f"{n}\n" for n in range(40)]
        taken = pool.run_many(iter(programs))
        assert next(taken).output == "0\n"
        taken.close()  # the rest is not run, and the pool is of use again
        assert pool.run(programs[1]).output == "1\n"


def test_the_same_program_gives_the_same_output() -> None:
    code = "import random\nprint(random.random(), {chr(97 + n) for n in range(20)}, hash('x'))"
    seen = set()
    for _ in range(2):
        with sandbox("rlimits", at_most="full").open() as pool:
            seen |= {pool.run(Program(code=code)).output for _ in range(2)}
    assert len(seen) == 1


LIMITED = {
    "processes": (
        "import os, time\ndef count():\n    n = 0\n    try:\n        while n < 9:\n            if os.fork() == 0:\n                time.sleep(9)\n            n += 1\n"
        "    except OSError: pass\n    return n\n",
        "assert count() <= 4",
    ),
    "memory": ("def count():\n    try: return len(bytearray(1 << 28))\n    except MemoryError: return 0\n", "assert count() == 0"),
    "one file": ("def count():\n    try: return open('f', 'wb').write(bytes(2 << 20))\n    except OSError as error: return error.strerror\n", "assert count() == 'File too large'"),
    "open files": ("import os\ndef count():\n    n = 0\n    try:\n        while n < 99: n += bool(os.dup(0) + 1)\n    except OSError: pass\n    return n\n", "assert 50 < count() < 64"),
    "files from outside": ("import os\ndef count():\n    def there(n):\n        try: return bool(os.fstat(n))\n        except OSError: return False\n    return [n for n in range(256) if there(n)]\n", "assert count() == [0, 1, 2, 3]"),
    "variables": ("import os\ndef count(): return sorted(os.environ)", "assert count() == ['HOME', 'LANG', 'PATH', 'TMPDIR']"),
    "the folder": ("import os\ndef count(): return os.listdir('.')", "assert count() == []"),
    "privileges": ("import os\ndef count(): return 0 in (os.getuid(), os.geteuid(), os.getgid(), *os.getgroups())", "assert count() is False"),
}  # fmt: skip


@pytest.mark.parametrize("code,check", LIMITED.values(), ids=LIMITED.keys())
def test_limits_hold(pool: Pool, code: str, check: str) -> None:
    outcome = pool.run(Program(code=code, names=("count",), check=check))
    assert outcome.passed, outcome


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's limit counts all of the user's processes")
def test_exactly_so_many_processes(pool: Pool) -> None:
    """Where programs run as an account of no one's, tests beside this one may have some of its processes for a moment."""
    code, _ = LIMITED["processes"]
    program = Program(code=code, names=("count",), check="assert count() == 4")
    for _ in range(20):
        outcome = pool.run(program)
        if outcome.passed:
            break
        time.sleep(0.5)
    assert outcome.passed, outcome


def test_limits_can_be_other_ones_for_one_program(pool: Pool) -> None:
    began = time.monotonic()
    assert pool.run(Program(code="import time; time.sleep(9)"), limits(wall_seconds=0.2)).status == "timeout"
    assert time.monotonic() - began < 3


def test_a_dead_server_is_replaced() -> None:
    with sandbox("rlimits", at_most="full").open() as pool:
        os.kill(pool.processes[0], 9)
        lost = pool.run(add("assert add(2, 2) == 4"))
        assert lost.status == "crashed"
        assert pool.run(add("assert add(2, 2) == 4")).passed


def test_leaving_ends_the_servers_and_removes_their_folders() -> None:
    with sandbox("rlimits", at_most="full", workers=2).open() as pool:
        processes, folders = pool.processes, [worker._folder for worker in pool._workers]
        assert all(folder.exists() for folder in folders)
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not any(folder.exists() for folder in folders)


def test_a_level_that_cannot_be_had_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(level: str, preload: tuple[str, ...]) -> None:
        raise Refused("unshare: Operation not permitted")

    monkeypatch.setattr(isolated, "Worker", refused)
    with pytest.raises(UserError, match="no sandbox of level 'namespaces'") as error, sandbox("namespaces", at_most="full").open():
        pass
    assert "full: unshare: Operation not permitted; namespaces: unshare" in error.value.what
    assert error.value.where == "sandbox.require=namespaces"


def test_the_next_lower_level_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = isolated.Worker

    def some(level: str, preload: tuple[str, ...]) -> Any:
        if level == "full":
            raise Refused("pivot_root: Operation not permitted")
        return real(level, preload)

    monkeypatch.setattr(isolated, "Worker", some)
    with sandbox("rlimits", at_most="full").open() as pool:
        assert pool.level in LEVELS[:3] and pool.run(add("assert add(2, 2) == 4")).level == pool.level


def test_a_level_that_does_not_hold_what_it_says_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that looks around finds sockets: the filter is not there, whatever the server says."""
    monkeypatch.setitem(isolated._SEEN, "filtered", "assert sockets() == 'this cannot be'")
    with pytest.raises(UserError, match="filtered: failed, AssertionError"), sandbox("filtered", at_most="full").open():
        pass


@pytest.mark.parametrize(
    "changes,where",
    [
        ({"require": "container"}, "sandbox.require=container"),
        ({"require": "full", "at_most": "rlimits"}, "sandbox.require=full"),
        ({"workers": 0}, "sandbox.workers=0"),
    ],
)
def test_bad_settings(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as error:
        sandbox("full", **changes)
    assert error.value.where == where


@pytest.mark.parametrize("name,value", [("wall_seconds", 0), ("memory_bytes", 1000), ("processes", -1), ("open_files", 2)])
def test_bad_limits(name: str, value: float) -> None:
    with pytest.raises(UserError) as error:
        limits(**{name: value})
    assert error.value.where == f"limits.{name}={value}"


def test_settings_cost_nothing_until_opened() -> None:
    assert sandbox("full") == sandbox("full") and sandbox("full").identity().keys() == {"python"}
