"""Real HTTP servers on loopback that behave as Software Heritage's do, and misbehave on demand.

`Archive` holds contents; `faults` maps a key of the path's hash to what happens instead, once for each entry, then all is well again;
a fault that is repeated for ever is given as `forever`. Every request is recorded with its headers.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import socket
import tarfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from minisc.core.document import sha1_git_of
from minisc.downloader.base import Blob


def blob(data: bytes, root: str | None = None, *, sized: bool = True) -> Blob:
    return Blob(sha1_git=sha1_git_of(data), sha1=hashlib.sha1(data).hexdigest(), size=len(data) if sized else None, root=root)


@dataclass
class Archive:
    """Contents by both hashes, and what goes wrong."""

    by_sha1: dict[str, bytes] = field(default_factory=dict)
    by_git: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, deque[str]] = field(default_factory=dict)
    forever: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    elsewhere: str = ""  # where redirects to another host lead
    limit: int | None = None  # of the API, a window; None: no throttling headers
    window: float = 3600.0
    log: deque[float] = field(default_factory=deque)
    refused: int = 0
    headers_on_refusal: str = "reset"  # reset, retry-after, sentence, none
    date_ahead: float = 0.0  # of the server's clock over ours
    bundles: dict[str, bytes] = field(default_factory=dict)  # root -> tar.gz
    cooking_polls: int = 0
    url: str = ""

    def add(self, data: bytes) -> Blob:
        one = blob(data)
        self.by_sha1[str(one.sha1)] = data
        self.by_git[one.sha1_git] = data
        return one

    def fault(self, one: Blob, *what: str) -> None:
        self.faults[str(one.sha1)] = self.faults[one.sha1_git] = deque(what)

    def always(self, one: Blob, what: str) -> None:
        self.forever[str(one.sha1)] = self.forever[one.sha1_git] = what

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]

    # -- the bucket and the API -----------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.headers)))
        if request.path.startswith("/content/"):
            key = request.path.rpartition("/")[2]
            data = self.by_sha1.get(key)
            return await self._answer(request, key, None if data is None else gzip.compress(data, 6, mtime=0))
        if request.path.startswith("/api/1/"):
            if (refusal := self._throttle()) is not None:
                return refusal
            response = await self._api(request)
            if not response.prepared:
                response.headers.update(self._limits())
            return response
        if request.path.startswith("/bundle/"):
            return web.Response(body=self.bundles[request.path.rpartition("/")[2]])
        return web.Response(status=404)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.removeprefix("/api/1/").strip("/").split("/")
        if parts[0] == "content" and parts[-1] == "raw":
            key = parts[1].removeprefix("sha1_git:")
            return await self._answer(request, key, self.by_git.get(key))
        if parts[:2] == ["vault", "flat"]:
            return self._vault(request, parts[2].removeprefix("swh:1:dir:"), raw=parts[-1] == "raw")
        return web.json_response({"exception": "BadInputExc", "reason": "?"}, status=400)

    def _vault(self, request: web.Request, root: str, *, raw: bool) -> web.StreamResponse:
        if root not in self.bundles:
            return web.json_response({"exception": "NotFoundExc", "reason": "no such directory"}, status=404)
        if raw:
            return (
                web.Response(status=302, headers={"Location": f"{self.elsewhere}/bundle/{root}"})
                if self.elsewhere
                else web.Response(body=self.bundles[root])
            )
        self.cooking_polls -= 1
        status = "pending" if self.cooking_polls >= 0 else "failed" if self.forever.get(root) == "failed" else "done"
        return web.json_response({"id": 1, "status": status})

    def _throttle(self) -> web.Response | None:
        now = time.time()
        while self.log and self.log[0] <= now - self.window:
            self.log.popleft()
        if self.limit is None or len(self.log) < self.limit:
            self.log.append(now)
            return None
        self.refused += 1
        wait = self.log[0] + self.window - now
        headers = {
            "reset": {
                "X-RateLimit-Limit": str(self.limit),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(self.log[0] + self.window + self.date_ahead)),
            },
            "retry-after": {"Retry-After": str(int(wait) + 1)},
        }.get(self.headers_on_refusal, {})
        reason = (
            f"Request was throttled. Expected available in {int(wait) + 1} seconds."
            if self.headers_on_refusal == "sentence"
            else "Request was throttled."
        )
        return web.json_response({"exception": "Throttled", "reason": reason}, status=429, headers={**headers, **self._date()})

    def _limits(self) -> dict[str, str]:
        if self.limit is None:
            return {}
        reset = (self.log[0] if self.log else time.time()) + self.window + self.date_ahead
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - len(self.log)),
            "X-RateLimit-Reset": str(int(reset)),
            **self._date(),
        }

    def _date(self) -> dict[str, str]:
        return {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + self.date_ahead))}

    async def _answer(self, request: web.Request, key: str, body: bytes | None) -> web.StreamResponse:
        waiting = self.faults.get(key)
        fault = waiting.popleft() if waiting else self.forever.get(key, "")
        if fault.isdigit():
            return web.json_response({"exception": "?", "reason": "?"}, status=int(fault))
        if fault == "reset":
            assert request.transport is not None
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            request.transport.abort()
            return web.Response()
        if fault == "slow":
            await asyncio.sleep(3)
        if fault == "elsewhere":
            return web.Response(status=302, headers={"Location": f"{self.elsewhere}{request.path}"})
        if fault == "same host":
            return web.Response(status=302, headers={"Location": request.path})
        if body is None:
            return web.json_response({"exception": "NotFoundExc", "reason": "not found"}, status=404)
        return await self._body(request, _FAULTY.get(fault, lambda same: same)(body), fault)

    async def _body(self, request: web.Request, body: bytes, fault: str) -> web.StreamResponse:
        if fault in ("short", "trickle", "endless"):
            response = web.StreamResponse(headers={} if fault == "endless" else {"Content-Length": str(len(body))})
            await response.prepare(request)
            if fault == "endless":
                for _ in range(2000):
                    await response.write(b"\0" * 65536)
            for at in range(len(body) // 2 if fault == "short" else len(body)):
                await response.write(body[at : at + 1])
                await asyncio.sleep(0.5 if fault == "trickle" else 0)
            if fault == "short":
                assert request.transport is not None
                request.transport.close()
            return response
        return web.Response(body=body, content_type="application/octet-stream")


BOMB = gzip.compress(b"\0" * 50_000_000, 9, mtime=0)
_FAULTY: dict[str, Callable[[bytes], bytes]] = {
    "wrong": lambda body: gzip.compress(gzip.decompress(body)[::-1], mtime=0) if body[:2] == b"\x1f\x8b" else body[::-1],
    "plain": lambda body: gzip.decompress(body),
    "zeros": lambda body: b"\0\0" + body[2:],
    "bomb": lambda body: BOMB,
    "cut gzip": lambda body: body[:-9],
    "twice": lambda body: body + body,
}


def bundle(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A flat vault bundle."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
        for name, target in (links or {}).items():
            about = tarfile.TarInfo(name)
            about.type, about.linkname = tarfile.SYMTYPE, target
            tar.addfile(about)
    return out.getvalue()


@contextmanager
def serving(archive: Archive, host: str = "127.0.0.1") -> Iterator[str]:
    """The address of a server for this archive, in a thread of its own."""
    started: list[Any] = []
    ready = threading.Event()

    def serve() -> None:
        async def work() -> None:
            app = web.Application(client_max_size=1 << 20)
            app.router.add_route("*", "/{path:.*}", archive.handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, host, 0)
            await site.start()
            stop = asyncio.Event()
            started.extend([runner.addresses[0][1], asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()
            await runner.cleanup()

        asyncio.run(work())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    archive.url = f"http://{host}:{started[0]}"
    try:
        yield archive.url
    finally:
        started[1].call_soon_threadsafe(started[2].set)
        thread.join(10)


class Said:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.done, self.words = 0.0, list[str]()

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def say(self, text: str) -> None:
        self.words.append(text)
