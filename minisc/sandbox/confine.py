"""How a process gives up what it could do: the server once, the examiner and the candidate each for every program.

`enter(level)` is called by the server, before it is told of any program: it either reaches the level in full or raises
OSError, and then the process is of no more use (half a set of namespaces is no level). The pool tries the next lower one
with a fresh process, so that a level that is reported is one that was reached.

At `full` the root is built as container tools do: a tmpfs becomes the root by pivot_root, the interpreter's folders and the
system's libraries are bound into it read-only, the old root is detached. No /proc, no /etc, no /home, no /tmp.

Rejected: cgroups (they need a delegation that most machines do not give; memory is limited per process instead), chroot
(root walks out of it), one set of namespaces a program for network, IPC and host name (the program before is dead, and its
successor cannot meet it; a network namespace costs more than all the rest).
"""

from __future__ import annotations

import os
import resource
import signal
import site
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from minisc.sandbox import linux, seccomp
from minisc.sandbox.base import LEVELS, Limits

CANDIDATE, EXAMINER = 65534, 65533  # accounts that own nothing, where we may choose; 65534 is `nobody` nearly everywhere
SCRATCH = "/scratch"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_SYSTEM = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache")


def at_least(level: str, wanted: str) -> bool:
    return LEVELS.index(level) >= LEVELS.index(wanted)


def enter(level: str, scratch: str, map_accounts: Callable[[], None]) -> int:
    """Take the server to a level. `scratch` is an empty folder of ours; `map_accounts` asks the pool to write the account maps.

    Returns a handle of the server's own PID namespace, or -1 below `namespaces`.
    """
    own = -1
    if sys.platform == "linux":
        linux.prctl(linux.NO_NEW_PRIVILEGES, 1)
        linux.prctl(linux.SUBREAPER, 1)
    if at_least(level, "filtered"):
        seccomp.rules(os.uname().machine, 0)
    if at_least(level, "namespaces"):
        mounts = linux.NEW_MOUNT if level == "full" else 0
        linux.unshare(linux.NEW_USER | linux.NEW_PID | linux.NEW_NET | linux.NEW_IPC | linux.NEW_UTS | mounts)
        map_accounts()
        _become_first()
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    if level == "full":
        _build_root(scratch)
    if sys.platform == "linux":
        linux.prctl(linux.DUMPABLE, 0)
    return own


def _become_first() -> None:
    """Go on as the first process of the new PID namespace; the process that we were stays behind and waits for our end."""
    child = os.fork()
    if child:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))  # the socket, above all: its end must be seen when the server ends
        os.waitpid(child, 0)
        os._exit(0)
    linux.prctl(linux.DIE_WITH_PARENT, signal.SIGKILL)


def account_map(uid: int, owner: bool) -> str:
    """The lines of uid_map or gid_map: root keeps itself and the two accounts; anybody else is only seen as `CANDIDATE`."""
    return f"0 0 1\n{CANDIDATE} {CANDIDATE} 1\n{EXAMINER} {EXAMINER} 1\n" if owner else f"{CANDIDATE} {uid} 1\n"


def _build_root(base: str) -> None:
    shown, links = _visible()
    linux.mount("none", "/", None, linux.RECURSIVE | linux.PRIVATE)
    linux.mount("tmpfs", base, "tmpfs", linux.NO_SUID | linux.NO_DEVICES, "size=1m,mode=755")
    Path(base, "old").mkdir()
    linux.pivot_root(base, f"{base}/old")
    os.chdir("/")
    for path in shown:
        _bind(Path(path))
    for link, target in links.items():
        if not os.path.lexists(link):
            Path(link).parent.mkdir(parents=True, exist_ok=True)
            Path(link).symlink_to(target)
    Path(SCRATCH).mkdir()
    linux.detach("/old")
    Path("/old").rmdir()
    linux.seal("/", linux.READ_ONLY | linux.NO_SUID)


def _visible() -> tuple[list[str], dict[str, str]]:
    """What the new root shows: real paths, none inside another, and the links by which some of them are known."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *site.getsitepackages()}
    inside = [path for path in sys.path if path and any(Path(path).is_relative_to(prefix) for prefix in prefixes)]
    known = {path: os.path.realpath(path) for path in sorted({*_SYSTEM, *prefixes, *inside}) if Path(path).exists()}
    real = sorted({*known.values()})
    assert "/" not in real, "an interpreter whose prefix is the root would show everything"
    outermost = [path for path in real if not any(Path(path).is_relative_to(other) for other in real if other != path)]
    return [*outermost, *_DEVICES], {path: target for path, target in known.items() if path != target}


def _bind(path: Path) -> None:
    old = f"/old{path}"
    if Path(old).is_dir():
        path.mkdir(parents=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    linux.mount(old, str(path), None, linux.BIND | linux.RECURSIVE)


def own_scratch(level: str, folder: str, limits: Limits) -> str:
    """An empty folder for one program, the examiner's and the candidate's: in memory at `full`, else below `folder`."""
    if level == "full":
        linux.unshare(linux.NEW_MOUNT)
        options = f"size={max(limits.scratch_bytes, 4096)},nr_inodes=4096,mode=700,uid={CANDIDATE},gid={CANDIDATE}"
        linux.mount("tmpfs", SCRATCH, "tmpfs", linux.NO_SUID | linux.NO_DEVICES, options)
        return SCRATCH
    made = tempfile.mkdtemp(dir=folder)
    if os.geteuid() == 0:
        os.chown(made, CANDIDATE, CANDIDATE)
    return made


def give_up(level: str, account: int, limits: Limits, processes: int) -> None:
    """Become an account that may do nothing, within the limits, under the filter. There is no way back."""
    _limit(limits, processes)
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(account, account, account)
        os.setresuid(account, account, account)
    if sys.platform != "linux":
        return
    linux.drop_capabilities()
    linux.prctl(linux.DUMPABLE, 0)
    linux.prctl(linux.DIE_WITH_PARENT, signal.SIGKILL)
    if at_least(level, "filtered"):
        seccomp.install()


def _limit(limits: Limits, processes: int) -> None:
    wanted = {
        "RLIMIT_CPU": (limits.cpu_seconds, limits.cpu_seconds + 1),  # SIGXCPU, and SIGKILL a second later
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_NPROC": processes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    for name, value in wanted.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        soft, hard = value if isinstance(value, tuple) else (value, value)
        ceiling = resource.getrlimit(which)[1]
        bound = [given if ceiling == resource.RLIM_INFINITY else min(given, ceiling) for given in (soft, hard)]
        resource.setrlimit(which, (bound[0], bound[1]))
