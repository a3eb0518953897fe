"""Blobs on disk: packed, addressed by content, safe against kills.

In: checked bytes with their sha1_git. Out: the same bytes, checked again when read.

    <folder>/pack-00000.blobs    payloads end to end, gzip where it helps (a bucket's gzip is kept as it came), 1 GiB a file
    <folder>/index.bin           48 bytes a blob: sha1_git, where, how long; written after its payload
    <folder>/lost.jsonl          final answers without bytes: {"source", "sha1_git", "reason"}

Guarantees: a blob counts when its index entry is written, payload first, so a kill loses at most what was in flight; a torn tail
(of either file) is cut off when the store is opened. Both are synced every `SYNC_BYTES` and at the end, so a power cut loses
little, and what it tears is found by its hash and asked for again. One writer at a time: the folder is locked.
Rejected: a file for each blob (a million files, and an inode and 4 kB each); SQLite (half the speed for small blobs, and blobs
inside it make a file that no tool can cut); trusting bytes because they were checked once.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from minisc.core import durable
from minisc.core.errors import UserError

ENTRY = np.dtype(
    [("sha1_git", "V20"), ("pack", "<u4"), ("offset", "<u8"), ("stored", "<u4"), ("size", "<u4"), ("gzip", "u1"), ("pad", "V7")]
)
PACK_BYTES, SYNC_BYTES = 1 << 30, 64 << 20
WORTH_PACKING = 128  # bytes: below, gzip's header costs more than it saves
assert ENTRY.itemsize == 48


def is_content(raw: bytes, sha1_git: str, sha1: str | None = None, size: int | None = None) -> bool:
    """Whether bytes are what their names say: length, git's blob id, and SHA-1 where it is known."""
    if size is not None and len(raw) != size:
        return False
    digest = hashlib.sha1(b"blob %d\0" % len(raw))
    digest.update(raw)
    return digest.hexdigest() == sha1_git and (sha1 is None or hashlib.sha1(raw).hexdigest() == sha1)


class BlobStore:
    """A context manager. To write it holds the folder's lock; with `reading` it asks for none and only gets."""

    def __init__(self, folder: Path, *, reading: bool = False) -> None:
        self.folder, self._reading = folder, reading
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("a+", encoding="utf-8")
        if not reading:
            self._hold()
        self._packs: dict[int, int] = {}
        self._index = _appending(folder / "index.bin")
        self._entries = self._load()
        self._place = {entry.tobytes(): at for at, entry in enumerate(self._entries["sha1_git"])}
        self._fresh: list[tuple[int, int, int, int, bool]] = []
        self._lost, self._lost_file = self._load_lost()
        self._unsynced = 0

    def __enter__(self) -> BlobStore:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if not self._reading:
                self.sync()
        finally:
            for handle in (*self._packs.values(), self._index):
                os.close(handle)
            self._lost_file.close()
            self._lock.close()

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, sha1_git: str) -> bool:
        return bytes.fromhex(sha1_git) in self._place

    def get(self, sha1_git: str) -> bytes | None:
        """The bytes, or None where there are none; bytes that are not what they were are forgotten, and so asked for again."""
        key = bytes.fromhex(sha1_git)
        at = self._place.get(key)
        if at is None:
            return None
        pack, offset, stored, size, packed = self._at(at)
        payload = os.pread(self._pack(pack), stored, offset)
        raw = _unpacked(payload, size) if packed else payload
        if raw is None or not is_content(raw, sha1_git, size=size):
            del self._place[key]
            return None
        return raw

    def put(self, sha1_git: str, raw: bytes, packed: bytes | None = None) -> None:
        """Keep checked bytes. `packed`: the same as gzip, where the source gave it."""
        assert not self._reading
        key = bytes.fromhex(sha1_git)
        if key in self._place:
            return
        if packed is None and len(raw) >= WORTH_PACKING:
            packed = gzip.compress(raw, 1, mtime=0)
        use_packed = packed is not None and len(packed) < len(raw)
        payload = packed if packed is not None and use_packed else raw
        number, offset = self._room(len(payload))
        entry = np.zeros(1, ENTRY)
        entry["sha1_git"], entry["pack"], entry["offset"], entry["stored"] = np.void(key), number, offset, len(payload)
        entry["size"], entry["gzip"] = len(raw), use_packed
        try:
            _write(self._pack(number), payload, offset)
            _write(self._index, entry.tobytes(), self._index_end())
        except OSError as error:
            raise _full(self.folder, error) from error
        self._place[key] = len(self._entries) + len(self._fresh)
        self._fresh.append((number, offset, len(payload), len(raw), use_packed))
        self._unsynced += len(payload)
        if self._unsynced >= SYNC_BYTES:
            self.sync()

    def lose(self, source: str, sha1_git: str, reason: str) -> None:
        """Remember a final answer without bytes."""
        self._lost[source, sha1_git] = reason
        try:
            self._lost_file.write(json.dumps({"source": source, "sha1_git": sha1_git, "reason": reason}) + "\n")
            self._lost_file.flush()
        except OSError as error:
            raise _full(self.folder, error) from error

    def lost(self, source: str, sha1_git: str) -> str | None:
        return self._lost.get((source, sha1_git))

    def sync(self) -> None:
        """Everything that was put is on the disk when this returns."""
        for handle in (*self._packs.values(), self._index, self._lost_file.fileno()):
            os.fsync(handle)
        self._unsynced = 0

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            self._lock.close()
            raise UserError(
                f"{owner} is downloading into this store",
                where=str(self.folder),
                do="wait for it, or give this run a store of its own: downloader.store=…",
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()}")
        self._lock.flush()

    def _load(self) -> np.ndarray:
        """The index, without a torn last entry and without entries whose payload is not there in full."""
        path = self.folder / "index.bin"
        whole = path.stat().st_size // ENTRY.itemsize
        entries = np.fromfile(path, ENTRY, whole)
        ends = {number: _size(self._pack_path(number)) for number in np.unique(entries["pack"]).tolist()}
        there = entries["offset"] + entries["stored"] <= np.array([ends[number] for number in entries["pack"].tolist()], np.uint64)
        entries = entries[there]
        if not self._reading:
            if not there.all():
                with durable.write(path) as temporary:
                    temporary.write_bytes(entries.tobytes())
                os.close(self._index)
                self._index = _appending(path)
            os.ftruncate(self._index, len(entries) * ENTRY.itemsize)
        return entries

    def _load_lost(self) -> tuple[dict[tuple[str, str], str], IO[str]]:
        path, lost = self.folder / "lost.jsonl", {}
        whole = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                try:
                    told = json.loads(line)
                    lost[str(told["source"]), str(told["sha1_git"])] = str(told["reason"])
                except (ValueError, KeyError, TypeError):
                    break
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
            if not self._reading:
                os.truncate(path, whole)
        return lost, path.open("a", encoding="utf-8")

    def _at(self, at: int) -> tuple[int, int, int, int, bool]:
        if at >= len(self._entries):
            return self._fresh[at - len(self._entries)]
        entry = self._entries[at]
        return int(entry["pack"]), int(entry["offset"]), int(entry["stored"]), int(entry["size"]), bool(entry["gzip"])

    def _room(self, size: int) -> tuple[int, int]:
        """The pack to append to and where its last counted payload ends."""
        number, end = self._tail()
        return (number, end) if end + size <= PACK_BYTES or not end else (number + 1, 0)

    def _tail(self) -> tuple[int, int]:
        if self._fresh:
            number, offset, stored, _, _ = self._fresh[-1]
            return number, offset + stored
        if not len(self._entries):
            return 0, 0
        number = int(self._entries["pack"].max())
        own = self._entries[self._entries["pack"] == number]
        return number, int((own["offset"] + own["stored"]).max())

    def _index_end(self) -> int:
        return (len(self._entries) + len(self._fresh)) * ENTRY.itemsize

    def _pack_path(self, number: int) -> Path:
        return self.folder / f"pack-{number:05d}.blobs"

    def _pack(self, number: int) -> int:
        if number not in self._packs:
            self._packs[number] = _appending(self._pack_path(number))
        return self._packs[number]


def _appending(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def _unpacked(payload: bytes, size: int) -> bytes | None:
    try:
        unpacker = zlib.decompressobj(31)
        raw = unpacker.decompress(payload, size + 1)
    except zlib.error:
        return None
    return raw if len(raw) == size else None


def _full(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write into the store of blobs: {os.strerror(error.errno or 0).lower()}", where=str(folder),
        do="make room, or name another folder with downloader.store=…, and run the same line again: what is there is not asked for again",
    )  # fmt: skip
