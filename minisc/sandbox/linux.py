"""The Linux calls that Python 3.11 has no names for. Each raises OSError; where the kernel or the system has no such call, ENOSYS.

Numbers are those of the kernel's uapi headers (sched.h, mount.h, prctl.h, capability.h); mount_setattr has one number on all machines.
`os.unshare` and `os.setns` came with Python 3.12 and would replace two of these.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

NEW_MOUNT, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEVICES = 1, 2, 4  # both as mount flags and as mount attributes
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _AT_RECURSIVE = 442, 0x8000
DIE_WITH_PARENT, DUMPABLE, SECCOMP, SUBREAPER, NO_NEW_PRIVILEGES = 1, 4, 22, 36, 38  # prctl
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _call(name: str, *arguments: object) -> int:
    function = getattr(_libc, name, None)
    if function is None:
        raise OSError(errno.ENOSYS, f"no {name} on this system")
    ctypes.set_errno(0)
    result = function(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return int(result)


def unshare(flags: int) -> None:
    _call("unshare", flags)


def setns(handle: int, kind: int) -> None:
    _call("setns", handle, kind)


def prctl(option: int, value: int, pointer: object = None) -> None:
    _call(
        "prctl", option, ctypes.c_ulong(value), ctypes.c_void_p(None) if pointer is None else pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)
    )


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )


def pivot_root(new: str, old: str) -> None:
    """glibc has no wrapper: through `syscall`, whose number differs by machine."""
    numbers = {"x86_64": 155, "aarch64": 41}
    machine = os.uname().machine
    if machine not in numbers:
        raise OSError(errno.ENOSYS, f"pivot_root has no known number on {machine}")
    _call("syscall", ctypes.c_long(numbers[machine]), os.fsencode(new), os.fsencode(old))


def detach(target: str) -> None:
    _call("umount2", os.fsencode(target), _DETACH)


class _MountAttributes(ctypes.Structure):
    _fields_ = [("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64), ("user", ctypes.c_uint64)]


def seal(target: str, attributes: int) -> None:
    """Set attributes on a mount and on all mounts below it (Linux 5.12)."""
    wanted = _MountAttributes(attributes, 0, 0, 0)
    _call(
        "syscall",
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(-100),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )


def drop_capabilities() -> None:
    """Give up all capabilities, for good: with no_new_privs nothing that is executed brings them back."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())
