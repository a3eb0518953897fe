"""Runs the real command line in a process of its own, as a person would, small enough for a test."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SMALL = (
    "+recipe=pretrain_local", "model=tiny", "model.hidden=64", "model.layers=1", "model.heads=2", "model.kv_heads=1", "tokenizer.vocab_size=400",
    "trainer=cpu", "budget=24k", "seq_len=128", "trainer.batch_tokens=1024", "trainer.checkpoint_every=2", "source.part_bytes=20_000", "engine.workers=2",
    "filters=[license,syntax,exact_dup,near_dup]",
)  # fmt: skip


def command(corpus: Path, out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "minisc", *SMALL, f"source.path={corpus}", f"out={out}", *words]


def run(corpus: Path, out: Path, *words: str, expect: int = 0) -> str:
    """What the run printed; its exit status must be as expected."""
    told = subprocess.run(command(corpus, out, *words), capture_output=True, text=True, env=environment(), timeout=300)
    assert told.returncode == expect, told.stdout + told.stderr
    return told.stdout + told.stderr


def run_and_kill(corpus: Path, out: Path, when: Any, *words: str, sign: int = signal.SIGKILL) -> bool:
    """Start a run and kill its whole process group as soon as `when()` is true; False if it ended before."""
    process = subprocess.Popen(
        command(corpus, out, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True
    )
    while process.poll() is None:
        if when():
            os.killpg(process.pid, sign)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:minisc", "COLUMNS": "160", "OMP_NUM_THREADS": "1"}


def last_run(out: Path) -> dict[str, Any]:
    path = sorted(out.glob("runs/*/*/run.json"))[-1]
    return dict(json.loads(path.read_text(encoding="utf-8")))


def contents(out: Path) -> dict[str, str]:
    """Every file of every artifact but the manifests (they hold the seconds that it took) -> its hash."""
    found = {}
    for manifest in sorted(out.glob("store/*/*/manifest.json")):
        for entry in json.loads(manifest.read_text(encoding="utf-8"))["files"]:
            if entry["name"] != "metrics.jsonl":  # holds seconds too
                found[f"{manifest.parent.parent.name}/{manifest.parent.name}/{entry['name']}"] = entry["sha256"]
    return found


def digest(values: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
