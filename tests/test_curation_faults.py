"""Curation under faults and hostile input, from the command line: workers and runs killed while a filter resolves; files that no filter likes.

The moment of a kill is not drawn but held: an audit hook in the run stops the whole process (SIGSTOP) as soon as it begins a `resolve`, is in
the middle of it, or has written everything and is about to rename it into place; then who is to die is killed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from minisc.core.durable import TEMPORARY
from tests import road, small_corpus

pytestmark = pytest.mark.system

STEPS = "steps=[collect,curate]"
BENCHMARK = Path(__file__).parent / "corpus"
OWN = (
    f"benchmarks={BENCHMARK}", "~filters.decontaminate.benchmarks",
    "+filters.decontaminate.benchmarks={own: {file: benchmark.jsonl, id: task_id, prompt: [prompt], solution: [solution]}}",
)  # fmt: skip
CHAIN = ("filters=[license,syntax,exact_dup,decontaminate,near_dup]", *OWN)
HOOK = """
import os, signal, sys
event, ending = {moment!r}
def stop(happened, words):
    global ending
    if ending and happened == event and words and str(words[0]).endswith(ending):
        ending = ""
        os.kill(os.getpid(), signal.SIGSTOP)
sys.addaudithook(stop)
"""


@pytest.fixture(scope="module")
def leaky(corpus: Path) -> Path:
    """The small corpus with a file that holds a benchmark's solution."""
    small_corpus.write(corpus / "project2" / "src" / "leak.py", json.loads((BENCHMARK / "benchmark.jsonl").read_text())["solution"])
    return corpus


@pytest.fixture(scope="module")
def whole(leaky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    road.run(leaky, out, STEPS, *CHAIN)
    fates = Counter(fates_of(out).values())
    assert fates["exact_dup/duplicate"] == fates["decontaminate/solution"] == fates["near_dup/near_duplicate"] == 1
    return out


def fates_of(out: Path) -> dict[str, str]:
    """repository/path -> stage/reason or `kept`, of the one curated corpus; it must count as its waterfall does."""
    (curated,) = out.glob("store/curate/*/manifest.json")
    tables = [pq.read_table(path) for kind in ("kept", "dropped") for path in sorted((curated.parent / kind).glob("*.parquet"))]
    rows = [row for table in tables for row in table.select(["uid", "repo", "path_text", "dropped_by", "reason", "text"]).to_pylist()]
    assert len({row["uid"] for row in rows}) == len(rows)
    assert all((row["text"] is None) == (row["dropped_by"] is not None) for row in rows)
    fates = {f"{row['repo']}/{row['path_text']}": f"{row['dropped_by']}/{row['reason']}" if row["dropped_by"] else "kept" for row in rows}
    stages = json.loads((curated.parent / "waterfall.json").read_text())["stages"]
    assert all(row["seen"] == row["kept"] + row["dropped"] for row in stages) and stages[0]["seen"] == len(fates)
    told = {f"{row['stage']}/{reason}": count["documents"] for row in stages for reason, count in row["reasons"].items()}
    assert Counter(fates.values()) == {**told, "kept": stages[-1]["kept"]}
    return fates


def stopped(leaky: Path, out: Path, hooks: Path, moment: tuple[str, str]) -> subprocess.Popen[str]:
    """A run that stands still at (audit event, ending of its first argument)."""
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK.format(moment=moment))
    process = subprocess.Popen(
        road.command(leaky, out, STEPS, *CHAIN), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**road.environment(), "PYTHONPATH": str(hooks)}, start_new_session=True,
    )  # fmt: skip
    while state(process.pid) != "T":
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    return process


def state(pid: int) -> str:
    """R, S, T for stopped, Z for dead."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def workers_of(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


RESOLVING = ("exact_dup", "decontaminate", "near_dup")
MOMENTS = {
    **{f"{stage} begins": ("os.mkdir", f"found/{stage}{TEMPORARY}") for stage in RESOLVING},
    "near_dup is at it": ("import", "datasketch"),
    **{f"{stage} has written": ("os.rename", f"found/{stage}{TEMPORARY}") for stage in RESOLVING},
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("run_too", [False, True], ids=["workers", "workers and the run"])
def test_killed_while_a_filter_resolves(leaky: Path, whole: Path, tmp_path: Path, moment: str, run_too: bool) -> None:
    out = tmp_path / "out"
    process = stopped(leaky, out, tmp_path / "hooks", MOMENTS[moment])
    workers = workers_of(process.pid)
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    if run_too:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not any(out.glob("store/curate/*/manifest.json"))
        road.run(leaky, out, STEPS, *CHAIN)
    else:
        os.kill(process.pid, signal.SIGCONT)
        told, _ = process.communicate(timeout=200)
        assert process.returncode == 0 and "Traceback" not in told, told
    assert road.contents(out) == road.contents(whole) and fates_of(out) == fates_of(whole)
    assert not any(out.rglob(f"*{TEMPORARY}*"))
