"""Files that are whole or not there, whatever is killed and whenever.

`write(path)` gives a temporary path beside the target, and on leaving fsyncs it and renames it into place; after a kill the
target is the old file or the new one. Left-over temporaries carry TEMPORARY in their name and are swept by the next run.
Where the target stands for a file on another file system (mirror.py), it is sent there first: what is here is there too.
Price: one fsync a file (milliseconds). Not for: appending logs, where the reader must cope with a torn last line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minisc.core import mirror
from minisc.core.remote import TEMPORARY

__all__ = ["TEMPORARY", "copy", "sha256_of", "sweep", "sync", "write", "write_json"]


@contextmanager
def write(path: Path) -> Iterator[Path]:
    """A temporary path to fill; renamed to `path` when the block ends without an error, removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        yield temporary
        sync(temporary)
        mirror.put(temporary, path)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """fsync a file, or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    with write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def copy(source: Path, target: Path) -> None:
    with write(target) as temporary:
        shutil.copyfile(source, temporary)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind: files, and whole folders that were to be renamed."""
    for left in list(folder.rglob(f"*{TEMPORARY}")):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
