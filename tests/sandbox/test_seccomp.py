"""The filter as a program, run by an interpreter of our own: what it answers to system calls on both machines."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from minisc.sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def denied(code: int) -> int:
    return 0x00050000 | code


def answer(machine: str, number: int, first: int = 0, arch: int | None = None, process: int = 77) -> int:
    """Classic BPF: load word, jumps, return (Linux, Documentation/networking/filter.rst)."""
    data = {0: number, 4: MACHINES[machine] if arch is None else arch, 16: first & 0xFFFFFFFF}
    listed, at, held = seccomp.rules(machine, process), 0, 0
    while True:
        code, yes, no, value = listed[at]
        at += 1
        if code == 0x20:
            held = data[value]
        elif code == 0x06:
            return value
        else:
            true = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += yes if true else no


CALLS = {  # name: (x86_64, aarch64)
    "read": (0, 63), "openat": (257, 56), "mmap": (9, 222), "exit_group": (231, 94), "socketpair": (53, 199), "execve": (59, 221),
}  # fmt: skip


@pytest.mark.parametrize("column,machine", list(enumerate(MACHINES)))
def test_what_is_allowed_and_what_is_not(column: int, machine: str) -> None:
    for numbers in CALLS.values():
        assert answer(machine, numbers[column]) == ALLOW
    for name, numbers in seccomp._DENIED.items():
        assert answer(machine, numbers[column]) == denied(errno.EPERM), name


@pytest.mark.parametrize("column,machine", list(enumerate(MACHINES)))
def test_signals_and_limits_only_for_oneself(column: int, machine: str) -> None:
    for name, numbers in seccomp._ONLY_SELF.items():
        assert answer(machine, numbers[column], first=77) == ALLOW
        for other in (1, 78, -1, -77):
            assert answer(machine, numbers[column], first=other) == denied(errno.EPERM), name
    assert answer(machine, seccomp._ONLY_SELF["prlimit64"][column], first=0) == ALLOW
    assert answer(machine, seccomp._ONLY_SELF["kill"][column], first=0) == denied(errno.EPERM)


@pytest.mark.parametrize("column,machine", list(enumerate(MACHINES)))
def test_forks_and_threads_but_no_namespaces(column: int, machine: str) -> None:
    clone = seccomp._CLONE[column]
    for flags in (0x11, 0x1200011, 0x3D0F00):  # SIGCHLD, Python's fork, a thread
        assert answer(machine, clone, first=flags) == ALLOW
    for flags in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, clone, first=flags | 0x11) == denied(errno.EPERM)
    assert answer(machine, 435) == denied(errno.ENOSYS)


def test_other_tables_are_closed() -> None:
    assert answer("x86_64", 0, arch=0x40000003) == KILL  # 32-bit calls
    assert answer("x86_64", 0x40000000 | 39) == denied(errno.EPERM)  # x32
    with pytest.raises(OSError) as error:
        seccomp.rules("riscv64", 1)
    assert error.value.errno == errno.ENOSYS


@pytest.mark.skipif(not Path("/usr/include/asm-generic/unistd.h").exists(), reason="the kernel's headers are not installed")
def test_the_numbers_are_the_kernels() -> None:
    names = {**seccomp._DENIED, **seccomp._ONLY_SELF, "clone": seccomp._CLONE, "clone3": seccomp._CLONE3}
    generic = _table(Path("/usr/include/asm-generic/unistd.h"))
    native = list(Path("/usr/include").glob("**/asm/unistd_64.h"))
    for name, (x86, arm) in names.items():
        assert generic.get(name, arm) == arm, name
        assert all(_table(path).get(name, x86) == x86 for path in native), name


def _table(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#define __NR"))
    return {
        words[1].removeprefix("__NR_").removeprefix("__NR3264_"): int(words[2]) for words in lines if len(words) > 2 and words[2].isdigit()
    }
