from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from minisc.core import durable, remember
from minisc.core.remember import Hashes

YEAR = 365 * 86_400


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many files were read since it was last asked."""
    read = [0]
    hashing = durable.sha256_of

    def counting(path: Path) -> str:
        read[0] += 1
        return hashing(path)

    def since() -> int:
        told, read[0] = read[0], 0
        return told

    monkeypatch.setattr(durable, "sha256_of", counting)
    return since


@pytest.mark.parametrize("mtime", [-YEAR, YEAR], ids=["past", "future"])
def test_a_settled_file_is_read_once_whatever_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Callable[[], int], mtime: int
) -> None:
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    os.utime(path, (time.time() + mtime,) * 2)
    monkeypatch.setattr(remember, "RACY_SECONDS", -1.0)  # as if two seconds had passed
    first = Hashes(memory).of([path])
    assert counted() == 1 and Hashes(memory).of([path]) == first and counted() == 0


def test_a_change_is_seen_though_size_and_mtime_are_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set back, or a tool that restores times: the ctime gives it away."""
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    os.utime(path, (1e9, 1e9))
    monkeypatch.setattr(remember, "RACY_SECONDS", -1.0)
    first = Hashes(memory).of([path])
    time.sleep(0.02)  # the kernel's clock ticks every 4 to 10 ms
    path.write_text("two")
    os.utime(path, (1e9, 1e9))
    assert Hashes(memory).of([path]) != first


@pytest.mark.parametrize("mtime", [0, -YEAR, YEAR], ids=["now", "past", "future"])
def test_a_file_that_was_just_changed_is_not_remembered(tmp_path: Path, counted: Callable[[], int], mtime: int) -> None:
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_text("one")
    os.utime(path, (time.time() + mtime,) * 2)
    Hashes(memory).of([path])
    Hashes(memory).of([path])
    assert counted() == 2 and not memory.exists()


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    monkeypatch.setattr(remember, "RACY_SECONDS", -1.0)
    (tmp_path / "file").write_text("")
    assert Hashes(tmp_path / "file" / "memory.json").of([path]) == [durable.sha256_of(path)]
