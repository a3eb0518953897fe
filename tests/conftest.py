"""A strict, quiet environment: no network, no configuration of the machine, warnings are errors (pyproject.toml)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from minisc.core import mirror
from tests import bucket, small_corpus

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

settings.register_profile("ci", derandomize=True)  # CI repeats itself; people at their desks look for new examples
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections leave for loopback only."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])  # type: ignore[index]
            assert host.startswith("127.") or host in ("::1", "localhost"), f"a test wants to reach {host}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("HF_TOKEN", "SWH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small corpus of known fate."""
    folder = tmp_path_factory.mktemp("corpus")
    small_corpus.make(folder)
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[bucket.Server]:
    """A real S3 server with an empty bucket."""
    pytest.importorskip("moto")
    with bucket.served() as running:
        yield running


@pytest.fixture
def here(server: bucket.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mirror of a folder in the bucket that nobody else uses. The endpoint stands in the address: each server is its own system."""
    for name, value in server.environment(tmp_path / "one").items():
        monkeypatch.setenv(name, value)
    path = mirror.local(f"s3://bucket/{tmp_path.name}?endpoint_override={server.endpoint}")
    path.mkdir(parents=True)
    return path
