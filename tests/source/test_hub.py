"""Any data set on the hub: three formats, the same rows from the hub and from a folder, and words where a name is wrong."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from minisc.core.document import SCHEMA
from minisc.core.errors import BadInput, UserError
from minisc.core.remember import Hashes
from minisc.runner.shelf import CONF
from minisc.source import json_lines
from minisc.source.hub import Hub as HubSource

from . import hub_server
from .swallow_shard import program

COLUMNS = {"text": "content", "repo": "repo_name", "path": "path", "license": "license", "stars": "stars", "date": None}
FORMATS = ("*.jsonl", "*.json.gz", "*.parquet")


def records(count: int, seed: int = 0) -> list[dict[str, Any]]:
    random_ = random.Random(seed)
    return [
        {"content": program(random_), "repo_name": f"owner/r{at % 5}", "path": f"src/m{at}.py", "license": random_.choice(["mit", "gpl-3.0", None]), "stars": at, "copies": "3"}
        for at in range(count)
    ]  # fmt: skip


def files_of(rows: list[list[dict[str, Any]]]) -> dict[str, bytes]:
    """The same files in all formats."""
    out = {}
    for number, group in enumerate(rows):
        raw = "".join(json.dumps(row) + "\n" for row in group).encode()
        parquet = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(group), parquet, row_group_size=7)
        out |= {f"a/{number}.jsonl": raw, f"a/{number}.json.gz": gzip.compress(raw, mtime=0), f"a/{number}.parquet": parquet.getvalue()}
    return out


ROWS = [records(30, 1), records(20, 2)]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[hub_server.Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("minisc.core.hub.FIRST_WAIT", 0.01)
    with hub_server.Hub(files_of(ROWS)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, raw in files_of(ROWS).items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(raw)
    return tmp_path / "set"


def source(tmp_path: Path, **changes: Any) -> HubSource:
    return HubSource(
        **{
            "dataset": "owner/set", "revision": "main", "under": "", "files": "*.jsonl", "path": None, "columns": COLUMNS, "downloads": str(tmp_path / "downloads"),
            "block_bytes": 16_384, "part_bytes": 16_384, "max_line_bytes": 16_384, "max_bytes": None,
        } | changes
    )  # fmt: skip


def rows_of(hub: HubSource, tmp_path: Path, wanted: int | None = None) -> list[dict[str, Any]]:
    listing = hub.listing(wanted, Hashes(tmp_path / "hashes.json"))
    tables = [table for part in listing.parts for table in hub.tables(part)]
    assert all(table.schema == SCHEMA for table in tables)
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("files", FORMATS)
def test_the_hub_gives_the_rows_that_the_folder_gives(hub: hub_server.Hub, folder: Path, tmp_path: Path, files: str) -> None:
    rows = rows_of(source(tmp_path, files=files), tmp_path)
    assert rows == rows_of(source(tmp_path, files=files, path=str(folder)), tmp_path)
    written = [row for group in ROWS for row in group]
    assert [(row["text"], row["repo"], row["path"], row["stars"]) for row in rows] == [
        (one["content"], one["repo_name"], one["path"].encode(), one["stars"]) for one in written
    ]
    names = {"mit": "MIT", "gpl-3.0": "GPL-3.0-only", None: None}
    assert [row["license"] for row in rows] == [names[one["license"]] for one in written]
    assert {row["license_evidence"] for row in rows if row["license"]} == {"hub:license"}
    assert (rows[0]["source"], rows[0]["date"], rows[0]["dropped_by"]) == ("hub", None, None)
    assert json.loads(dict(rows[0]["notes"])["place"]).startswith("a/0.")


@pytest.mark.parametrize("files", FORMATS)
def test_wanted_takes_the_first_parts_only(hub: hub_server.Hub, tmp_path: Path, files: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "PROBE_BYTES", 8192)
    everything, few = rows_of(source(tmp_path, files=files), tmp_path), rows_of(source(tmp_path, files=files), tmp_path, 10_000)
    assert few == everything[: len(few)] and 5 < len(few) < len(everything)
    told = source(tmp_path, files=files).listing(10_000, Hashes(tmp_path / "hashes.json"))
    assert told.bytes == pytest.approx(sum(len(row["text"]) for row in few), rel=0.5)
    assert "a/1" not in str(told.identity) and told.identity["commit"] == hub.commit


def test_of_parquet_only_the_named_columns_are_fetched(hub: hub_server.Hub, tmp_path: Path) -> None:
    heavy = [{**row, "other": random.Random(at).randbytes(20_000).hex()} for at, row in enumerate(ROWS[0])]
    hub.files = {"x.parquet": files_of([heavy])["a/0.parquet"]}
    assert len(rows_of(source(tmp_path, files="*.parquet", block_bytes=4096), tmp_path)) == 30
    assert hub.fetched() < 0.3 * len(hub.files["x.parquet"])


def test_a_record_that_cannot_be_used_is_a_row_with_a_reason(tmp_path: Path) -> None:
    lines = [b'{"content": "x = 1\\n"}', b"{", b'{"content": null}', b'{"content": "' + b"y" * 20_000 + b'"}', b'{"content": ""}']
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jsonl").write_bytes(b"\n".join(lines))
    rows = rows_of(source(tmp_path, path=str(tmp_path / "set")), tmp_path)
    assert [row["reason"] for row in rows] == [None, "unreadable", "unreadable", "too_large", "empty"]
    assert rows[0]["repo"] == "owner/set" and len({row["uid"] for row in rows}) == 5


def test_dates_lists_of_licenses_and_git_ids(tmp_path: Path) -> None:
    table = pa.table({
        "code": ["x = 1\n"], "licenses": [["MIT", "Apache-2.0"]], "when": pa.array([datetime(2020, 1, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC")), "blob": ["a" * 40],
    })  # fmt: skip
    (tmp_path / "set").mkdir()
    pq.write_table(table, tmp_path / "set" / "a.parquet")
    columns = {"text": "code", "license": "licenses", "date": "when", "sha1_git": "blob"}
    (row,) = rows_of(source(tmp_path, path=str(tmp_path / "set"), files="*.parquet", columns=columns), tmp_path)
    assert (row["license"], row["date"], row["sha1_git"]) == ("MIT AND Apache-2.0", datetime(2020, 1, 2, tzinfo=UTC), "a" * 40)


@pytest.mark.parametrize(
    ("changes", "says", "do"),
    [
        ({"columns": {**COLUMNS, "text": "contents"}}, "no record has a text in the column 'contents'", "did you mean 'content'?"),
        ({"files": "*.parquet", "columns": {**COLUMNS, "license": "licence"}}, "has no column 'licence'", "did you mean 'license'?"),
        ({"files": "*.csv"}, "there is no file '*.csv'", "source.files='*.parquet'"),
        ({"files": "*"}, "not all of one readable format", "another of .jsonl"),
    ],
)
def test_a_wrong_name_is_said_before_anything_is_read(folder: Path, tmp_path: Path, changes: dict[str, Any], says: str, do: str) -> None:
    with pytest.raises(UserError) as caught:
        source(tmp_path, path=str(folder), **changes).listing(None, Hashes(tmp_path / "hashes.json"))
    assert says in caught.value.what and do in caught.value.do


@pytest.mark.parametrize(
    "values", [{"dataset": None}, {"columns": {"text": None}}, {"columns": {"txt": "a"}}, {"max_line_bytes": 5}, {"max_bytes": 0}]
)
def test_bad_settings_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        source(tmp_path, **values)
    assert "source." in caught.value.where and caught.value.do


@pytest.mark.parametrize("kind", ["members", "torn", "no gzip"])
def test_a_gzip_file_that_cannot_be_read_in_parts_is_an_error(tmp_path: Path, kind: str) -> None:
    raw = "".join(json.dumps(row) + "\n" for row in ROWS[0]).encode()
    packed = {"members": gzip.compress(raw) + gzip.compress(raw), "torn": gzip.compress(raw)[:-2000], "no gzip": raw}[kind]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.json.gz").write_bytes(packed)
    with pytest.raises(BadInput) as caught:
        rows_of(source(tmp_path, path=str(tmp_path / "set"), files="*.json.gz", part_bytes=1 << 30), tmp_path)
    assert caught.value.where == "a.json.gz"


def test_a_parquet_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.parquet").write_bytes(b"PAR1" + b"x" * 1000 + b"PAR1")
    with pytest.raises(BadInput, match="Parquet file cannot be read"):
        rows_of(source(tmp_path, path=str(tmp_path / "set"), files="*.parquet"), tmp_path)


def test_without_a_network_there_is_a_refusal(tmp_path: Path) -> None:
    told = source(tmp_path).listing(None, Hashes(tmp_path / "hashes.json"))
    assert told.parts == () and told.refusal is not None and "source.path=" in told.refusal.do


@pytest.mark.parametrize("name", ["codeparrot", "the_stack_smol"])
def test_ready_sets_name_their_text_repository_path_and_license(name: str) -> None:
    node = OmegaConf.merge(OmegaConf.load(CONF / "source" / "hub.yaml"), OmegaConf.load(CONF / "source" / f"{name}.yaml"))
    assert all(node["columns"][ours] for ours in ("text", "repo", "path", "license")) and "/" in node["dataset"]
