"""The whole command against a hub on loopback: killed in the middle of the download, run again, with a larger budget, without the hub."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from minisc.source.swallow import LAYOUT
from minisc.source.swallow_columns import DATASET
from tests import road

from .hub_server import Hub
from .swallow_shard import write_shard

pytestmark = pytest.mark.system
WORDS = (
    "steps=[collect]",
    "source=swallow",
    "source.part_bytes=262144",
    "source.max_line_bytes=65536",
    "source.block_bytes=65536",
    "engine.workers=2",
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for number in (1, 2):
        write_shard(folder / LAYOUT / f"train_{number:04d}.jsonl", 250, seed=number)
    return folder


@pytest.fixture
def hub(shards: Path) -> Iterator[Hub]:
    with Hub({path.relative_to(shards).as_posix(): path.read_bytes() for path in (shards / LAYOUT).iterdir()}, dataset=DATASET) as served:
        yield served


def start(hub: Hub, out: Path, *words: str, road_words: tuple[str, ...] = WORDS) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "minisc", *road_words, f"out={out}", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**road.environment(), "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"},
    )  # fmt: skip


def finish(process: subprocess.Popen[str], expect: int = 0) -> str:
    told, _ = process.communicate(timeout=300)
    assert process.returncode == expect, told
    return told


def test_killed_in_the_middle_nothing_is_fetched_twice(hub: Hub, shards: Path, tmp_path: Path) -> None:
    finish(start(hub, tmp_path / "whole", f"source.path={shards}", "budget=100M"))
    hub.bytes_per_second = 400_000
    hub.trouble = ["429", "reset", "cut"]
    process = start(hub, tmp_path / "out", "budget=100M")
    downloads = tmp_path / "out" / "downloads"
    while process.poll() is None and len(list(downloads.glob("*/*-*"))) < 12:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    here = {path.name for path in downloads.glob("*/*-*") if not path.name.endswith(".writing")}
    assert len(here) >= 5
    hub.bytes_per_second = None
    seen = len(hub.ranges)
    finish(start(hub, tmp_path / "out", "budget=100M"))
    again = {(name, first) for name, first, _ in hub.ranges[:seen]} & {(name, first) for name, first, _ in hub.ranges[seen:]}
    assert len(again) <= 2, "what two workers had under way"
    whole, made = road.contents(tmp_path / "whole"), road.contents(tmp_path / "out")
    assert sorted(whole.values()) == sorted(made.values()), "the hub gives the bytes that the folder gives"


def test_a_larger_budget_reads_on_and_a_known_corpus_needs_no_hub(hub: Hub, tmp_path: Path) -> None:
    told = finish(start(hub, tmp_path, "budget=60k"))
    assert "download" in told and "requests" in told, "said before"
    few = {(name, first) for name, first, _ in hub.ranges}
    hub.ranges.clear()
    finish(start(hub, tmp_path, "budget=80k"))
    assert hub.ranges and not few & {(name, first) for name, first, _ in hub.ranges}
    hub.ranges.clear()
    hub.api_trouble = ["404"] * 2  # gone
    told = finish(start(hub, tmp_path, "budget=80k"), expect=2)
    assert "no such data set" in told and "HF_TOKEN" in told
    hub.__exit__()  # nobody is there any more
    assert "in the store" in finish(start(hub, tmp_path, "budget=80k", "plan_only=true")) and hub.ranges == []


def test_the_recipe_as_it_is_typed(hub: Hub, tmp_path: Path) -> None:
    recipe = ("+recipe=pretrain_swallow",)
    plan = " ".join(finish(start(hub, tmp_path, "model=200m", "plan_only=true", road_words=recipe)).split())
    assert "500M tokens" in plan and "204.6M parameters" in plan and "download" in plan
    assert (
        "a run would stop before its first step" in plan and "'humaneval' is not to be had from the hub" in plan
    )  # this hub has one set only
    small = (
        "model=tiny",
        "model.hidden=64",
        "model.layers=1",
        "model.heads=2",
        "model.kv_heads=1",
        "tokenizer=bpe",
        "tokenizer.vocab_size=400",
    )
    told = finish(
        start(
            hub,
            tmp_path,
            *small,
            "trainer=cpu",
            "budget=10k",
            "seq_len=256",
            "~filters.decontaminate",
            "engine.workers=1",
            road_words=recipe,
        )
    )
    assert "tokens_trained" in told and "bits_per_byte" in told and "report.html" in "".join(told.split())
