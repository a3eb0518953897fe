"""Formatting and scoring in megabytes of code a CPU second, beside one ruff process a document (swallow-code's way).

    python -m tests.benchmarks.bench_scores

Reads the installed packages, 4 MB of them. The learned score is trained on what `lint_score` says of these files, which shows how much of a
teacher a linear model gets hold of. Numbers are of this machine and this run; the ratios are what to look at.
"""

from __future__ import annotations

import resource
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from minisc.core.document import Doc
from minisc.filters import ruff_batch
from minisc.filters.format import Format
from minisc.filters.lint_score import LintScore
from minisc.text.scorer import Shape, fit

BYTES = 4_000_000
CONF = Path(__file__).resolve().parents[2] / "conf"


def documents() -> list[Doc]:
    """Files of the installed packages, every seventh, until there are enough bytes."""
    found: list[Doc] = []
    held = 0
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py"))[::7]:
        if 500 < path.stat().st_size < 60_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            found.append(Doc(uid=str(len(found)), text=text, size=len(text)))
            held += len(text)
            if held > BYTES:
                break
    return found


def measured(name: str, megabytes: float, work: Callable[[], Any]) -> tuple[float, Any]:
    """MB a CPU second, children included, and what the work gave."""
    start, wall = _cpu(), time.perf_counter()
    result = work()
    spent = _cpu() - start
    print(f"{name:<28} {megabytes / spent:8.1f} MB a CPU second   ({spent:.2f} s of CPU, {time.perf_counter() - wall:.2f} s)")
    return megabytes / spent, result


def _cpu() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def one_by_one(docs: list[Doc]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.py"
        for doc in docs:
            file.write_text(doc.text, encoding="utf-8")
            subprocess.run([ruff_batch.program(), "format", "--isolated", "--no-cache", str(file)], capture_output=True, check=False)


def settings(name: str) -> dict[str, Any]:
    told = yaml.safe_load((CONF / "filters" / f"{name}.yaml").read_text())[name]
    return {key: value for key, value in told.items() if key != "_target_"}


def main() -> None:
    docs = documents()
    megabytes = sum(doc.size for doc in docs) / 1e6
    print(f"{len(docs)} files, {megabytes:.1f} MB")
    with Format(**settings("format")).open() as judge:
        speed, _ = measured("format, a batch a call", megabytes, lambda: judge(docs))
    few = docs[:100]
    slow, _ = measured("ruff, a process a document", sum(doc.size for doc in few) / 1e6, lambda: one_by_one(few))
    print(f"{'':<28} ratio {speed / slow:.1f}")
    with LintScore(**settings("lint_score")).open() as judge:
        _, verdicts = measured("lint_score", megabytes, lambda: judge(docs))
    labelled = [
        (doc, verdict.notes["lint_score"]) for doc, verdict in zip(docs, verdicts, strict=True) if verdict.notes["lint_score"] is not None
    ]
    learned, asked = [pair for at, pair in enumerate(labelled) if at % 10], labelled[::10]
    shape = Shape(ngram=2, bits=18, characters=20_000)
    scorer = fit(shape, [shape.buckets(doc.text) for doc, _ in learned], [score for _, score in learned], 0.1, 200)
    _, said = measured("learned_score", megabytes, lambda: scorer.scores(doc.text for doc in docs))
    told = dict(zip([doc.uid for doc in docs], said, strict=True))
    truth, guess = np.array([score for _, score in asked]), np.array([told[doc.uid] for doc, _ in asked])
    print(f"learned from {len(learned)} labels, on {len(asked)} held back: mean absolute error {np.abs(truth - guess).mean():.2f}, "
          f"of the mean {np.abs(truth - scorer.mean).mean():.2f}, correlation {np.corrcoef(truth, guess)[0, 1]:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
