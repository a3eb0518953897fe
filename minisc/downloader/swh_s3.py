"""Contents from Software Heritage's public bucket: by SHA-1, gzip, many at once.

In: blobs with their SHA-1. Out: bytes in the store. One GET of `<base_url>/<sha1>` each, no credentials.
The body is gzip data, whatever its headers say; a body that begins otherwise is taken as it is. Either way only the hashes
decide. Unpacking is bounded by the length that the graph gives, so a bomb ends at one byte more than promised (`too_large`).
Final: 403 and 404 (the bucket answers 403 for a missing key where listing is forbidden), damaged gzip, other bytes; the last
two after a second try. A redirect is not followed: the bucket has none, and what sends us elsewhere is not the bucket.
When not to use it: without SHA-1s; against the terms of bulk access (see the option file).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.step import Cost
from minisc.downloader.base import Blob, Downloader, Watch
from minisc.downloader.fetching import Again, Answer, Fetching, Lost, Patience, body_of, checked, checked_url, run, session
from minisc.downloader.store import BlobStore

if TYPE_CHECKING:
    import aiohttp

GZIP = b"\x1f\x8b"
PACKED_SHARE = 0.35  # of source code's bytes, as gzip: for the estimate
BLOBS_PER_SECOND = 355  # python-edu's card: 7.7 M files in 6 h from a machine in the bucket's region


@dataclass(frozen=True, kw_only=True)
class SwhS3(Downloader):
    """See the module. Raises UserError for an address that is none or numbers out of range."""

    version: ClassVar[int] = 1

    base_url: str = free()
    connections: int = free()
    timeout_seconds: float = free()
    tries: int = free()
    pause_seconds: float = free()
    longest_pause_seconds: float = free()
    give_up_after: int = free()
    max_bytes: int

    def __post_init__(self) -> None:
        checked_url(self.base_url, "downloader.base_url")
        if not 1 <= self.connections <= 1024:
            raise UserError(
                "connections lie between 1 and 1024", where=f"downloader.connections={self.connections}", do="downloader.connections=64"
            )
        if self.tries < 1 or self.give_up_after < 1 or self.max_bytes < 1:
            raise UserError(
                "at least one try, one failure and one byte", where=f"downloader.tries={self.tries}", do="leave downloader.tries as it is"
            )

    def estimate(self, blobs: int, size: int) -> Cost:
        return Cost(
            seconds=blobs / BLOBS_PER_SECOND,
            requests=blobs,
            download_bytes=round(PACKED_SHARE * size),
            disk_bytes=round(PACKED_SHARE * size),
        )

    def fetch(self, blobs: Sequence[Blob], store: BlobStore, watch: Watch) -> dict[str, str]:
        fetching = Fetching("swh_s3", store, watch, Patience.of(self))

        async def work() -> None:
            async with session(self.connections, self.timeout_seconds) as client:
                await fetching.all([blob for blob in blobs if blob.sha1], lambda blob: self._ask(client, blob), self.connections)

        if any(blob.sha1 and blob.sha1_git not in store for blob in blobs):
            run(work, "swh_s3")
        return fetching.lost | {blob.sha1_git: "unlisted" for blob in blobs if not blob.sha1 and blob.sha1_git not in store}

    async def _ask(self, client: aiohttp.ClientSession, blob: Blob) -> Answer:
        bound = blob.size if blob.size is not None else self.max_bytes
        if bound > self.max_bytes:
            return Lost("too_large", final=False)
        async with client.get(f"{self.base_url.rstrip('/')}/{blob.sha1}", allow_redirects=False) as response:
            if response.status == 200:
                body = await body_of(response, bound + bound // 100 + 1024)  # what gzip adds to data that it cannot shrink
                return Lost("too_large", doubted=True) if body is None else unpacked(body, blob, bound)
            if response.status in (403, 404, 410):
                return Lost("not_found")
            if response.status == 429 or response.status >= 500:
                return Again(f"status {response.status}", after=_seconds(response.headers.get("Retry-After")))
            return Again(f"status {response.status}, not an answer of the bucket")


def unpacked(body: bytes, blob: Blob, bound: int) -> Answer:
    """The content in a body of the bucket."""
    if body[:2] != GZIP:
        return checked(body, blob)
    unpacker = zlib.decompressobj(31)
    try:
        raw = unpacker.decompress(body, bound + 1)
    except zlib.error:
        return _as_it_is(body, blob)
    if len(raw) > bound:
        return Lost("too_large", doubted=True)
    if not unpacker.eof or unpacker.unused_data:
        return _as_it_is(body, blob)
    return checked(raw, blob, body)


def _as_it_is(body: bytes, blob: Blob) -> Answer:
    """A content that is itself the beginning of a gzip file may have been stored plain; else the body is damaged."""
    answer = checked(body, blob)
    return Lost("damaged", doubted=True) if isinstance(answer, Lost) else answer


LONGEST_WAIT = 3600.0


def _seconds(header: str | None) -> float | None:
    return min(float(header), LONGEST_WAIT) if header and header.isascii() and header.isdigit() else None
