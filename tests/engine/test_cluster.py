"""`engine=ray` on a cluster of several nodes: workers and a whole node are killed on the way, and nothing changes. Real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

import minisc
from tests import road

T = TypeVar("T")

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("default")]
STEPS = "steps=[collect,curate,train_tokenizer,pack]"
SMALL_PARTS = "source.part_bytes=4_000"  # so that there is enough on the way
NODE = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False}
WORKER_KILLS = 5


@pytest.fixture(autouse=True)
def offline() -> None:
    """Nodes of a Ray cluster meet at the machine's own address, which the guard of the other tests does not know."""


class Nodes:
    """A cluster of one core a node; the first node holds the cluster's state, and is the one that the run itself is on."""

    def __init__(self, number: int) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args=NODE)
        self._others = {
            node.all_processes["raylet"][0].process.pid: node for node in (self._cluster.add_node(**NODE) for _ in range(number - 1))
        }
        self.address = f"engine.address={self._cluster.address}"

    def at_work(self) -> int:
        """The process of a node, not the first, that is running a task of ours just now; 0 if there is none."""
        return next((raylet for raylet in self._others if busy(raylet)), 0)

    def kill(self, raylet: int) -> None:
        """A node goes as a machine that loses its power."""
        self._cluster.remove_node(self._others.pop(raylet), allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@contextmanager
def nodes(number: int) -> Iterator[Nodes]:
    running = Nodes(number)
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The road by the local engine, never disturbed."""
    out = tmp_path_factory.mktemp("whole")
    road.run(corpus, out, STEPS, SMALL_PARTS)
    return road.contents(out)


def busy(raylet: int | None = None) -> list[int]:
    """Worker processes that run a task of ours just now; of one raylet, or of all of this cluster."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title, parent = (folder / "cmdline").read_bytes(), int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith(b"ray::Map(_call)") and (raylet is None or parent == raylet):
            found.append(int(folder.name))
    return found


def wait(until: Callable[[], T], process: subprocess.Popen[str]) -> T:
    """What `until` says as soon as it says something, while the run goes on."""
    end = time.monotonic() + 120
    while not (told := until()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.002)
    return told


def start(corpus: Path, out: Path, *words: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """A run by `engine=ray`, in a process of its own."""
    own = [word for word in road.command(corpus, out, STEPS, SMALL_PARTS) if word != "engine.workers=2"]
    return subprocess.Popen(
        [*own, "engine=ray", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=road.environment(), cwd=folder,
        start_new_session=True,
    )  # fmt: skip


def test_workers_and_a_whole_node_die_and_nothing_changes(corpus: Path, whole: dict[str, str], tmp_path: Path) -> None:
    with nodes(3) as cluster:
        process = start(corpus, tmp_path, cluster.address)
        killed: set[int] = set()
        while len(killed) < WORKER_KILLS:
            worker = wait(lambda: set(busy()) - killed, process).pop()
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        curating = "store/curate/*/scratch/pass-0/kept/*.parquet"
        cluster.kill(wait(lambda: next(tmp_path.glob(curating), None) and cluster.at_work(), process) or 0)
        told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert road.contents(tmp_path) == whole


def test_a_cluster_of_other_code_is_refused(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(minisc.__file__).parent
    for name in ("minisc", "conf", "recipes"):
        shutil.copytree(package.parent / name, tmp_path / "other" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other/minisc/core/errors.py").open("a") as file:
        file.write("# another state of the code\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    with nodes(1) as cluster:
        monkeypatch.delenv("PYTHONPATH")
        process = start(corpus, tmp_path / "out", cluster.address, folder=tmp_path)
        told, _ = process.communicate(timeout=300)
    assert process.returncode == 2 and "a node runs another minisc than this machine" in told, told


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_ends_and_goes_on(corpus: Path, whole: dict[str, str], tmp_path: Path, sign: signal.Signals) -> None:
    process = start(corpus, tmp_path)
    wait(lambda: next(tmp_path.glob("store/curate/*/scratch/pass-0/kept/*.parquet"), None), process)
    process.send_signal(sign)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + sign and "the same line goes on where it stopped" in told and "Traceback" not in told, told
    process = start(corpus, tmp_path)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and road.contents(tmp_path) == whole, told
