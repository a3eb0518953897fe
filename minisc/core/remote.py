"""Files on another file system, whole or not at all: S3 and what speaks like it, Google's, Azure's, HDFS, whatever pyarrow opens.

In: a scheme with pyarrow's options, a host or bucket, a path. Out: what lies there, files copied from there and to there.
Guarantees: a file is there whole or not at all: object stores put objects so, elsewhere it goes up under a temporary name. What Arrow says
is told as an error in three parts: no such bucket, refused, no answer. A name that would leave the folder it is copied into, or is none
that a file can have, is refused. Credentials are pyarrow's to find (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, a profile, a role, …) and never pass here.
Price: one request for a question, two for a file that is put; a thousand names a request when listing.
Tried with S3 (a server in the tests); the others go through the same calls of pyarrow.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as fs

from minisc.core.errors import UserError

TEMPORARY = ".writing"  # what a killed writer leaves behind ends so; `durable.sweep` removes it
SMALL = 1 << 16  # bytes of a file that is read at once
LONGEST_NAME = 255  # bytes, of one part of a path on the file systems of our days
_OBJECTS = frozenset(("s3", "gcs", "abfs"))  # a put is whole or not there, and folders are but names
_HERE = fs.LocalFileSystem()
AGAIN = "run the same line again: it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file below a folder: its `name` in there, bytes, and when it was written (ns since 1970; 0 where that is not known)."""

    name: str
    size: int
    time: int


@dataclass(frozen=True, slots=True)
class Remote:
    """A place: `scheme` with its options (`s3?scheme=http`), `host` or bucket, `path` in it."""

    scheme: str
    host: str
    path: str

    @property
    def url(self) -> str:
        name, _, query = self.scheme.partition("?")
        return f"{name}://{self.host}/{self.path}".rstrip("/") + (f"?{query}" if query else "")

    def __truediv__(self, below: str) -> Remote:
        return Remote(self.scheme, self.host, f"{self.path}/{below}".strip("/"))

    def file(self) -> Entry | None:
        """The file at this place itself; None where there is none."""
        info = self._info()
        return Entry("", info.size, info.mtime_ns or 0) if info.type == fs.FileType.File else None

    def below(self) -> list[Entry]:
        """All files below this place, by name; none where there is no such folder."""
        system, root = self._opened()
        with _blamed(self.url):
            infos = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        files = [info for info in infos if info.type == fs.FileType.File]
        entries = [Entry(info.path[len(root) :].lstrip("/"), info.size, info.mtime_ns or 0) for info in files]
        for entry in entries:
            if not all(map(_is_name, entry.name.split("/"))):
                raise UserError(
                    "an object has a name that no file can have", where=f"{self.url}: {entry.name!r}"[:400], do="rename it, or name another folder"
                )  # fmt: skip
        return sorted(entries, key=lambda entry: entry.name)

    def read(self) -> bytes | None:
        """The first bytes (`SMALL`) of the file at this place; None where there is none."""
        system, place = self._opened()
        with _blamed(self.url):
            try:
                with system.open_input_stream(place) as file:
                    return bytes(file.read(SMALL))
            except FileNotFoundError:
                return None

    def get(self, path: Path, time: int) -> None:
        """Copy the file at this place to a path, there whole or not at all; it gets the `time` of its entry."""
        temporary = path.with_name(f"{path.name}.{_mine()}{TEMPORARY}")
        system, place = self._opened()
        try:
            with _blamed(self.url):
                fs.copy_files(place, str(temporary), source_filesystem=system, destination_filesystem=_HERE)
            os.utime(temporary, ns=(time, time))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def put(self, path: Path) -> int:
        """Copy a file to this place; returns its time there, in ns. One call of Arrow's: an exception of Python's cannot cut it short."""
        system, place = self._opened()
        with _blamed(self.url):
            if system.type_name in _OBJECTS:
                fs.copy_files(str(path), place, source_filesystem=_HERE, destination_filesystem=system)
            else:
                system.create_dir(place.rpartition("/")[0], recursive=True)
                fs.copy_files(str(path), beside := f"{place}.{_mine()}{TEMPORARY}", source_filesystem=_HERE, destination_filesystem=system)
                system.move(beside, place)
            info = system.get_file_info(place)
        if info.size != path.stat().st_size:
            raise UserError(f"{path.stat().st_size:,} bytes were sent, {info.size or 0:,} are there", where=self.url, do=AGAIN)
        return info.mtime_ns or 0

    def remove(self) -> None:
        """Remove the file, or the folder with all below it. That it is gone already is no error."""
        kind = self._info().type
        system, place = self._opened()
        with _blamed(self.url):
            if kind == fs.FileType.File:
                system.delete_file(place)
            elif kind == fs.FileType.Directory:
                system.delete_dir(place)

    def _info(self) -> fs.FileInfo:
        system, place = self._opened()
        with _blamed(self.url):
            return system.get_file_info(place)

    def _opened(self) -> tuple[fs.FileSystem, str]:
        """pyarrow's file system, and the path in it."""
        system, root = _system(self.scheme, self.host)
        return system, f"{root.rstrip('/')}/{self.path}".rstrip("/")


def _mine() -> str:
    return f"{os.getpid()}-{threading.get_ident()}"


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and len(os.fsencode(part)) <= LONGEST_NAME


@functools.lru_cache(maxsize=64)
def _system(scheme: str, host: str) -> tuple[fs.FileSystem, str]:
    name, _, query = scheme.partition("?")
    url = f"{name}://{host}/" + (f"?{query}" if query else "")
    with _blamed(url):
        system, root = fs.FileSystem.from_uri(url)
        if system.type_name in _OBJECTS and system.get_file_info(root.strip("/")).type == fs.FileType.NotFound:
            raise UserError("there is no such bucket", where=url, do="make it, or name one that there is")
    return system, root


@contextmanager
def _blamed(url: str) -> Iterator[None]:
    """What Arrow says of a remote place, for a person. Trouble with our own disk has a number, and passes as it is."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) is not None:
            raise
        told = str(error).splitlines()[0][:300]
        what, do = next(
            ((what, do) for pattern, what, do in _TROUBLE if re.search(pattern, told, re.IGNORECASE)),
            ("a place cannot be read or written", "look at the address"),
        )
        raise UserError(what, where=f"{url}: {told}", do=do) from error


_TROUBLE = (
    ("NO_SUCH_BUCKET", "there is no such bucket", "make it, or name one that there is"),
    (
        r"ACCESS_DENIED|FORBIDDEN|INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN|SIGNATURE|EXPIRED|UNAUTHORIZED|credential|code:? 40[13]",
        "the place refuses our credentials, or wants some",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, of someone who may read and write there",
    ),
    (
        "NETWORK_CONNECTION|curlCode|could not connect|resolve host|time.?out",
        "the place does not answer",
        f"is it up, and is that its address (AWS_ENDPOINT_URL, or ?endpoint_override=http://host:port)? Then {AGAIN}",
    ),
    ("query parameter|filesystem type|scheme", "pyarrow opens no such address", "s3://bucket/folder, gs://…, hdfs://…, abfs://…"),
)
