"""Blobs a second and core of the bucket's client: requests, gunzip, both hashes and the store, against a server on loopback.

    python tests/benchmarks/bench_swh_s3.py [blobs]

The server is a process of its own that answers from memory; what is counted is the client's own CPU time. Beside it, in the same
run: the same requests with nothing done to the bodies, which is the price of the HTTP library alone.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path

from minisc.core.document import sha1_git_of
from minisc.downloader.base import Blob, Unwatched
from minisc.downloader.fetching import session
from minisc.downloader.store import BlobStore
from minisc.downloader.swh_s3 import SwhS3

CONNECTIONS = 64


def contents(number: int) -> list[bytes]:
    """Python-like text, log-normal sizes with a median of 3 kB, as source files have."""
    rng = random.Random(1)
    words = [f"name_{at} = value_{at * 7 % 1000}\n".encode() for at in range(3000)]
    return [b"%d\n" % at + b"".join(rng.choices(words, k=max(1, int(rng.lognormvariate(4.7, 1.2))))) for at in range(number)]


class _Answers(asyncio.Protocol):
    def __init__(self, bodies: dict[bytes, bytes]) -> None:
        self._bodies, self._held = bodies, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            path, self._held = self._held[:end].split(b" ", 2)[1], self._held[end + 4 :]
            self._transport.write(self._bodies[path])  # type: ignore[attr-defined]


def serve(number: int, port: multiprocessing.SimpleQueue) -> None:
    bodies = {}
    for raw in contents(number):
        packed = gzip.compress(raw, 6)
        bodies[b"/content/" + hashlib.sha1(raw).hexdigest().encode()] = (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
        )

    async def work() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Answers(bodies), "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(work())


async def bare(url: str, blobs: list[Blob]) -> None:
    waiting = iter(blobs)

    async def work() -> None:
        for one in waiting:
            async with client.get(f"{url}/{one.sha1}", allow_redirects=False) as response:
                await response.read()

    async with session(CONNECTIONS, 60.0) as client, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    raws = contents(number)
    blobs = [Blob(sha1_git=sha1_git_of(raw), sha1=hashlib.sha1(raw).hexdigest(), size=len(raw)) for raw in raws]
    port: multiprocessing.SimpleQueue = multiprocessing.SimpleQueue()
    server = multiprocessing.Process(target=serve, args=(number, port), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}/content"
    client = SwhS3(
        store="",
        base_url=url,
        connections=CONNECTIONS,
        timeout_seconds=60.0,
        tries=3,
        pause_seconds=0.1,
        longest_pause_seconds=1.0,
        give_up_after=100,
        max_bytes=1 << 20,
    )
    print(f"{number:,} blobs, {sum(map(len, raws)) / number:,.0f} bytes each in the mean, {CONNECTIONS} connections")
    with tempfile.TemporaryDirectory() as folder, BlobStore(Path(folder)) as store:
        start, cpu = time.perf_counter(), time.process_time()
        lost = client.fetch(blobs, store, Unwatched())
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        assert not lost and len(store) == number
    print(f"  ours       {number / cpu:,.0f} blobs a CPU second, {number / wall:,.0f} a second")
    start, bare_cpu = time.perf_counter(), time.process_time()
    asyncio.run(bare(url, blobs))
    wall, bare_cpu = time.perf_counter() - start, time.process_time() - bare_cpu
    print(f"  requests   {number / bare_cpu:,.0f} a CPU second, {number / wall:,.0f} a second; ratio {cpu / bare_cpu:.2f}")
    server.terminate()


if __name__ == "__main__":
    main()
