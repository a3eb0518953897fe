"""Ranges over HTTP from a real server: the right bytes in spite of what servers do, and an error where they are others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import BadInput, UserError
from minisc.core.hub import ATTEMPTS, Unreachable
from minisc.source.hub_files import Place
from minisc.source.hub_ranges import HubFile

from .hub_server import Hub

DATA = random.Random(3).randbytes(100_000)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("minisc.core.hub.FIRST_WAIT", 0.01)
    with Hub({"data/a.jsonl": DATA, "data/b.jsonl": DATA[:500], "README.md": b"# card\n"}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


def place(folder: Path, **changes: Any) -> Place:
    return Place(**{"dataset": "owner/set", "revision": "main", "under": "data", "downloads": str(folder), "block_bytes": 16_384} | changes)


def first(folder: Path) -> HubFile:
    return place(folder).snapshot("*.jsonl").files[0]


def read(file: HubFile, start: int = 0, size: int = -1) -> bytes:
    with file.opened() as opened:
        opened.seek(start)
        return opened.read(size)


def test_a_snapshot_names_commit_sizes_and_contents(hub: Hub, tmp_path: Path) -> None:
    told = place(tmp_path).snapshot("*.jsonl")
    assert told.commit == hub.commit and told.identity() == {"hub": "owner/set", "commit": hub.commit}
    assert [(file.path, file.name, file.size) for file in told.files] == [
        ("data/a.jsonl", "a.jsonl", 100_000),
        ("data/b.jsonl", "b.jsonl", 500),
    ]
    assert hub.asked == ["/api/datasets/owner/set/revision/main", f"/api/datasets/owner/set/tree/{hub.commit}/data"]


def test_only_the_blocks_that_are_read_are_fetched_and_only_once(hub: Hub, tmp_path: Path) -> None:
    file = first(tmp_path)
    assert read(file, 20_000, 100) == DATA[20_000:20_100]
    assert hub.ranges == [("data/a.jsonl", 16_384, 32_767)] and file.missing(40_000) == [0, 32_768]
    assert read(file) == DATA
    assert len(hub.ranges) == 7 and hub.fetched() == len(DATA)
    hub.ranges.clear()
    assert read(file, 99_990) == DATA[99_990:] and read(file, 100_000) == b"" and hub.ranges == []


@pytest.mark.parametrize(
    "trouble", [["429", "429"], ["503", "500"], ["reset", "reset"], ["cut", "cut", "cut"], ["cut", "reset", "429", "cut", "503"]]
)
def test_passing_trouble_is_waited_out(hub: Hub, tmp_path: Path, trouble: list[str]) -> None:
    file = first(tmp_path)
    hub.trouble = list(trouble)
    assert read(file) == DATA and hub.trouble == []
    cuts = [asked for asked in hub.ranges if asked[1] % 16_384]
    assert len(cuts) >= trouble.count("cut")  # each went on inside the block, where the answer broke off


@pytest.mark.parametrize("trouble", [["429"], ["503", "reset"], ["500", "503"]])
def test_the_listing_waits_too(hub: Hub, tmp_path: Path, trouble: list[str]) -> None:
    hub.api_trouble = list(trouble)
    assert len(place(tmp_path).snapshot("*").files) == 2 and hub.api_trouble == []


def test_trouble_that_stays_is_an_error_that_says_so_and_keeps_what_came(hub: Hub, tmp_path: Path) -> None:
    file = first(tmp_path)
    read(file, 0, 10)
    hub.trouble = ["503"] * ATTEMPTS
    with pytest.raises(UserError, match="in 8 attempts: status 503") as caught:
        read(file)
    assert "16384 to 32768" in caught.value.where and "goes on where it stopped" in caught.value.do
    assert [path.name for path in sorted((tmp_path / file.content).iterdir())] == ["0000000000000-0000000016384"]


@pytest.mark.parametrize("change", ["content", "size", "commit", "gone"])
def test_another_content_size_or_commit_is_an_error(hub: Hub, tmp_path: Path, change: str) -> None:
    file = first(tmp_path)
    if change == "content":
        hub.files["data/a.jsonl"] = DATA[::-1]
    elif change == "size":
        file = replace(file, size=file.size - 1)
    elif change == "gone":
        del hub.files["data/a.jsonl"]
    else:
        file = replace(file, commit="2" * 40)
    with pytest.raises(UserError) as caught:
        read(file)
    assert {"content": "content", "size": "/100000", "commit": "404", "gone": "404"}[change] in str(caught.value)
    assert isinstance(caught.value, BadInput) == (change in ("content", "size"))
    assert not list((tmp_path / file.content).glob("*")), "nothing of it is kept"


def test_a_token_is_sent_to_the_endpoint_alone(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_" + "x" * 34
    with pytest.raises(UserError, match="no such data set or revision for us") as caught:
        first(tmp_path)
    assert "HF_TOKEN" in caught.value.do
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert read(first(tmp_path), 0, 9) == DATA[:9]
    assert {host for host, token in hub.tokens if token} == {"127.0.0.1"} and ("localhost", None) in hub.tokens


def test_a_known_commit_is_not_asked_for_again_and_a_branch_is_remembered(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = place(tmp_path, revision=hub.commit).snapshot("*.jsonl")
    hub.asked.clear()
    assert place(tmp_path, revision=hub.commit).snapshot("*.jsonl") == told and hub.asked == []
    branch = place(tmp_path).snapshot("*.jsonl")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = place(tmp_path).snapshot("*.jsonl")
    assert again.files == branch.files and "cannot be asked" in again.remark
    with pytest.raises(Unreachable, match="OfflineModeIsEnabled"):
        place(tmp_path / "new").snapshot("*.jsonl")


def test_no_such_file_is_said(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file '\*.parquet'") as caught:
        place(tmp_path).snapshot("*.parquet")
    assert "owner/set at 111111111111, 2 files" in caught.value.where
