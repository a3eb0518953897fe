"""Content hashes of input files, remembered as git's index does: by size and modification time.

In: paths. Out: SHA-256 of their contents. A file that has neither another size, nor another mtime, ctime or inode is not
read again. The memory is a JSON file under `<out>/`; it is a cache, lost without harm where it cannot be written, and never
enters a fingerprint. Racy entries (a file changed within two seconds of being hashed, by either clock reading) are not
remembered, as in git's own index. Clocks jump and mtimes lie: a time in the future is as good as one in the past, since only
its difference from the last one counts; the ctime, which nobody can set, catches a change whose mtime was set back.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from minisc.core import durable

RACY_SECONDS = 2.0


class Hashes:
    """SHA-256 of files, remembered across runs in `memory`."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, list[object]] = {}
        self._fresh = False
        try:
            self._known = json.loads(memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass  # a cache: begin anew

    def of(self, paths: Sequence[Path]) -> list[str]:
        """Hex digests, in order. Raises OSError for a file that cannot be read."""
        digests = [self._one(path) for path in paths]
        self._save()
        return digests

    def _one(self, path: Path) -> str:
        state = path.stat()
        key, mark = str(path.absolute()).encode("utf-8", "backslashreplace").decode(), list(_mark(state))
        known = self._known.get(key)
        if known and known[:-1] == mark:
            return str(known[-1])
        digest = durable.sha256_of(path)
        if _is_settled(state) and _mark(path.stat()) == _mark(state):
            self._known[key] = [*mark, digest]
            self._fresh = True
        return digest

    def _save(self) -> None:
        if self._fresh:
            self._fresh = False
            with contextlib.suppress(OSError):  # a store that cannot be written: hash again the next time
                durable.write_json(self._memory, self._known)


def _mark(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ino, state.st_ctime_ns


def _is_settled(state: os.stat_result) -> bool:
    """Whether a change from now on would have another time."""
    now = time.time()
    return all(abs(now - changed) > RACY_SECONDS for changed in (state.st_mtime, state.st_ctime))
