"""Requests to Software Heritage's web API: throttling, refusals, the token. Shared by `swh_api` and `swh_vault`.

In: a method and an address below `base_url`. Out: status and body, or `Again`.
The schedule is `allowance.py`, one for each throttling scope; it is kept beside the store over restarts. The first answer tells whether
the token counts: a limit that does not fit it (a token, and 120) stops the run at once, since an unknown token is silently anonymous.
On a 429 the run says so and waits to the second that the server names: Retry-After, else X-RateLimit-Reset against the server's own
Date (our clock may be wrong), else the seconds in its sentence.
The token is read when requests are made, from the environment alone; it is in no setting, log, error or file, and is sent to
`base_url`'s own host only: a redirect to another host is followed where the caller asks for it, without the token, and plain http is
refused but for this machine.
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.downloader.allowance import Allowance, Log
from minisc.downloader.base import Downloader, Watch
from minisc.downloader.fetching import Again, body_of, checked_url, is_local
from minisc.downloader.store import BlobStore

if TYPE_CHECKING:
    import aiohttp

SHORTEST_WAIT = 1.0  # seconds after a refusal, whatever the server says
ERROR_BYTES = 65_536  # of an answer that is an error
_REFUSED = re.compile(r"available in (\d{1,6}) second")


@dataclass(frozen=True, kw_only=True)
class WebApi(Downloader):
    """The settings of a client of the API. Raises UserError for values out of range, and when a token does not count."""

    base_url: str = free()
    token_variable: str = free()
    limit: int = free()
    limit_with_token: int = free()
    window_seconds: float = free()
    burst: float = free()
    connections: int = free()
    timeout_seconds: float = free()
    tries: int = free()
    pause_seconds: float = free()
    longest_pause_seconds: float = free()
    give_up_after: int = free()
    max_bytes: int

    def __post_init__(self) -> None:
        checked_url(self.base_url, "downloader.base_url")
        if self.limit < 1 or self.limit_with_token < self.limit:
            raise UserError(
                "a token does not lower the limit",
                where=f"downloader.limit_with_token={self.limit_with_token}",
                do="downloader.limit=120 downloader.limit_with_token=1200",
            )
        if not 0 <= self.burst <= 1 or self.window_seconds <= 0 or self.tries < 1 or self.connections < 1 or self.max_bytes < 1:
            raise UserError(
                "burst is a share, windows and tries are positive", where=f"downloader.burst={self.burst}", do="downloader.burst=0.1"
            )

    def granted(self) -> int:
        """Requests a window: with a token, or without."""
        return self.limit_with_token if self.token() else self.limit

    def scope(self, name: str, store: BlobStore, watch: Watch, limit: int, *, window_seconds: float | None = None) -> Scope:
        """The allowance of one scope, with what earlier runs used of it."""
        return Scope(
            name=name,
            settings=self,
            store=store,
            watch=watch,
            token=self.token(),
            limit=limit,
            window=window_seconds or self.window_seconds,
        )

    def token(self) -> str:
        """The token in the environment, or nothing. Raises UserError for one that must not be sent."""
        token = os.environ.get(self.token_variable, "").strip()
        if token and not (token.isascii() and token.isprintable() and " " not in token):
            raise UserError(
                "the token holds characters that no token has",
                where=f"environment variable {self.token_variable}",
                do=f"export {self.token_variable}=<token from your profile page at the archive>",
            )
        if token and not self.base_url.startswith("https://") and not is_local(self.base_url):
            raise UserError(
                "a token is not sent over plain http",
                where=f"downloader.base_url={self.base_url}",
                do=f"use https, or unset {self.token_variable}",
            )
        return token


class Scope:
    """Requests of one throttling scope: waits, headers, refusals."""

    def __init__(self, *, name: str, settings: WebApi, store: BlobStore, watch: Watch, token: str, limit: int, window: float) -> None:
        self._settings, self._watch, self._token, self._limit = settings, watch, token, limit
        owner = hashlib.sha256(f"{urlsplit(settings.base_url).netloc}\0{token}".encode()).hexdigest()[:12]
        self._log = Log(store.folder / f"allowance-{name}-{owner}.log", window)
        held = self._log.held_until(time.time(), time.monotonic(), settings.timeout_seconds)
        self.allowance = Allowance(limit, window, settings.burst, held)
        self._gate = asyncio.Lock()

    async def request(
        self, client: aiohttp.ClientSession, method: str, url: str, bound: int, *, elsewhere: bool = False
    ) -> tuple[int, bytes | None] | Again:
        """(status, body or None when longer than `bound`), or `Again`. `elsewhere`: another host may be followed to, without the token."""
        for _ in range(3):  # a redirect within the host is a request of its own
            answer = await self._once(client, method, url, bound)
            if not isinstance(answer, str):
                return answer
            if urlsplit(answer).netloc != urlsplit(url).netloc:
                return await self._other_host(client, answer, bound) if elsewhere else (421, b"")
            url = answer
        return (421, b"")

    async def _once(self, client: aiohttp.ClientSession, method: str, url: str, bound: int) -> tuple[int, bytes | None] | Again | str:
        """One request; a text is where it is redirected to."""
        await self._permit()
        answered = False
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with client.request(method, url, headers=headers, allow_redirects=False) as response:
                if response.status == 429:
                    answered = True
                    told = await body_of(response, ERROR_BYTES)
                    wait = max(SHORTEST_WAIT, refusal_wait(response.headers, told, time.time(), self._settings.longest_pause_seconds))
                    self.allowance.refused(time.monotonic(), wait)
                    self._watch.say(f"refused (429), waiting {wait:,.0f} s")
                    return Again("status 429", after=0.0, counts=False)
                answered = True
                self._learn(response.headers)
                if response.status == 401:
                    raise UserError(
                        "the archive refuses the token (401)",
                        where=f"environment variable {self._settings.token_variable}",
                        do="make a new token on your profile page at the archive, or unset the variable",
                    )
                if response.status >= 500:
                    return Again(f"status {response.status}")
                if 300 <= response.status < 400:
                    return urljoin(url, response.headers.get("Location", ""))
                return response.status, await body_of(response, bound if response.status == 200 else ERROR_BYTES)
        finally:
            if not answered:
                self.allowance.failed(time.monotonic())

    async def _other_host(self, client: aiohttp.ClientSession, url: str, bound: int) -> tuple[int, bytes | None] | Again:
        """Where the vault keeps its bundles: no token, no allowance, no further redirect."""
        async with client.get(url, allow_redirects=False) as response:
            return (
                Again(f"status {response.status}")
                if response.status >= 500 or response.status == 429
                else (response.status, await body_of(response, bound))
            )

    async def _permit(self) -> None:
        async with self._gate:
            while (wait := self.allowance.wait(time.monotonic())) > 0:
                self._watch.say(f"{self.allowance.left:,} requests left, next in {wait:,.0f} s")
                await asyncio.sleep(min(wait, 60.0))
            self._log.note(time.time())
            self.allowance.sent(time.monotonic())

    def _learn(self, headers: Mapping[str, str]) -> None:
        limit, remaining, reset = (_number(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset"))
        reset_in = None if reset is None else max(0.0, reset - server_time(headers, time.time()))
        self.allowance.answered(time.monotonic(), None if remaining is None else int(remaining), reset_in)
        if limit is not None and limit != self._limit:
            told = "with a token" if self._token else "without a token"
            variable = self._settings.token_variable
            raise UserError(
                f"the archive grants {limit:,.0f} requests an hour, {self._limit:,} were expected {told}" + (": the token does not count" if self._token and limit < self._limit else ""),
                where=f"environment variable {variable}" if self._token else "downloader.limit",
                do=f"check {variable}, or say what you were granted: downloader.limit{'_with_token' if self._token else ''}={limit:.0f}",
            )  # fmt: skip


def refusal_wait(headers: Mapping[str, str], body: bytes | None, wall: float, otherwise: float) -> float:
    """Seconds to wait after a 429: Retry-After, else the reset (+1), else the seconds in the sentence (+1), else `otherwise`."""
    if (after := _number(headers.get("Retry-After"))) is not None:
        return after
    if (reset := _number(headers.get("X-RateLimit-Reset"))) is not None:
        return max(0.0, reset - server_time(headers, wall)) + 1.0
    try:
        told = json.loads(body or b"")
    except ValueError:
        return otherwise
    found = _REFUSED.search(str(told.get("reason", ""))) if isinstance(told, dict) else None
    return float(found[1]) + 1.0 if found else otherwise


def server_time(headers: Mapping[str, str], wall: float) -> float:
    """The server's own clock, by its Date header: the reset is told on that clock, and ours may be wrong."""
    try:
        return email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return wall


def _number(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
