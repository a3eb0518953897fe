"""A real S3 server on loopback, in a process of its own, with one bucket, for tests of stores that are no folders."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def served() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        server = Server(int(process.stdout.readline()))
        server.system.create_dir(BUCKET)
        yield server
    finally:
        process.kill()
        process.communicate()
