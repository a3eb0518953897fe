"""Content hashes of input files, remembered as git's index does: by size and modification time.

In: paths. Out: SHA-256 of their contents. A file that has neither another size, nor another mtime, nor another inode is
not read again. The memory is a JSON file under `<out>/`; it is a cache, lost without harm, and never enters a fingerprint.
Racy entries (a file changed within two seconds of being hashed) are not remembered, as in git's own index.
"""

from __future__ import annotations

import json
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
        key, mark = str(path.absolute()).encode("utf-8", "backslashreplace").decode(), [state.st_size, state.st_mtime_ns, state.st_ino]
        known = self._known.get(key)
        if known and known[:3] == mark:
            return str(known[3])
        digest = durable.sha256_of(path)
        if time.time() - state.st_mtime > RACY_SECONDS:
            self._known[key] = [*mark, digest]
            self._fresh = True
        return digest

    def _save(self) -> None:
        if self._fresh:
            durable.write_json(self._memory, self._known)
            self._fresh = False
