"""A file on the hub, read like a file on disk: blocks of it are fetched when they are asked for, and kept.

In: a `HubFile` (which commit, which path, how many bytes, which content). Out: something that seeks and reads.

    <folder>/<content>/<start>-<stop>   one block: bytes start to stop of the file whose content it is, whole or not there

Guarantees: what was fetched is never fetched again, after a kill either, nor when a larger budget reads on; an answer of another commit,
content or length is an error and no data; what is asked for is one range of the plain file, so no more than a block too much is fetched.
Trouble that passes (429 with its Retry-After, 5xx, a reset, a body that ends early) is waited out, `ATTEMPTS` times a block, and goes on at
the byte where it broke off. HF_TOKEN is sent to the endpoint alone: httpx takes it off where a redirect leads to another host.
Price: a request for each block; a kill loses the blocks under way (one a worker).
Rejected: hf_hub_download, which takes whole files (6 GB each, for a budget that may need 1); one file a shard with holes, which no listing
shows and which some file systems fill.
"""

from __future__ import annotations

import functools
import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from minisc.core import durable, hub
from minisc.core.errors import BadInput, MissingExtra, UserError

if TYPE_CHECKING:
    import httpx
    from _typeshed import WriteableBuffer

CONNECT_SECONDS, SILENT_SECONDS = 10.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a data set at one commit; picklable. `endpoint`, `folder` and `block_bytes` enter nothing."""

    endpoint: str
    dataset: str
    commit: str
    path: str
    name: str  # the path below the folder that was looked at: as it would be called on disk
    size: int
    content: str  # SHA-256 for a large file, git's blob id for a small one: what the hub gives as its ETag
    folder: str
    block_bytes: int

    @property
    def url(self) -> str:
        return f"{self.endpoint}/datasets/{quote(self.dataset)}/resolve/{self.commit}/{quote(self.path)}"

    def block(self, start: int) -> Path:
        """Where the block that begins at `start` lies, or will lie."""
        return Path(self.folder) / self.content / f"{start:013d}-{min(start + self.block_bytes, self.size):013d}"

    def missing(self, stop: int) -> list[int]:
        """Beginnings of the blocks up to `stop` that are not here yet."""
        return [start for start in range(0, min(stop, self.size), self.block_bytes) if not self.block(start).exists()]

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        with _Blocks(self) as raw, io.BufferedReader(raw, 1 << 18) as file:
            yield file


class _Blocks(io.RawIOBase):
    """A `HubFile` as a raw file."""

    def __init__(self, file: HubFile) -> None:
        self._file, self._at = file, 0
        self._client: httpx.Client | None = None
        self._open: tuple[int, IO[bytes]] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence])
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._at >= self._file.size:
            return 0
        start = self._at - self._at % self._file.block_bytes
        block = self._block(start)
        block.seek(self._at - start)
        view = memoryview(buffer).cast("B")
        data = block.read(min(len(view), self._file.block_bytes))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _block(self, start: int) -> IO[bytes]:
        if self._open is None or self._open[0] != start:
            if self._open:
                self._open[1].close()
            path = self._file.block(start)
            stop = min(start + self._file.block_bytes, self._file.size)
            if not path.exists() or path.stat().st_size != stop - start:
                with durable.write(path) as temporary, temporary.open("wb") as target:
                    fetch(self._connected(), self._file, start, stop, target)
            self._open = start, path.open("rb")
        return self._open[1]

    def _connected(self) -> httpx.Client:
        if self._client is None:
            self._client = client(self._file.endpoint)
        return self._client

    def close(self) -> None:
        if self._open:
            self._open[1].close()
        if self._client is not None:
            self._client.close()
        self._open = self._client = None
        super().close()


def client(endpoint: str) -> httpx.Client:
    """An HTTP client; the token is for the endpoint's own host."""
    try:
        import httpx
    except ImportError as error:
        raise MissingExtra.named("httpx", "hub", f"reading from {endpoint}") from error
    told = hub.token()
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {told}"} if told else {})
    return httpx.Client(
        verify=_authorities(), headers=headers, follow_redirects=True, timeout=httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
    )


@functools.cache
def _authorities() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes longer than many a block."""
    import httpx

    return httpx.create_ssl_context()


class _Passing(Exception):
    """Trouble that may be gone at the next attempt."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def fetch(connected: httpx.Client, file: HubFile, start: int, stop: int, target: IO[bytes]) -> None:
    """Write bytes start to stop of a file. Raises UserError when the hub does not give them, BadInput when it gives others."""
    import httpx

    trouble = ""
    for attempt in range(hub.ATTEMPTS):
        try:
            got = target.tell()
            with connected.stream("GET", file.url, headers={"Range": f"bytes={start + got}-{stop - 1}"}) as answer:
                _check(answer, file, start + got, stop)
                for piece in answer.iter_raw():
                    if target.tell() + len(piece) > stop - start:
                        raise _other(file, "more bytes than were asked for")
                    target.write(piece)
            if target.tell() == stop - start:
                return
            raise _Passing("the answer ended early")
        except (httpx.TransportError, _Passing) as error:
            trouble = f"{error}" or type(error).__name__
            told = error.wait if isinstance(error, _Passing) else None
            if attempt < hub.ATTEMPTS - 1:
                time.sleep(min(hub.LONGEST_WAIT, hub.FIRST_WAIT * 2**attempt if told is None else told))
    raise UserError(
        f"the hub did not give a range of a file in {hub.ATTEMPTS} attempts: {trouble}", where=f"{file.url}, bytes {start} to {stop}",
        do="run the same line again later: what was fetched is kept, and it goes on where it stopped",
    )  # fmt: skip


def _check(answer: httpx.Response, file: HubFile, start: int, stop: int) -> None:
    """Whether an answer is the range that was asked for, of the file that was listed."""
    if answer.status_code in hub.PASSING:
        told = answer.headers.get("Retry-After", "")
        raise _Passing(f"status {answer.status_code}", float(told) if told.isascii() and told.isdigit() else None)
    if answer.status_code in (401, 403):
        raise UserError(
            "the hub does not let us read this data set", where=file.url,
            do=f"accept its terms at {file.endpoint}/datasets/{file.dataset}, then: export HF_TOKEN=<your token>",
        )  # fmt: skip
    if answer.status_code not in (200, 206):
        raise UserError(
            f"the hub answered {answer.status_code}",
            where=f"{file.url}, bytes {start} to {stop}",
            do="run the same line again: it lists anew",
        )
    whole = f"bytes {start}-{stop - 1}/{file.size}"
    if answer.status_code == 206 and (found := answer.headers.get("Content-Range")) != whole:
        raise _other(file, f"{found!r} where {whole!r} was asked for")
    if answer.status_code == 200 and (start, stop) != (0, file.size):
        raise UserError("the hub, or a proxy on the way, does not know ranges", where=file.url, do="HF_ENDPOINT=<another mirror>")
    first = [*answer.history, answer][0]  # the hub itself; what it redirects to has other names for things
    if (commit := first.headers.get("X-Repo-Commit", file.commit)) != file.commit:
        raise _other(file, f"commit {commit} where {file.commit} was listed")
    content = first.headers.get("X-Linked-Etag") or (first.headers.get("ETag") if not answer.history else None) or file.content
    if content.removeprefix("W/").strip('"') != file.content:
        raise _other(file, f"content {content} where {file.content} was listed")


def _other(file: HubFile, what: str) -> BadInput:
    return BadInput(f"the hub gave something else than it listed: {what}", where=file.url, do="run the same line again: it lists anew")
