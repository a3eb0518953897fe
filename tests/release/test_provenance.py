"""A model is followed back through the store, and nothing about the machine goes with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from minisc.core.artifact import Artifact, Work
from minisc.release import provenance
from tests import made


def artifact(out: Path, step: str, number: int, **inputs: Any) -> Artifact:
    mark = f"{number:020x}"
    folder = out / "store" / step / mark
    folder.mkdir(parents=True)
    about = {
        "step": step,
        "fingerprint": mark,
        "kinds": ["model"],
        "settings": {"path": "/home/somebody/code", "n": number},
        "inputs": inputs,
    }
    return Work(folder, made.context(out)).commit({**about, "versions": {}, "seconds": 1.0}, {"tokens": number})


def test_ancestors_come_first_and_once(tmp_path: Path) -> None:
    first = artifact(tmp_path, "collect", 1)
    left, right = (artifact(tmp_path, "curate", number, documents=first.fingerprint) for number in (2, 3))
    last = artifact(tmp_path, "pretrain", 4, tokens=[left.fingerprint, right.fingerprint], extra=None)
    found = provenance.lineage(last, tmp_path)
    assert [one.fingerprint for one in found] == [first.fingerprint, left.fingerprint, right.fingerprint, last.fingerprint]
    told = provenance.told(found)
    assert [one["step"] for one in told] == ["collect", "curate", "curate", "pretrain"]
    assert "somebody" not in json.dumps(told)
    shutil.rmtree(left.path)
    assert provenance.told(provenance.lineage(last, tmp_path))[0] == {"fingerprint": left.fingerprint, "gone": True}


def run(out: Path, name: str, command: str, **step: Any) -> None:
    folder = out / "runs" / "tiny" / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"command": command, "steps": [{"fingerprint": "ab", "cached": False, **step}]}))


def test_the_command_is_that_of_the_run_that_made_it(tmp_path: Path) -> None:
    run(tmp_path, "1", "python -m minisc one", fingerprint="other")
    run(tmp_path, "2", "python -m minisc two", cached=True)
    run(tmp_path, "3", "python -m minisc +recipe=x three")
    (tmp_path / "runs" / "tiny" / "0").mkdir()
    (tmp_path / "runs" / "tiny" / "0" / "run.json").write_text('{"command": "tor')
    assert provenance.command("ab", tmp_path) == "python -m minisc +recipe=x three"
    assert provenance.command("cd", tmp_path) is None


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("source.path=/home/me/secret", "source.path=<folder>"), ("out=~/runs", "out=<folder>"), ("source.path=data/mine", "source.path=<folder>"),
        ("source.repo=org/name", "source.repo=org/name"), ("inputs.model=../x", "inputs.model=<folder>"), ("budget=20x", "budget=20x"),
        ("/home/me/minisc", "<folder>"), ("benchmarks=C:\\me\\files", "benchmarks=<folder>"),
    ],
)  # fmt: skip
def test_places_stay_at_home(tmp_path: Path, word: str, told: str) -> None:
    run(tmp_path, "1", f"python -m minisc '{word}'")
    assert told in (provenance.command("ab", tmp_path) or "").replace("'", "")
