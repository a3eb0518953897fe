"""A real S3 server on loopback, in a process of its own, with one bucket, for tests of stores that are no folders."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.fs as fs

BUCKET = "bucket"
_SERVE = """
import sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class Server:
    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"

    def environment(self, mirror: Path) -> dict[str, str]:
        """What a process needs to reach it, with a mirror of its own."""
        return {
            "AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-secret", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.endpoint,
            "MINISC_MIRROR": str(mirror),
        }  # fmt: skip

    @property
    def system(self) -> fs.S3FileSystem:
        host = self.endpoint.removeprefix("http://")
        return fs.S3FileSystem(
            access_key="tester", secret_key="not-secret", region="us-east-1", endpoint_override=host, scheme="http", allow_bucket_creation=True
        )  # fmt: skip


class Line(Server):
    """The way to a server, which can be cut and mended: everything under way breaks off, and nobody answers."""

    def __init__(self, server: Server) -> None:
        self._to = ("127.0.0.1", int(server.endpoint.rpartition(":")[2]))
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(self._listener.getsockname()[1])
        self.answered = 0
        self.mend()

    def mend(self) -> None:
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", int(self.endpoint.rpartition(":")[2])))
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, far = self._listener.accept()[0], socket.create_connection(self._to)
                self.answered += 1
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pour, args=(one, other), daemon=True).start()


def _pour(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(1 << 16):
            other.sendall(piece)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def served(refusing: bool = False) -> Iterator[Server]:
    """`refusing`: from when the bucket is there, all credentials are wrong."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore", **({"INITIAL_NO_AUTH_ACTION_COUNT": "2"} if refusing else {})},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        server = Server(int(process.stdout.readline()))
        server.system.create_dir(BUCKET)
        yield server
    finally:
        process.kill()
        process.communicate()
