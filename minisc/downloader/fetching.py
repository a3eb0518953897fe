"""Many requests at once, each tried until its answer is final: what the downloaders over HTTP share.

In: blobs and a coroutine that asks for one. Out: bytes in the store, reasons for the rest.
Guarantees: at most `connections` under way; a body is read to its bound and no further; what is transient (connection trouble,
time-outs, 5xx, 429 without a clock) is tried again after a random pause that doubles up to a cap ("full jitter", so that a
thousand clients do not come back at once); a wrong answer is tried once more, then it is final; after `give_up_after` failures
in a row, over all blobs, the source is given up. Redirects are never followed here.
Rejected: httpx (a twentieth of the requests a CPU-second), a client of the AWS SDK (boto3: one thread a request, 60 packages),
retry libraries (they know nothing of an allowance).
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from minisc.core.errors import MissingExtra, UserError
from minisc.downloader.base import UNAVAILABLE, Blob, Watch
from minisc.downloader.store import BlobStore, is_content

if TYPE_CHECKING:
    import aiohttp

USER_AGENT = "minisc/0.1 (builds a small language model; reads each content once)"


@dataclass(frozen=True, slots=True)
class Got:
    raw: bytes
    packed: bytes | None = None  # the same as gzip, as it came


@dataclass(frozen=True, slots=True)
class Lost:
    """No bytes. `final`: the source will not say otherwise; `doubted`: it may have been an accident, ask once more."""

    reason: str
    final: bool = True
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """Trouble that passes; `after` seconds where the server says so; `counts` towards giving the source up."""

    why: str
    after: float | None = None
    counts: bool = True


Answer = Got | Lost | Again


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often and how long."""

    tries: int
    pause_seconds: float  # before the second try, at most; doubles from there
    longest_pause_seconds: float
    give_up_after: int  # failures in a row of the source as a whole

    @classmethod
    def of(cls, settings: Any) -> Patience:
        """From a downloader's settings, which have the same names."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


class Fetching:
    """One source over one list of blobs."""

    def __init__(self, source: str, store: BlobStore, watch: Watch, patience: Patience) -> None:
        self._source, self._store, self._watch, self._patience = source, store, watch, patience
        self._in_a_row = 0
        self._random = random.Random()  # noqa: S311 (pauses, nothing that a result depends on)
        self.lost: dict[str, str] = {}

    async def all(self, blobs: Sequence[Blob], ask: Callable[[Blob], Awaitable[Answer]], connections: int) -> None:
        """Ask for every blob that the store neither has nor knows to be lost."""
        waiting = iter([blob for blob in blobs if self._is_open(blob)])

        async def work() -> None:
            for blob in waiting:
                await self._one(blob, ask)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(work())

    def _is_open(self, blob: Blob) -> bool:
        if blob.sha1_git in self._store:
            return False
        reason = self._store.lost(self._source, blob.sha1_git)
        if reason:
            self.lost[blob.sha1_git] = reason
        return not reason

    async def _one(self, blob: Blob, ask: Callable[[Blob], Awaitable[Answer]]) -> None:
        answer = await self.patiently(lambda: ask(blob))
        if isinstance(answer, Got):
            self._store.put(blob.sha1_git, answer.raw, answer.packed)
        else:
            self.lost[blob.sha1_git] = answer.reason
            if answer.final:
                self._store.lose(self._source, blob.sha1_git, answer.reason)
        self._watch.advance()

    async def patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Got | Lost:
        """The final answer to one question; a doubted one is asked once more."""
        answer = await self._settled(ask)
        return await self._settled(ask) if isinstance(answer, Lost) and answer.doubted else answer

    async def _settled(self, ask: Callable[[], Awaitable[Answer]]) -> Got | Lost:
        pause, tries = self._patience.pause_seconds, 0
        while True:
            answer = await _attempt(ask)
            if not isinstance(answer, Again):
                self._in_a_row = 0
                return answer
            if answer.counts:
                tries += 1
                self._count(answer.why)
                if tries >= self._patience.tries:
                    return Lost(UNAVAILABLE, final=False)
            await asyncio.sleep(answer.after if answer.after is not None else self._random.uniform(0, pause))
            pause = min(2 * pause, self._patience.longest_pause_seconds)

    def _count(self, why: str) -> None:
        self._in_a_row += 1
        if self._in_a_row >= self._patience.give_up_after:
            raise UserError(
                f"{self._source} failed {self._in_a_row} times in a row, last with {why}", where=f"downloader={self._source}",
                do="look whether the address is right and reachable, and run the same line again: nothing that arrived is asked for again",
            )  # fmt: skip


async def _attempt(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """One request; the network's own troubles are `Again`."""
    import aiohttp

    try:
        return await ask()
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        return Again(type(error).__name__)


def run(work: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
    """Run a coroutine to its end; of a group of errors the first that a person can mend is raised."""
    if importlib.util.find_spec("aiohttp") is None:
        raise MissingExtra.named("aiohttp", "swh", f"downloader={what}")
    try:
        asyncio.run(work())
    except ExceptionGroup as group:
        raise _first(group) from None


def _first(group: ExceptionGroup) -> Exception:
    flat: list[Exception] = []
    for error in group.exceptions:
        flat.append(_first(error) if isinstance(error, ExceptionGroup) else error)
    return next((error for error in flat if isinstance(error, UserError)), flat[0])


@asynccontextmanager
async def session(connections: int, timeout_seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that never decompresses, follows, or remembers cookies, and reads no proxy or password from the environment."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ttl_dns_cache=300), timeout=aiohttp.ClientTimeout(total=timeout_seconds), auto_decompress=False,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}, cookie_jar=aiohttp.DummyCookieJar(), raise_for_status=False,
    ) as client:  # fmt: skip
        # aiohttp repeats a GET by itself when a connection breaks: a request that no allowance would know of. There is no public switch;
        # tests/downloader/test_swh_api.py counts what arrives.
        client._retry_connection = False
        yield client


async def body_of(response: aiohttp.ClientResponse, bound: int) -> bytes | None:
    """The body, or None when it is longer than `bound` bytes (at most a read's worth more is taken in)."""
    if response.content_length is not None:
        return await response.read() if response.content_length <= bound else None
    held, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > bound:
            return None
        held.append(piece)
    return b"".join(held)


def checked(raw: bytes, blob: Blob, packed: bytes | None = None) -> Got | Lost:
    """Bytes that are what was asked for, or `hash_mismatch`."""
    if is_content(raw, blob.sha1_git, blob.sha1, blob.size):
        return Got(raw, packed)
    return Lost("hash_mismatch", doubted=True)


def checked_url(url: str, where: str) -> str:
    """An address without its closing slash. Raises UserError for what is none, or carries a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UserError("an address of the form http(s)://host/path is needed", where=f"{where}={url}", do=f"{where}=https://…")
    return url.rstrip("/")


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"
