"""The road with its store in a bucket: the same fingerprints and bytes as on a disk, by both engines, also after kill -9. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minisc.core import mirror
from tests import bucket, road

pytestmark = pytest.mark.system
STEPS = "steps=[collect,curate,train_tokenizer,pack]"


@pytest.fixture(scope="module")
def server() -> Iterator[bucket.Server]:
    pytest.importorskip("moto")
    with bucket.served() as running:
        yield running


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    road.run(corpus, out, STEPS)
    return road.contents(out)


def run(server: bucket.Server, corpus: Path, name: str, machine: Path, *words: str, kill_at: str = "") -> str:
    """Run the road into the bucket from a machine with a mirror of its own; killed as soon as the mirror holds `kill_at`."""
    command = [word for word in road.command(corpus, Path("x"), *words) if word != "out=x"] + [f"out=s3://bucket/{name}"]
    environment = {**road.environment(), **server.environment(machine)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    )
    if kill_at:
        while process.poll() is None and not any(machine.rglob(kill_at)):
            time.sleep(0.005)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    told, _ = process.communicate(timeout=300)
    assert kill_at or process.returncode == 0, told
    return told


def contents(server: bucket.Server, name: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a machine that has seen nothing yet finds in the bucket."""
    for key, value in server.environment(machine).items():
        monkeypatch.setenv(key, value)
    return road.contents(mirror.match(mirror.local(f"s3://bucket/{name}?endpoint_override={server.endpoint}")))


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_same_bytes_as_on_a_disk(
    server: bucket.Server, corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    told = run(server, corpus, engine, tmp_path / "one", STEPS, f"engine={engine}")
    assert f"s3://bucket/{engine}/store/pack/" in "".join(told.split())
    assert contents(server, engine, tmp_path / "other", monkeypatch) == whole
    again = run(server, corpus, engine, tmp_path / "third", STEPS)
    assert again.count("in the store") == 4


def test_killed_on_one_machine_it_goes_on_on_another(
    server: bucket.Server, corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(server, corpus, "killed", tmp_path / "one", STEPS, kill_at="curate/*/scratch/pass-0/kept/*.parquet")
    run(server, corpus, "killed", tmp_path / "two", STEPS)
    assert contents(server, "killed", tmp_path / "other", monkeypatch) == whole
