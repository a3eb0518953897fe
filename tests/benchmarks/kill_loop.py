"""kill -9 at a random moment of every step, again and again: run again, the same bytes.

    python -m tests.benchmarks.kill_loop 10            ten rounds a step
    python -m tests.benchmarks.kill_loop 10 export     of this step only

For each step the store is given what lies before it, and the records of the run that made it (a card cites the command that trained). The run is killed, with all its processes, at a moment drawn evenly over the
time that the step took undisturbed, counted from when its folder appears; the same line is run again and every file of every
artifact compared by hash with an undisturbed run. Two of three rounds kill the second attempt too. What counts as inside: the
step's folder was there, its manifest was not. Printed: a line a step; the exit status is 1 where any round ended in other bytes.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests import road, small_corpus

STEPS = ("collect", "curate", "train_tokenizer", "pack", "pretrain", "evaluate", "generate", "export")


def line_up_to(step: str) -> str:
    return f"steps=[{','.join(STEPS[: STEPS.index(step) + 1])}]"


def there(out: Path, step: str) -> bool:
    return any((out / "store" / step).glob("*/.lock"))


def finished(out: Path, step: str) -> bool:
    return any((out / "store" / step).glob("*/manifest.json"))


def killed(corpus: Path, out: Path, step: str, wait: float) -> bool:
    """Run up to the step and kill inside it; False where it was over before."""
    process = subprocess.Popen(
        road.command(corpus, out, line_up_to(step)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=road.environment(), start_new_session=True,
    )  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in (out / "store" / step).glob("*/.lock")}
    while process.poll() is None:
        if any(path.stat().st_mtime_ns != before.get(path) for path in (out / "store" / step).glob("*/.lock")):
            time.sleep(wait)
            break
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, 9)
    process.wait()
    return there(out, step) and not finished(out, step)


def one(corpus: Path, whole: Path, seconds: float, step: str, chance: random.Random) -> tuple[int, int, bool]:
    """Kills, those inside the step, and whether the bytes are the same."""
    with tempfile.TemporaryDirectory() as folder:
        out, kills, inside = Path(folder), 0, 0
        for earlier in STEPS[: STEPS.index(step)]:
            shutil.copytree(whole / "store" / earlier, out / "store" / earlier)
        shutil.copytree(whole / "runs", out / "runs")
        for _ in range(chance.choice((1, 2, 2))):
            kills += 1
            inside += killed(corpus, out, step, chance.uniform(0, seconds))
        road.run(corpus, out, line_up_to(step))
        wanted = {name: mark for name, mark in road.contents(whole).items() if name.split("/")[0] in STEPS[: STEPS.index(step) + 1]}
        return kills, inside, road.contents(out) == wanted


def main(rounds: int, steps: Sequence[str] = STEPS) -> int:
    chance, failed = random.Random(int(time.time())), 0
    with tempfile.TemporaryDirectory() as folder:
        corpus, whole = Path(folder) / "corpus", Path(folder) / "whole"
        corpus.mkdir()
        small_corpus.make(corpus)
        road.run(corpus, whole, line_up_to(STEPS[-1]))
        seconds = {entry["step"]: entry["seconds"] for entry in road.last_run(whole)["steps"]}
        for step in steps:
            told = [one(corpus, whole, seconds[step], step, chance) for _ in range(rounds)]
            same = sum(equal for _, _, equal in told)
            failed += rounds - same
            print(
                f"{step:<16} kills {sum(t[0] for t in told):>3}  inside {sum(t[1] for t in told):>3}  same bytes {same} of {rounds}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:] or STEPS))
