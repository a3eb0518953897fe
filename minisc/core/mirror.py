"""Places on other file systems: a folder here stands for each, file by file, and its path alone tells which.

    out=s3://bucket/outputs   ->   ~/.cache/minisc-mirror/s3/bucket/outputs/store/…

In: an address, or a path. Out: a `Path` on this machine, that everything works on as on any other; the functions here do nothing to a path that
is no mirror. The remote is the truth, the mirror a cache: `exists` asks the remote, `fetch` brings what is there, `durable.write` sends a file
before it renames it here, `send` sends what was written otherwise, `remove` removes on both sides, `match` takes away here what is gone there.
A mirrored file carries the remote's time; it is the same one when size and time are, as for rsync.

Guarantees: a path says everything, so a pickled task means the same on every node, and nodes need share no disk. No credentials in an
address: it stands in logs and in `run.json`. Two runs at one artifact take turns (runner/locks.py); what both would write under one
fingerprint is the same, and the manifest comes last.
Price: the machine that starts a run holds a copy of what it checks and commits, a node of what it works on. Not for files that grow
(logs go up when a step ends) and packs that are appended to (downloads stay on their machine, see `kept`).
The mirror may be removed when no run is going. MINISC_MIRROR names another folder to hold it; every node must be able to make that folder.

Rejected: pyarrow's file systems through everything. Each `Path` of every step, checkpoint and reader would change, memory-mapped tokens,
safetensors, torch, ruff and tokenizers want files all the same, and renaming, on which our promises rest, is not what buckets do.
Rejected: fsspec's file caches, which write nothing back, and whose file names are hashes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote

from minisc.core.errors import UserError
from minisc.core.remote import TEMPORARY, Entry, Remote

FOLDER, KEPT = "minisc-mirror", "minisc-local"
STREAMS = 8  # files under way at a time
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?]*)([^?]*)(?:\?(.*))?", re.DOTALL)
_IN_WORDS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?\s]*)[^?\s]*(?:\?(\S*))?")
_SECRET = re.compile(r"key|secret|token|password|signature|sas", re.IGNORECASE)


def is_address(place: str) -> bool:
    return _ADDRESS.fullmatch(place) is not None


def local(place: str) -> Path:
    """The path that stands for an address here; a path stays what it is. Raises UserError for an address that must not be one."""
    parts = _ADDRESS.fullmatch(place)
    if parts is None:
        return Path(place).expanduser()
    refuse_credentials(place)
    scheme, host, path, query = parts[1], parts[2], parts[3], parts[4] or ""
    if scheme == "file":
        return Path(unquote(path))
    names = [name for name in path.split("/") if name]
    if not host or any(name in (".", "..") or "\0" in name for name in names):
        raise UserError("an address names a bucket (or host) and a folder in it", where=place, do=f"{scheme}://bucket/folder")
    return _cache() / FOLDER / quote(f"{scheme}?{query}" if query else scheme, safe="") / quote(host, safe="") / Path(*names)


def refuse_credentials(words: str) -> None:
    """Raises UserError where an address in these words holds any."""
    for scheme, host, query in _IN_WORDS.findall(words):
        if ":" in host.rpartition("@")[0] or (scheme == "s3" and "@" in host) or any(map(_SECRET.search, dict(parse_qsl(query)))):
            raise UserError(
                "credentials do not belong into an address: it is written into logs",
                where=f"{scheme}://…",
                do="AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… in the environment",
            )


def kept(place: str) -> Path:
    """For what stays on this machine: the path itself, or where `place` is remote a folder here that nothing sends."""
    path = local(place)
    return _cache() / KEPT / path.relative_to(_cache() / FOLDER) if is_mirror(path) else path


def _cache() -> Path:
    named = os.environ.get("MINISC_MIRROR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(named).expanduser().absolute()


def _remote(path: Path) -> Remote | None:
    """By the path alone, wherever this machine would put its own mirror."""
    parts = path.parts
    if FOLDER not in parts or len(parts) < (at := parts.index(FOLDER)) + 3:
        return None
    return Remote(unquote(parts[at + 1]), unquote(parts[at + 2]), "/".join(parts[at + 3 :]))


def is_mirror(path: Path) -> bool:
    return _remote(path) is not None


def name(path: Path) -> str:
    """A path as a person would write it: the address that a mirrored one stands for."""
    remote = _remote(path)
    return str(path) if remote is None else remote.url


def exists(path: Path) -> bool:
    """Whether a file is there, where it counts."""
    remote = _remote(path)
    return path.exists() if remote is None else remote.file() is not None


def read(path: Path) -> bytes | None:
    """What a small file says where it counts, past the copy that may be here; None where there is none."""
    remote = _remote(path)
    if remote is not None:
        return remote.read()
    return path.read_bytes() if path.exists() else None


def listing(folder: Path) -> list[Entry]:
    """All files below a folder, where it counts."""
    remote = _remote(folder)
    return _own(folder) if remote is None else remote.below()


def _own(folder: Path) -> list[Entry]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and not _is_private(path)]
    return [Entry(path.relative_to(folder).as_posix(), (told := path.stat()).st_size, told.st_mtime_ns) for path in files]


def _is_private(path: Path) -> bool:
    """Locks, and what is being written: never sent, never taken away."""
    return path.name.startswith(".") or path.name.endswith(TEMPORARY)


def fetch(path: Path, *, but: str = "") -> Path:
    """The same path, with what is there: a file, or a folder and all below it, `but` for one folder. What is here only stays."""
    remote = _remote(path)
    if remote is not None:
        if (entry := remote.file()) is not None:
            _get(remote, entry, path)
        else:
            _all(lambda entry: _get(remote / entry.name, entry, path / entry.name), _without(remote.below(), but))
    return path


def _without(entries: Sequence[Entry], folder: str) -> list[Entry]:
    return [entry for entry in entries if not folder or not entry.name.startswith(f"{folder}/")]


def match(folder: Path, names: Collection[str] = ()) -> Path:
    """`fetch`, and what is here only goes. With `names` this is about the files that are called so; of others, the folders are made."""
    remote = _remote(folder)
    if remote is None:
        return folder
    there = remote.below()
    if names:
        for parent in {(folder / entry.name).parent for entry in there}:
            parent.mkdir(parents=True, exist_ok=True)
        there = [entry for entry in there if entry.name.rpartition("/")[2] in names]
    wanted = {entry.name for entry in there}
    for own in _own(folder):
        if own.name not in wanted and (not names or own.name.rpartition("/")[2] in names):
            (folder / own.name).unlink(missing_ok=True)
    _all(lambda entry: _get(remote / entry.name, entry, folder / entry.name), there)
    return folder


def _get(remote: Remote, entry: Entry, path: Path) -> None:
    if path.exists():
        told = path.stat()
        if (told.st_size, told.st_mtime_ns) == (entry.size, entry.time):
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    remote.get(path, entry.time)


def put(written: Path, path: Path) -> None:
    """Send a finished file to where `path` stands for; it takes the time that it has there."""
    remote = _remote(path)
    if remote is not None:
        time = remote.put(written)
        os.utime(written, ns=(time, time))


def send(folder: Path, *, but: str = "") -> None:
    """Send every file below a folder, `but` for one folder in it, that is not there as it is here."""
    remote = _remote(folder)
    if remote is not None:
        there = set(remote.below())
        _all(
            lambda entry: put(folder / entry.name, folder / entry.name),
            [entry for entry in _without(_own(folder), but) if entry not in there],
        )


def _all(function: Callable[[Entry], None], entries: Sequence[Entry]) -> None:
    with ThreadPoolExecutor(STREAMS) as pool:
        for _ in pool.map(function, entries):
            pass


def remove(path: Path) -> None:
    """Remove a file, or a folder with all below it, there and here. That it is gone already is no error."""
    remote = _remote(path)
    if remote is not None:
        remote.remove()
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
