"""The system call filter of a program: a classic BPF program for seccomp, which denies what no exercise in Python needs.

A list of what is denied, not of what is allowed: an allow list that numpy, threads and the next glibc live with is a list of
nearly everything. It takes away other processes (tracing, signals, priorities), other namespaces, all sockets but pairs
(also those that no network namespace holds: vsock, netlink, kernel crypto), memory that no limit counts (System V, POSIX
queues, memfd) and the corners of the kernel that are known for their bugs (io_uring, bpf, userfaultfd, keys, perf).
Denied calls fail with EPERM, and the program goes on. The filter is inherited by whatever the program starts.

Numbers: the kernel's tables for x86_64 and for asm-generic (aarch64). On another machine there is no filter (ENOSYS).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from minisc.sandbox import linux

_DENIED = {  # name: (x86_64, aarch64)
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "syslog": (103, 116), "personality": (135, 92),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "move_pages": (279, 239), "migrate_pages": (256, 238),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "setsid": (112, 157), "setpgid": (109, 154),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "socket": (41, 198),
}  # fmt: skip
_ONLY_SELF = {  # allowed when the first argument is the process itself
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)
_NEW_NAMESPACE = 0x7E020000  # CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, AUDIT_ARCH
_X32 = 0x40000000  # x86_64 only: the numbers of a second table
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # offsets in seccomp_data; the first argument's low word
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

_FILTER_MODE = 2
Instruction = tuple[int, int, int, int]


def rules(machine: str, process: int) -> list[Instruction]:
    """The filter for a machine (`os.uname().machine`) and the process that it will be installed in. Raises OSError (ENOSYS)."""
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no system call table for {machine}")
    column, arch = _MACHINES[machine]
    denied = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    out: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH), (_JUMP_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER), (_JUMP_AT_LEAST, 0, 1, _X32), denied,
    ]  # fmt: skip
    for numbers in _DENIED.values():
        out += [(_JUMP_EQUAL, 0, 1, numbers[column]), denied]
    out += [(_JUMP_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]  # glibc then takes clone, whose flags can be read
    out += [(_JUMP_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, _FIRST), (_JUMP_SET, 0, 1, _NEW_NAMESPACE), denied, (_RETURN, 0, 0, _ALLOW)]
    for numbers in _ONLY_SELF.values():
        out += [
            (_JUMP_EQUAL, 0, 5, numbers[column]), (_LOAD, 0, 0, _FIRST), (_JUMP_EQUAL, 1, 0, process),
            (_JUMP_EQUAL, 0, 1, 0 if numbers == _ONLY_SELF["prlimit64"] else process), (_RETURN, 0, 0, _ALLOW), denied,
        ]  # fmt: skip
    return [*out, (_RETURN, 0, 0, _ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install() -> None:
    """Put this process and all it starts under the filter; needs no_new_privs. Raises OSError."""
    listed = rules(os.uname().machine, os.getpid())
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in listed))
    program = _Program(len(listed), ctypes.addressof(code))
    linux.prctl(linux.SECCOMP, _FILTER_MODE, ctypes.byref(program))
