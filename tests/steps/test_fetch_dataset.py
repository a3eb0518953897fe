"""fetch_dataset against a real S3 server on loopback (moto's), and sources that read from there and from a web server directly."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from minisc.core.errors import BadInput, UserError
from minisc.core.remember import Hashes
from minisc.source.swh_graph import SwhGraph
from minisc.steps.fetch_dataset import FetchDataset
from tests import made
from tests.source.swh_export import Archive
from tests.source.test_swh_graph import SETTINGS, one_repository

TABLES = {
    "snapshot": ["object_id", "id"], "origin": ["id", "type", "url"], "origin_visit": ["origin", "visit", "date", "status", "snapshot_id"], "snapshot_branches": ["snapshot_id", "branch_id"],
    "snapshot_branch": ["object_id", "name", "target", "target_type"], "revision": ["id", "directory", "committer_date"],
    "directory": ["id", "dir_entries", "file_entries", "rev_entries"], "directory_entry_dir": ["id", "target", "name", "perms"],
    "directory_entry_file": ["id", "target", "name", "perms"], "content": ["sha1", "sha1_git", "length"], "elsewhere": ["id"],
}  # fmt: skip
pytestmark = pytest.mark.system


class Bucket:
    """One bucket of a server; `put` and `remove` speak plain HTTP, as the bucket is public."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, name: str, data: bytes) -> None:
        self._send("PUT", f"/archive/{name}" if name else "/archive", data)

    def remove(self, name: str) -> None:
        self._send("DELETE", f"/archive/{name}", None)

    def upload(self, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"graph/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def _send(self, method: str, path: str, data: bytes | None) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}", data=data, method=method, headers={"Content-Type": "application/octet-stream", "x-amz-acl": "public-read"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server_module = pytest.importorskip("moto.server", reason="pip install 'moto[server]'", exc_type=ImportError)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    found = Bucket(f"http://{host}:{port}")
    found._send("POST", "/moto-api/reset", b"")
    found.put("", b"")
    yield found
    server.stop()


def step(bucket: Bucket, to: Path, **settings: Any) -> FetchDataset:
    return FetchDataset(
        **{
            "url": "s3://archive/graph",
            "endpoint": bucket.url,
            "region": "us-east-1",
            "to": str(to),
            "tables": TABLES,
            "optional": ["elsewhere"],
            "connections": 4,
            **settings,
        }
    )


def listed(path: str, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    source = SwhGraph(path=path, **{**SETTINGS, **settings})
    return [
        row for part in source.listing(None, Hashes(folder / "h.json")).parts for table in source.tables(part) for row in table.to_pylist()
    ]


def test_what_is_fetched_gives_the_same_listing_with_fewer_columns(tmp_path: Path, bucket: Bucket) -> None:
    export = one_repository({b"a.py": b"1", b"d": {b"b.py": b"2"}}).write_arrays(tmp_path / "export")
    bucket.upload(export)
    context = made.context(tmp_path)
    cost = step(bucket, tmp_path / "to").cost({}, context)
    assert (
        cost.download_bytes == sum(path.stat().st_size for name in TABLES for path in export.glob(f"{name}/*.parquet"))
        and cost.requests > 0
    )
    figures = step(bucket, tmp_path / "to").look([], context)
    assert figures["files_fetched"] == figures["files"] == sum(len(list(export.glob(f"{name}/*.parquet"))) for name in TABLES)
    assert listed(str(tmp_path / "to"), tmp_path) == listed(str(export), tmp_path)
    assert pq.read_schema(next((tmp_path / "to" / "revision").glob("*.parquet"))).names == ["id", "directory", "committer_date"]
    assert not (tmp_path / "to" / "person").exists() and not list((tmp_path / "to").rglob("_SUCCESS"))


def test_a_rerun_fetches_what_is_new_changed_or_missing_here(tmp_path: Path, bucket: Bucket) -> None:
    bucket.upload(one_repository({b"a.py": b"1"}).write_arrays(tmp_path / "export"))
    context, to = made.context(tmp_path), tmp_path / "to"
    step(bucket, to).look([], context)
    assert step(bucket, to).look([], context)["files_fetched"] == 0
    next((to / "content").glob("*.parquet")).unlink()  # lost here
    truncated = next((to / "origin").glob("*.parquet"))
    truncated.write_bytes(truncated.read_bytes()[:50])  # damaged here
    (to / "revision" / "part-9.parquet.123.writing").write_bytes(b"left by a kill")
    assert step(bucket, to).look([], context)["files_fetched"] == 2
    assert not list(to.rglob("*.writing"))
    other = one_repository({b"a.py": b"1", b"b.py": b"2"}).write_arrays(tmp_path / "other")
    bucket.put("graph/content/part-00001.snappy.parquet", (other / "content" / "part-00001.snappy.parquet").read_bytes())
    assert step(bucket, to).look([], context)["files_fetched"] == 1


def test_a_damaged_file_of_the_bucket_is_named_and_the_others_stay(tmp_path: Path, bucket: Bucket) -> None:
    export = one_repository({b"a.py": b"1"}).write_arrays(tmp_path / "export")
    bucket.upload(export)
    name = "graph/content/part-00000.snappy.parquet"
    bucket.put(name, (export / name.removeprefix("graph/")).read_bytes()[:-20])
    with pytest.raises(BadInput) as caught:
        step(bucket, tmp_path / "to").look([], made.context(tmp_path))
    assert caught.value.where == f"s3://archive/{name}" and "run the same line again" in caught.value.do
    bucket.upload(export)
    assert step(bucket, tmp_path / "to").look([], made.context(tmp_path))["files_fetched"] >= 1
    assert listed(str(tmp_path / "to"), tmp_path)[0]["path"] == b"a.py"


def test_a_missing_table_is_named(tmp_path: Path, bucket: Bucket) -> None:
    with pytest.raises(BadInput, match="no Parquet file of the table 'snapshot'"):
        step(bucket, tmp_path / "to").look([], made.context(tmp_path))


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the bucket gave no readable file"):
        step(Bucket("http://127.0.0.1:9"), tmp_path / "to").look([], made.context(tmp_path))


@pytest.mark.parametrize("bad", [{"url": "https://x/y"}, {"url": "s3://x"}, {"connections": 0}, {"tables": {}}])
def test_values_out_of_range_are_refused_when_built(tmp_path: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        step(Bucket("http://127.0.0.1:9"), tmp_path, **bad)


def test_a_source_reads_from_the_bucket_itself(tmp_path: Path, bucket: Bucket) -> None:
    export = one_repository({b"a.py": b"1", b"d": {b"b.py": b"2"}}).write_arrays(tmp_path / "export")
    bucket.upload(export)
    assert listed("s3://archive/graph", tmp_path, endpoint=bucket.url, region="us-east-1") == listed(str(export), tmp_path)


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """A web server that shows folders as pages of links and answers ranges."""
    from aiohttp import web as server

    started: list[Any] = []
    ready = threading.Event()

    def serve() -> None:
        async def work() -> None:
            app = server.Application()
            app.router.add_static("/data/", folder, show_index=True)
            runner = server.AppRunner(app, access_log=None)
            await runner.setup()
            await server.TCPSite(runner, "127.0.0.1", 0).start()
            stop = asyncio.Event()
            started.extend([runner.addresses[0][1], asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()
            await runner.cleanup()

        asyncio.run(work())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{started[0]}/data"
    started[1].call_soon_threadsafe(started[2].set)
    thread.join(10)


def test_a_source_reads_from_a_page_of_links(tmp_path: Path) -> None:
    archive: Archive = one_repository({b"a.py": b"1", b"d": {b"b.py": b"2"}})
    archive.write_arrays(tmp_path / "export")
    with web(tmp_path / "export") as url:
        assert listed(url, tmp_path) == listed(str(tmp_path / "export"), tmp_path)
