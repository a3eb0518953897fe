"""Whole directory trees from Software Heritage's vault: one cooked bundle a repository, every file checked on its own.

In: blobs that know a root directory. Out: bytes in the store. For each root: one POST asks for the bundle ("flat", a tar.gz), polls
wait for it, one GET fetches it, perhaps from another host (followed without the token). Each regular file in it is hashed and kept
if it is one that was asked for; so the notices that the archive puts in place of missing contents never pass for them, and
names in the bundle are never looked at, let alone written.
Price: three requests and the whole tree's bytes for a repository, where the API takes one request a file. Cooking is heavy for the
archive and takes minutes to hours; bundles above 512 MiB are not made (`not_cooked`).
When not to use it: where the bucket (`swh_s3`) can be reached, or for few files of many repositories.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from minisc.core.document import sha1_git_of
from minisc.core.fingerprint import free
from minisc.core.step import Cost
from minisc.downloader.base import UNAVAILABLE, Blob, Watch
from minisc.downloader.fetching import Again, Answer, Fetching, Got, Lost, Patience, run, session
from minisc.downloader.store import BlobStore, is_content
from minisc.downloader.webapi import Scope, WebApi

if TYPE_CHECKING:
    import aiohttp

REQUESTS_A_ROOT = 3  # cook, about one poll that counts, fetch
STATUS_BYTES = 65_536
PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SwhVault(WebApi):
    """See the module; the settings of the API, and those of bundles. Memory: one bundle, compressed."""

    version: ClassVar[int] = 1

    poll_seconds: float = free()
    longest_cooking_seconds: float = free()
    poll_limit: int = free()
    poll_limit_with_token: int = free()
    poll_window_seconds: float = free()
    max_bundle_bytes: int
    max_unpacked_bytes: int

    def estimate(self, blobs: int, size: int) -> Cost:
        return Cost(
            requests=0,
            download_bytes=size,
            disk_bytes=size // 3,
            remark=f"{REQUESTS_A_ROOT} requests a repository, cooking takes minutes to hours",
        )

    def fetch(self, blobs: Sequence[Blob], store: BlobStore, watch: Watch) -> dict[str, str]:
        by_root: dict[str, list[Blob]] = defaultdict(list)
        for blob in blobs:
            if blob.root and blob.sha1_git not in store and not store.lost("swh_vault", blob.sha1_git):
                by_root[blob.root].append(blob)
        lost: dict[str, str] = {}

        async def work() -> None:
            async with session(self.connections, self.timeout_seconds) as client:
                kitchen = _Kitchen(self, client, store, watch)
                for root in sorted(by_root):
                    lost.update(await kitchen.serve(root, by_root[root]))

        if by_root:
            run(work, "swh_vault")
        unasked = {blob.sha1_git: store.lost("swh_vault", blob.sha1_git) or "unlisted" for blob in blobs if blob.sha1_git not in store}
        return unasked | {sha1_git: reason for sha1_git, reason in lost.items() if sha1_git not in store}


class _Kitchen:
    """Has trees cooked, one after the other, and takes them apart."""

    def __init__(self, settings: SwhVault, client: aiohttp.ClientSession, store: BlobStore, watch: Watch) -> None:
        self._settings, self._client, self._store, self._watch = settings, client, store, watch
        self._fetching = Fetching("swh_vault", store, watch, Patience.of(settings))
        self._cooking = settings.scope("swh_vault_cooking", store, watch, settings.granted())
        polls = settings.poll_limit_with_token if settings.token() else settings.poll_limit
        self._polling = settings.scope("swh_vault_status", store, watch, polls, window_seconds=settings.poll_window_seconds)
        self._raw = settings.scope("swh_api", store, watch, settings.granted())

    async def serve(self, root: str, blobs: Sequence[Blob]) -> dict[str, str]:
        """Fetch one tree; sha1_git -> reason for what it did not hold."""
        url = f"{self._settings.base_url.rstrip('/')}/vault/flat/swh:1:dir:{root}/"
        body = await self._fetching.patiently(lambda: self._bundle(url))
        if isinstance(body, Lost):
            return self._all_lost(blobs, body)
        wanted = {blob.sha1_git: blob for blob in blobs}
        try:
            for raw in _files(body.raw, self._settings):
                blob = wanted.get(sha1_git_of(raw))
                if blob and is_content(raw, blob.sha1_git, blob.sha1, blob.size):
                    self._store.put(blob.sha1_git, raw)
                    self._watch.advance()
        except (tarfile.TarError, zlib.error, EOFError, _TooMuch):
            return self._all_lost([blob for blob in blobs if blob.sha1_git not in self._store], Lost("damaged"))
        return self._all_lost([blob for blob in blobs if blob.sha1_git not in self._store], Lost("not_found"))

    def _all_lost(self, blobs: Sequence[Blob], why: Lost) -> dict[str, str]:
        for blob in blobs:
            if why.final:
                self._store.lose("swh_vault", blob.sha1_git, why.reason)
            self._watch.advance()
        return {blob.sha1_git: why.reason for blob in blobs}

    async def _bundle(self, url: str) -> Answer:
        """The bundle's bytes."""
        state = await self._status("POST", url, self._cooking)
        waited = 0.0
        while isinstance(state, str) and state in ("new", "pending"):
            if waited >= self._settings.longest_cooking_seconds:
                return Lost(UNAVAILABLE, final=False)
            self._watch.say(f"cooking {url.rstrip('/').rpartition(':')[2][:12]}, {waited:,.0f} s")
            await asyncio.sleep(self._settings.poll_seconds)
            waited += self._settings.poll_seconds
            state = await self._status("GET", url, self._polling)
        if not isinstance(state, str):
            return state
        if state != "done":
            return Lost("not_cooked")
        answer = await self._raw.request(self._client, "GET", f"{url}raw/", self._settings.max_bundle_bytes, elsewhere=True)
        if isinstance(answer, Again):
            return answer
        status, body = answer
        if status != 200:
            return Lost("not_found" if status in (403, 404, 410) else "refused")
        return Lost("too_large") if body is None else Got(body)

    async def _status(self, method: str, url: str, scope: Scope) -> str | Again | Lost:
        answer = await scope.request(self._client, method, url, STATUS_BYTES)
        if isinstance(answer, Again):
            return answer
        status, body = answer
        if status != 200:
            return Lost("not_found" if status in (403, 404, 410) else "refused")
        try:
            return str(json.loads(body or b"")["status"])
        except (ValueError, KeyError, TypeError):
            return Again("a status that is none")


class _TooMuch(Exception):
    """More came out of a bundle than a bundle may hold."""


class _Bounded(io.RawIOBase):
    """A gzip stream that ends in `_TooMuch`; `bytes` of the compressed data are at hand."""

    def __init__(self, body: bytes, at_most: int) -> None:
        self._body, self._at, self._left = memoryview(body), 0, at_most
        self._unpacker = zlib.decompressobj(31)

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        view = memoryview(target).cast("B")  # type: ignore[arg-type]
        while not self._unpacker.eof:
            feed = self._unpacker.unconsumed_tail or bytes(self._body[self._at : self._at + PIECE])
            if not self._unpacker.unconsumed_tail:
                self._at += len(feed)
            if not feed:
                raise EOFError("the bundle ends too early")
            out = self._unpacker.decompress(feed, len(view))
            if out:
                self._left -= len(out)
                if self._left < 0:
                    raise _TooMuch
                view[: len(out)] = out
                return len(out)
        return 0


def _files(body: bytes, settings: SwhVault) -> Iterator[bytes]:
    """The bytes of every regular file of a bundle that is not larger than `max_bytes`."""
    with tarfile.open(fileobj=io.BufferedReader(_Bounded(body, settings.max_unpacked_bytes), PIECE), mode="r|") as bundle:
        for member in bundle:
            if member.isreg() and member.size <= settings.max_bytes and (file := bundle.extractfile(member)) is not None:
                yield file.read()
