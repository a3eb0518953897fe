"""Shards of swallow-code-v2: columns to rows, spans that tile a file, plans, and every way in which a line can be bad."""

from __future__ import annotations

import ast
import json
import os
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import SCHEMA, sha1_git_of
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe
from minisc.core.remember import Hashes
from minisc.source import json_lines
from minisc.source import swallow as module
from minisc.source.json_lines import OnDisk, Span, lines, spans
from minisc.source.swallow import LAYOUT, Swallow

from .hub_server import Hub
from .swallow_shard import COLUMNS, write_shard


def source(path: Path | None, **changes: Any) -> Swallow:
    return Swallow(
        **{
            "path": None if path is None else str(path), "revision": "main", "downloads": "nowhere", "block_bytes": 8192, "part_bytes": 1 << 20,
            "max_line_bytes": 1 << 18, "max_bytes": None,
        } | changes
    )  # fmt: skip


@pytest.fixture
def hashes(tmp_path: Path) -> Hashes:
    return Hashes(tmp_path / "hashes.json")


def rows_of(swallow: Swallow, hashes: Hashes, wanted: int | None = None) -> list[dict[str, Any]]:
    parts = swallow.listing(wanted, hashes).parts
    return [row for part in pickle.loads(pickle.dumps(parts)) for table in swallow.tables(part) for row in checked(table).to_pylist()]


def checked(table: pa.Table) -> pa.Table:
    assert table.schema == SCHEMA
    return table


def write_lines(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_columns_become_a_row(tmp_path: Path, hashes: Hashes) -> None:
    (written,) = write_shard(tmp_path / LAYOUT / "train_0001.jsonl", 1, seed=3)
    assert tuple(written) == COLUMNS and len(COLUMNS) == 34
    (row,) = rows_of(source(tmp_path), hashes)
    assert row["text"] == written["text"] and ast.parse(row["text"])
    assert row["sha1_git"] == written["content_id"] == sha1_git_of(written["old_text"].encode()) and row["sha1"] == written["blob_id"]
    assert row["size"] == written["length_bytes"] and row["stars"] == written["star_events_count"]
    assert (row["repo"], row["revision"], row["directory"]) == (written["repo_name"], written["revision_id"], written["directory_id"])
    assert row["path"] == written["path"].lstrip("/").encode() and row["path_text"] == written["path"].lstrip("/")
    assert row["date"] == datetime.fromisoformat(written["committer_date"]).replace(tzinfo=UTC)
    assert dict(row["notes"]) == {
        "shard": '"train_0001.jsonl"', "offset": "0", "derived": '"llm_rewrite"', "score": str(written["score"]), "license_type": json.dumps(written["license_type"]),
    }  # fmt: skip
    assert (row["source"], row["kind"], row["encoding"], row["split"], row["dropped_by"], row["reason"]) == (
        "swallow",
        "code",
        "utf-8",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("columns", "license_", "evidence"),
    [
        ({"detected_licenses": ["MIT"]}, "MIT", "swallow:detected_licenses"),
        ({"detected_licenses": ["Apache-2.0", "BSD-3-Clause", "Apache-2.0"]}, "Apache-2.0 AND BSD-3-Clause", "swallow:detected_licenses"),
        (
            {"detected_licenses": ["MIT", "LicenseRef-scancode-unknown-license-reference", "LicenseRef-scancode-generic-cla"]},
            "MIT",
            "swallow:detected_licenses",
        ),
        (
            {"detected_licenses": ["LicenseRef-scancode-unknown-license-reference"]},
            "LicenseRef-scancode-unknown-license-reference",
            "swallow:detected_licenses",
        ),
        (
            {"detected_licenses": ["MIT", "LicenseRef-scancode-proprietary-license"]},
            "MIT AND LicenseRef-scancode-proprietary-license",
            "swallow:detected_licenses",
        ),
        ({"detected_licenses": [], "gha_license_id": "MIT"}, "MIT", "swallow:gha_license_id"),
        ({"detected_licenses": [], "gha_license_id": None}, None, None),
        ({"detected_licenses": "MIT"}, None, None),
        ({"detected_licenses": [7, None, "MI\nT"]}, None, None),
    ],
)
def test_licenses(tmp_path: Path, hashes: Hashes, columns: dict[str, Any], license_: str | None, evidence: str | None) -> None:
    write_lines(tmp_path / "train_0001.jsonl", json.dumps({"text": "x = 1\n"} | columns).encode())
    (row,) = rows_of(source(tmp_path), hashes)
    assert (row["license"], row["license_evidence"]) == (license_, evidence)


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2019-05-07 11:29:05", datetime(2019, 5, 7, 11, 29, 5, tzinfo=UTC)), ("2019-05-07T13:29:05.5+02:00", datetime(2019, 5, 7, 11, 29, 5, 500_000, tzinfo=UTC)),
        (1557228545, datetime(2019, 5, 7, 11, 29, 5, tzinfo=UTC)), (1557228545000, datetime(2019, 5, 7, 11, 29, 5, tzinfo=UTC)),
        (1557228545000000000, datetime(2019, 5, 7, 11, 29, 5, tzinfo=UTC)), ("yesterday", None), (None, None), (-1, None), (float("inf"), None), ("0001-01-01T00:00:00+14:00", None),
    ],
)  # fmt: skip
def test_dates(tmp_path: Path, hashes: Hashes, value: object, date: datetime | None) -> None:
    write_lines(tmp_path / "train_0001.jsonl", json.dumps({"text": "x = 1\n", "committer_date": value}).encode())
    assert rows_of(source(tmp_path), hashes)[0]["date"] == date


def test_malformed_values_become_null_and_cost_no_row(tmp_path: Path, hashes: Hashes) -> None:
    bad = {
        "text": "x = 1\n", "content_id": "ABC", "blob_id": "f" * 64, "revision_id": 5, "directory_id": None, "length_bytes": -3, "star_events_count": "many",
        "repo_name": "a\nb", "path": "\ud800", "score": "high", "license_type": ["x"],
    }  # fmt: skip
    write_lines(tmp_path / "train_0001.jsonl", json.dumps(bad).encode())
    (row,) = rows_of(source(tmp_path), hashes)
    assert row["reason"] is None and row["text"] == "x = 1\n" and row["size"] == 6
    assert [row[name] for name in ("sha1_git", "sha1", "revision", "directory", "stars", "date", "license")] == [None] * 7
    assert (row["repo"], row["path_text"]) == (module.DATASET, "train_0001.jsonl:0")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "unreadable"), (b"[1]", "unreadable"), (b"null", "unreadable"), (b'{"path": "a.py"}', "unreadable"), (b'{"text": 5}', "unreadable"),
        (b'{"text": "\xff"}', "unreadable"), (b"[" * 100_000, "unreadable"), (b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "unreadable"),
        (b'{"text": ""}', "empty"), (b'{"text": "a\\u0000b"}', "holds_nul"), (b'{"text": "\\ud800"}', "not_text"),
        (b'{"text": "' + b"x" * (1 << 18) + b'"}', "too_large"),
    ],
)  # fmt: skip
def test_a_bad_line_is_a_row_with_a_reason_that_says_where(tmp_path: Path, hashes: Hashes, line: bytes, reason: str) -> None:
    good = b'{"text": "x = 1\\n"}'
    write_lines(tmp_path / "train_0001.jsonl", good, line, good)
    first, bad, last = rows_of(source(tmp_path), hashes)
    assert first["reason"] is last["reason"] is None
    assert (bad["dropped_by"], bad["reason"], bad["text"]) == ("collect", reason, None)
    assert dict(bad["notes"])["offset"] == str(len(good) + 1) and dict(bad["notes"])["shard"] == '"train_0001.jsonl"'
    assert len({first["uid"], bad["uid"], last["uid"]}) == 3


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=30), part_bytes=st.integers(1, 80), ends=st.booleans())
def test_every_line_belongs_to_exactly_one_span(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], part_bytes: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("tiling") / "train_0001.jsonl"
    written = [b"%03d" % at + b"x" * length for at, length in enumerate(lengths)]
    path.write_bytes(b"\n".join(written) + (b"\n" if ends else b""))
    cut = spans(OnDisk.at(path), part_bytes)
    assert [span.start for span in cut] == list(range(0, path.stat().st_size, part_bytes)) and cut[-1].stop == path.stat().st_size
    found = [(offset, size, line) for span in cut for offset, size, line in lines(span, 40)]
    raw = path.read_bytes()
    assert [raw[offset : offset + size].rstrip(b"\n") for offset, size, _ in found] == written
    assert all((line is None) == (size > 40) and (line is None or line == raw[offset : offset + size]) for offset, size, line in found)


def test_parts_do_not_change_the_rows(tmp_path: Path, hashes: Hashes) -> None:
    for number in (1, 2):
        write_shard(tmp_path / LAYOUT / f"train_{number:04d}.jsonl", 40, seed=number)
    whole, cut = source(tmp_path), source(tmp_path, part_bytes=16384, max_line_bytes=16384)
    assert len(cut.listing(None, hashes).parts) > 20
    assert rows_of(whole, hashes) == rows_of(cut, hashes) and len(rows_of(whole, hashes)) == 80


def test_wanted_takes_the_first_parts_only(tmp_path: Path, hashes: Hashes) -> None:
    for number in (1, 2, 3):
        write_shard(tmp_path / f"train_{number:04d}.jsonl", 50, seed=number)
    swallow = source(tmp_path, part_bytes=16384, max_line_bytes=16384)
    everything = swallow.listing(None, hashes)
    texts = sum(len(row["text"]) for row in rows_of(swallow, hashes))
    assert everything.bytes == pytest.approx(texts, rel=0.1) and everything.documents == pytest.approx(150, rel=0.1)
    some = swallow.listing(20_000, hashes)
    assert some.parts == everything.parts[: len(some.parts)] and 20_000 <= some.bytes < 30_000
    assert some.identity != everything.identity and set(some.identity) == {"train_0001.jsonl", "until"}
    assert source(tmp_path, part_bytes=16384, max_line_bytes=16384, max_bytes=20_000).listing(None, hashes).parts == some.parts


def test_the_same_shards_elsewhere_have_the_same_identity(tmp_path: Path, hashes: Hashes) -> None:
    write_shard(tmp_path / "a" / LAYOUT / "train_0001.jsonl", 5, seed=1)
    write_shard(tmp_path / "b" / "train_0001.jsonl", 5, seed=1)
    write_shard(tmp_path / "c" / "train_0001.jsonl", 5, seed=2)
    one, same, other = (source(tmp_path / name) for name in "abc")
    assert one.listing(None, hashes).identity == same.listing(None, hashes).identity != other.listing(None, hashes).identity
    assert describe(one) == describe(same)
    assert source(tmp_path / "b" / "train_0001.jsonl").listing(None, hashes).identity == same.listing(None, hashes).identity


def test_without_a_network_there_is_a_plan_and_a_refusal(tmp_path: Path, hashes: Hashes) -> None:
    nowhere = source(None, downloads=str(tmp_path / "downloads"))
    everything = nowhere.listing(None, hashes)
    assert (everything.parts, everything.download_bytes, everything.documents, everything.requests) == (
        (),
        889_000_000_000,
        28_705_016,
        150,
    )
    assert (
        everything.bytes == pytest.approx(216.8e9, rel=1e-3) and "150 files" in everything.remark and "cannot be asked" in everything.remark
    )
    some = nowhere.listing(32_000_000_000, hashes)  # 4 B tokens at 8 bytes each
    assert some.bytes == pytest.approx(32e9, rel=1e-3) and some.download_bytes == pytest.approx(131.2e9, rel=1e-3) and some.requests == 23
    assert "131.2 GB are needed: 23 files" in some.remark
    assert some.refusal is not None and "cannot be reached" in some.refusal.what
    assert "source.path=" in some.refusal.do and "hf download" in some.refusal.do
    assert "train_00[0-2]?.jsonl" in str(some.refusal) and "train_000[1-1].jsonl" in str(nowhere.listing(1000, hashes).refusal)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Three shards, on disk and on a hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("minisc.core.hub.FIRST_WAIT", 0.01)
    for number in (1, 2, 3):
        write_shard(tmp_path / LAYOUT / f"train_{number:04d}.jsonl", 30, seed=number)
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in sorted((tmp_path / LAYOUT).iterdir())}
    with Hub(files, dataset=module.DATASET) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


def on_the_hub(folder: Path, **changes: Any) -> Swallow:
    return source(None, **{"downloads": str(folder / "downloads"), "part_bytes": 16_384, "max_line_bytes": 16_384} | changes)


def test_the_hub_gives_the_rows_that_the_folder_gives(hub: Hub, tmp_path: Path, hashes: Hashes) -> None:
    folder, remote = source(tmp_path, part_bytes=16_384, max_line_bytes=16_384), on_the_hub(tmp_path)
    hub.trouble = ["429", "cut", "reset", "503"]
    assert rows_of(remote, hashes) == rows_of(folder, hashes)
    told, same = remote.listing(None, hashes), folder.listing(None, hashes)
    assert told.identity == {**same.identity, "hub": module.DATASET, "commit": hub.commit}
    assert [(part.shard.name, part.start, part.stop) for part in told.parts] == [
        (part.shard.name, part.start, part.stop) for part in same.parts
    ]
    assert describe(remote) == describe(on_the_hub(tmp_path / "elsewhere", revision=hub.commit, block_bytes=4096))


def test_no_more_is_fetched_than_the_budget_needs_and_a_larger_one_goes_on(
    hub: Hub, tmp_path: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "PROBE_BYTES", 8192)
    remote = on_the_hub(tmp_path)
    plan = remote.listing(20_000, hashes)
    assert hub.fetched() == 8192, "the plan fetches the first block"
    few = rows_of(remote, hashes, 20_000)
    assert 20_000 <= sum(len(row["text"]) for row in few) < 40_000 and len(plan.parts) < len(remote.listing(None, hashes).parts)
    taken = sum(span.stop - span.start for span in plan.parts)
    assert taken - 2 * 8192 <= plan.download_bytes <= taken
    assert hub.fetched() <= 8192 + plan.download_bytes + 8192, "at most a block more, for the end of the last line"
    many = rows_of(remote, hashes, 60_000)
    assert many[: len(few)] == few and len(many) > len(few)
    assert len({(name, first) for name, first, _ in hub.ranges}) == len(hub.ranges), "nothing is fetched twice"
    hub.ranges.clear()
    assert rows_of(remote, hashes, 60_000) == many and hub.ranges == []
    told = remote.listing(60_000, hashes)
    assert told.download_bytes == 0 and told.requests == 0


def test_another_commit_is_another_identity(hub: Hub, tmp_path: Path, hashes: Hashes) -> None:
    one = on_the_hub(tmp_path).listing(10_000, hashes).identity
    hub.commit = "2" * 40
    other = on_the_hub(tmp_path).listing(10_000, hashes).identity
    assert {key for key in one if one[key] != other[key]} == {"commit"}


@pytest.mark.parametrize("make", ["nothing", "empty folder", "empty shard", "folder"])
def test_no_shard_is_an_error_that_names_the_layout(tmp_path: Path, hashes: Hashes, make: str) -> None:
    path = tmp_path / "shards"
    if make != "nothing":
        path.mkdir()
    if make == "empty shard":
        (path / "train_0001.jsonl").touch()
    with pytest.raises(UserError) as error:
        source(path).listing(None, hashes)
    assert str(path) in error.value.where and error.value.do
    assert error.value.what == {"nothing": "there is no such folder", "empty shard": "the shards are empty"}.get(
        make, "there is no shard (*.jsonl) in the folder"
    )


@pytest.mark.parametrize("change", ["content", "gone"])
def test_a_shard_that_changes_after_the_listing_stops_the_run(tmp_path: Path, hashes: Hashes, change: str) -> None:
    path = tmp_path / "train_0001.jsonl"
    write_shard(path, 3, seed=1)
    swallow = source(tmp_path)
    (part,) = swallow.listing(None, hashes).parts
    assert isinstance(part, Span) and isinstance(part.shard, OnDisk)
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"result", b"RESULT"))
        os.utime(path, ns=(part.shard.changed_ns + 1,) * 2)
    with pytest.raises(BadInput) as error:
        list(swallow.tables(part))
    assert error.value.where == str(path)


@pytest.mark.parametrize(
    "values", [{"max_line_bytes": 10}, {"part_bytes": 2048, "max_line_bytes": 4096}, {"max_bytes": 0}, {"block_bytes": 0}]
)
def test_bad_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        source(None, **values)
    assert next(iter(values)) in error.value.where and "source." in error.value.do
