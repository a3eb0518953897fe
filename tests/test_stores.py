"""The road with its store in a bucket: the same fingerprints and bytes as on a disk, by both engines, also after kill -9. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from minisc.core import mirror
from tests import bucket, road

pytestmark = pytest.mark.system
CURATING = "curate/*/scratch/pass-0/kept/*.parquet"
STEPS = "steps=[collect,curate,train_tokenizer,pack]"


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("whole")
    road.run(corpus, out, STEPS)
    return road.contents(out)


def start(server: bucket.Server, corpus: Path | str, name: str, machine: Path, *words: str) -> subprocess.Popen[str]:
    """The road into the bucket, from a machine with a mirror of its own."""
    command = [word for word in road.command(Path("x"), Path("x"), *words) if word not in ("out=x", "source.path=x")]
    return subprocess.Popen(
        [*command, f"out=s3://bucket/{name}", f"source.path={corpus}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**road.environment(), **server.environment(machine)}, start_new_session=True,
    )  # fmt: skip


def end(process: subprocess.Popen[str], expect: int = 0) -> str:
    told, _ = process.communicate(timeout=300)
    assert process.returncode == expect, told
    return told


def run(server: bucket.Server, corpus: Path | str, name: str, machine: Path, *words: str) -> str:
    return end(start(server, corpus, name, machine, *words))


def wait_for(machine: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Until the mirror of this machine holds a file of that kind."""
    while not any(machine.rglob(pattern)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


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
    process = start(server, corpus, "killed", tmp_path / "one", STEPS)
    wait_for(tmp_path / "one", CURATING, process)
    os.killpg(process.pid, signal.SIGKILL)
    end(process, expect=-signal.SIGKILL)
    run(server, corpus, "killed", tmp_path / "two", STEPS)
    assert contents(server, "killed", tmp_path / "other", monkeypatch) == whole


def test_two_machines_make_the_same_at_the_same_time(
    server: bucket.Server, corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [end(process) for process in [start(server, corpus, "both", tmp_path / name, STEPS) for name in ("one", "two")]]
    assert any("is making this artifact; waiting for it" in words for words in told)
    assert contents(server, "both", tmp_path / "other", monkeypatch) == whole


def test_files_artifacts_and_runs_at_addresses(server: bucket.Server, corpus: Path, whole: dict[str, str], tmp_path: Path) -> None:
    for path in corpus.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with server.system.open_output_stream(f"bucket/code/{path.relative_to(corpus.parent).as_posix()}") as file:
                file.write(path.read_bytes())
    machine = tmp_path / "one"
    plan = run(server, f"s3://bucket/code/{corpus.name}", "from", machine, "steps=[collect,curate]")
    made = {step: next(path for path in whole if path.startswith(step)).split("/")[1] for step in ("collect", "curate")}
    assert made["collect"][:6] in plan and made["curate"][:6] in plan  # the same files, so the same fingerprints
    documents = f"inputs.documents=s3://bucket/from/store/curate/{made['curate']}"
    told = run(server, "null", "to", machine, "steps=[train_tokenizer]", documents)
    assert next(path for path in whole if path.startswith("train_tokenizer")).split("/")[1][:6] in told
    told = run(
        server, "null", "to", machine, "steps=[compare]", "runs=[s3://bucket/from/runs/pretrain_local,s3://bucket/to/runs/pretrain_local]"
    )
    assert "documents_kept" in told and "vocabulary" in told


def test_a_line_that_breaks_loses_nothing(
    server: bucket.Server, corpus: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = bucket.Line(server)
    process = start(line, corpus, "broken", tmp_path / "one", STEPS)
    wait_for(tmp_path / "one", CURATING, process)
    line.cut()
    told = end(process, expect=2)
    assert "the place does not answer" in told and "the same line again" in " ".join(told.split()) and "Traceback" not in told, told
    line.mend()
    run(line, corpus, "broken", tmp_path / "one", STEPS)
    assert contents(server, "broken", tmp_path / "other", monkeypatch) == whole


def test_credentials_that_are_refused(corpus: Path, tmp_path: Path) -> None:
    with bucket.served(refusing=True) as refusing:
        told = end(start(refusing, corpus, "refused", tmp_path / "one", STEPS), expect=2)
    assert "the place refuses our credentials" in told and "AWS_ACCESS_KEY_ID" in told and "not-secret" not in told, told
