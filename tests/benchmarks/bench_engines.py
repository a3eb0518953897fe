"""What the engines cost on this machine: one corpus curated by one process, by two, and by Ray. Run by hand:

    python -m tests.benchmarks.bench_engines [megabytes …]          10, 60 and 240 by default
    python -m tests.benchmarks.bench_engines 240 --part 16          parts of 16 MB

Each engine runs the real command line in processes of its own (`steps=[collect,curate]`, the installed packages, the filters of `tiny`),
twice in turn, from an empty store; the better of the two counts. Seconds are those that a person waits, start included; memory is the
highest sum over the whole tree of processes (Ray's own among them) of what is theirs alone and their share of what is common (PSS), looked
at ten times a second. Equal: every file of both artifacts has the same hash.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import road
from tests.benchmarks.real_code import packages

ENGINES = {
    "local, 1 worker": ["engine=local", "engine.workers=1"],
    "local, 2 workers": ["engine=local", "engine.workers=2"],
    "ray, 2 workers": ["engine=ray", "engine.workers=2"],
}
TIMES = 2
WORDS = ("source=local", "filters=[license,syntax,exact_dup,near_dup,pii]", "steps=[collect,curate]")


def tree(root: int) -> set[int]:
    """A process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {root}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory(root: int) -> int:
    """Bytes of a process and all below it, what they share counted once."""
    total = 0
    for process in tree(root):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def measure(words: list[str], out: Path, megabytes: int, part: int) -> tuple[float, int]:
    """Seconds that a person waits, highest memory in bytes."""
    line = [
        sys.executable, "-m", "minisc", *WORDS, f"source.path={packages()}", f"source.max_bytes={megabytes}_000_000", f"source.part_bytes={part}_000_000",
        f"out={out}", *words,
    ]  # fmt: skip
    start, most = time.monotonic(), 0
    environment = {**road.environment(), "RAY_worker_niceness": "0"}  # Ray would let its workers give way to all other work of the machine
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, env=environment)
    while process.poll() is None:
        most = max(most, memory(process.pid))
        time.sleep(0.1)
    assert process.returncode == 0, f"{line} ended with {process.returncode}"
    return time.monotonic() - start, most


def main() -> None:
    parser = argparse.ArgumentParser(description="What the engines cost on this machine.")
    parser.add_argument("megabytes", nargs="*", type=int, default=[10, 60, 240])
    parser.add_argument("--part", type=int, default=16, help="MB of text in a part (the product's own is 64)")
    told = parser.parse_args()
    print(f"parts of {told.part} MB, {len(os.sched_getaffinity(0))} cores; ratios are to local with one worker", flush=True)
    for megabytes in told.megabytes:
        best: dict[str, tuple[float, int]] = {}
        files: dict[str, dict[str, str]] = {}
        for _ in range(TIMES):
            for engine, words in ENGINES.items():
                with tempfile.TemporaryDirectory() as folder:
                    one = measure(words, Path(folder), megabytes, told.part)
                    best[engine] = min(best.get(engine, one), one)
                    files[engine] = road.contents(Path(folder))
        base, truth = best["local, 1 worker"], files["local, 1 worker"]
        for engine, (seconds, most) in best.items():
            equal = "equal" if files[engine] == truth else "NOT EQUAL"
            print(
                f"{megabytes:4} MB  {engine:17} {seconds:6.1f} s ({seconds / base[0]:.2f})  "
                f"memory {most / 1e6:6,.0f} MB ({most / base[1]:.2f})  {len(files[engine])} files {equal}",
                flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
