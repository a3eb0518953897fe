"""The vault: bundles cooked, waited for, followed elsewhere without the token, taken apart file by file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minisc.downloader.base import Blob
from minisc.downloader.store import BlobStore
from minisc.downloader.swh_vault import SwhVault
from tests.downloader.servers import Archive, Said, blob, bundle, serving
from tests.downloader.test_swh_api import SETTINGS as API
from tests.downloader.test_swh_api import TOKEN

SETTINGS: dict[str, Any] = {
    **API, "poll_seconds": 0.01, "longest_cooking_seconds": 1.0, "poll_limit": 60, "poll_limit_with_token": 600, "poll_window_seconds": 60.0, "max_bundle_bytes": 1 << 20,
    "max_unpacked_bytes": 10 << 20,
}  # fmt: skip
ROOT = "a" * 40
MISSING = b"This content is missing from the Software Heritage archive"


@pytest.fixture
def archive() -> Iterator[Archive]:
    held = Archive()
    with serving(held):
        yield held


def fetched(archive: Archive, blobs: list[Blob], folder: Path, **settings: Any) -> dict[str, str | bytes | None]:
    with BlobStore(folder) as store:
        lost = SwhVault(base_url=f"{archive.url}/api/1", **{**SETTINGS, **settings}).fetch(blobs, store, Said())
        return {one.sha1_git: lost.get(one.sha1_git) or store.get(one.sha1_git) for one in blobs}


def test_a_tree_is_cooked_once_and_placeholders_do_not_pass(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWH_TOKEN", TOKEN)
    archive.bundles[ROOT] = bundle(
        {"r/a.py": b"a = 1\n", "../../evil.py": b"evil\n", "/abs.py": b"abs\n", "r/gone.py": MISSING, "r/other.txt": b"not asked for"},
        {"r/ln.py": "/etc/passwd"},
    )
    archive.cooking_polls = 3
    kept = Archive(bundles=archive.bundles)
    blobs = [blob(data, ROOT) for data in (b"a = 1\n", b"evil\n", b"abs\n", b"gone = 1\n")]
    with serving(kept, "127.0.0.2") as archive.elsewhere:
        found = fetched(archive, blobs, tmp_path / "store")
    assert [found[one.sha1_git] for one in blobs] == [b"a = 1\n", b"evil\n", b"abs\n", "not_found"]
    assert [method for method, _, _ in archive.requests] == ["POST", "GET", "GET", "GET", "GET"]
    assert [path for _, path, _ in kept.requests] == [f"/bundle/{ROOT}"] and "Authorization" not in kept.requests[0][2]
    assert {path.name for path in tmp_path.iterdir()} == {"store"}  # names in a bundle make no files
    with BlobStore(tmp_path / "store") as store:
        assert len(store) == 3
    archive.requests.clear()
    fetched(archive, blobs, tmp_path / "store")
    assert archive.requests == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"no gzip", "damaged"),
        (bundle({"a": b"x" * 5000})[:-30], "damaged"),
        (bundle({"a": b"\0" * 20_000_000}), "damaged"),
        (b"x" * 2_000_000, "too_large"),
    ],
    ids=["no gzip", "cut short", "unpacks to too much", "too large"],  # of the bytes, which hold a time, every process would make its own
)
def test_a_bundle_that_is_none(archive: Archive, tmp_path: Path, body: bytes, reason: str) -> None:
    archive.bundles[ROOT] = body
    one = blob(b"wanted", ROOT)
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: reason}


def test_a_tree_that_cannot_be_cooked(archive: Archive, tmp_path: Path) -> None:
    archive.bundles[ROOT] = b""
    archive.forever[ROOT] = "failed"
    one, unknown, rootless = blob(b"a", ROOT), blob(b"b", "b" * 40), blob(b"c")
    assert fetched(archive, [one, unknown, rootless], tmp_path) == {
        one.sha1_git: "not_cooked",
        unknown.sha1_git: "not_found",
        rootless.sha1_git: "unlisted",
    }


def test_cooking_that_takes_too_long_is_left_for_another_run(archive: Archive, tmp_path: Path) -> None:
    archive.bundles[ROOT] = bundle({"a.py": b"a"})
    archive.cooking_polls = 1000
    one = blob(b"a", ROOT)
    assert fetched(archive, [one], tmp_path, longest_cooking_seconds=0.05) == {one.sha1_git: "unavailable"}
    archive.cooking_polls = 0
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: b"a"}
