"""The bucket's client against a real server with everything that can go wrong."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minisc.core.document import docs_of, sha1_git_of, table_of
from minisc.core.errors import UserError
from minisc.core.stage import apply
from minisc.downloader.base import Blob
from minisc.downloader.store import BlobStore
from minisc.downloader.swh_s3 import SwhS3
from tests.downloader.servers import Archive, Said, blob, serving

SETTINGS: dict[str, Any] = {
    "store": "", "connections": 8, "timeout_seconds": 1.0, "tries": 3, "pause_seconds": 0.01, "longest_pause_seconds": 0.05, "give_up_after": 50, "max_bytes": 1 << 20,
}  # fmt: skip


@pytest.fixture
def archive() -> Iterator[Archive]:
    held = Archive()
    with serving(held):
        yield held


def s3(archive: Archive, **settings: Any) -> SwhS3:
    return SwhS3(base_url=f"{archive.url}/content", **{**SETTINGS, **settings})


def fetched(archive: Archive, blobs: list[Blob], folder: Path, **settings: Any) -> dict[str, str | bytes | None]:
    """sha1_git -> the bytes in the store, or the reason."""
    with BlobStore(folder) as store:
        lost = s3(archive, **settings).fetch(blobs, store, Said())
        return {one.sha1_git: lost.get(one.sha1_git) or store.get(one.sha1_git) for one in blobs}


def test_contents_arrive_each_asked_for_once(archive: Archive, tmp_path: Path) -> None:
    data = [b"print(%d)\n" % at * (at + 1) for at in range(200)] + [
        b"\x1f\x8bnot gzip",
        gzip.compress(b"a content that is gzip"),
        b"\0" * 5000,
    ]
    blobs = [archive.add(raw) for raw in data]
    found = fetched(archive, blobs, tmp_path)
    assert [found[sha1_git_of(raw)] for raw in data] == data
    assert len(archive.requests) == len(data) and all(
        headers["Accept-Encoding"] == "identity" and "minisc" in headers["User-Agent"] for _, _, headers in archive.requests
    )
    fetched(archive, blobs, tmp_path)
    assert len(archive.requests) == len(data)  # a rerun repeats nothing


FINAL = {
    "403": "not_found", "404": "not_found", "410": "not_found", "wrong": "hash_mismatch", "zeros": "hash_mismatch", "cut gzip": "damaged", "twice": "damaged",
    "bomb": "too_large", "endless": "too_large",
}  # fmt: skip


@pytest.mark.parametrize("fault", FINAL)
def test_final_answers_are_said_and_remembered(archive: Archive, tmp_path: Path, fault: str) -> None:
    good, bad = archive.add(b"good " * 50), archive.add(b"bad " * 50)
    archive.always(bad, fault)
    assert fetched(archive, [good, bad], tmp_path) == {good.sha1_git: b"good " * 50, bad.sha1_git: FINAL[fault]}
    asked = archive.paths().count(f"/content/{bad.sha1}")
    assert asked == (1 if FINAL[fault] == "not_found" else 2)  # what may have been an accident is asked for once more
    assert fetched(archive, [good, bad], tmp_path)[bad.sha1_git] == FINAL[fault]
    assert archive.paths().count(f"/content/{bad.sha1}") == asked


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "reset", "slow", "short", "elsewhere", "wrong", "cut gzip", "zeros"])
def test_trouble_that_passes_is_tried_again(archive: Archive, tmp_path: Path, fault: str) -> None:
    one = archive.add(b"x = 1\n" * 30)
    archive.fault(one, fault)
    archive.elsewhere = "http://127.0.0.2:9"
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: b"x = 1\n" * 30}
    assert len(archive.requests) == 2


@pytest.mark.parametrize("fault", ["429", "500", "503", "reset", "slow", "trickle", "short", "elsewhere"])
def test_trouble_that_does_not_pass_is_unavailable_and_asked_for_again_later(archive: Archive, tmp_path: Path, fault: str) -> None:
    one = archive.add(b"x = 1\n" * 30)
    archive.always(one, fault)
    archive.elsewhere = "http://127.0.0.2:9"
    assert fetched(archive, [one], tmp_path, timeout_seconds=0.3) == {one.sha1_git: "unavailable"}
    assert len(archive.requests) == 3
    archive.forever.clear()
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: b"x = 1\n" * 30}


def test_a_body_that_is_no_gzip_but_right_is_taken(archive: Archive, tmp_path: Path) -> None:
    one = archive.add(b"plain text\n" * 9)
    archive.fault(one, "plain")
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: b"plain text\n" * 9}


def test_a_right_length_does_not_make_wrong_bytes_right(archive: Archive, tmp_path: Path) -> None:
    one = archive.add(b"abc")
    archive.by_sha1[str(one.sha1)] = b"abd"
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: "hash_mismatch"}
    lying = replace(archive.add(b"def"), sha1_git=sha1_git_of(b"other"))  # sha1 right, sha1_git not
    assert fetched(archive, [lying], tmp_path) == {lying.sha1_git: "hash_mismatch"}


def test_without_sha1_nothing_is_asked(archive: Archive, tmp_path: Path) -> None:
    one = replace(archive.add(b"abc"), sha1=None)
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: "unlisted"} and not archive.requests


def test_larger_than_wanted_is_not_asked_for(archive: Archive, tmp_path: Path) -> None:
    one = archive.add(b"x" * 2000)
    assert fetched(archive, [one], tmp_path, max_bytes=1000) == {one.sha1_git: "too_large"} and not archive.requests
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: b"x" * 2000}  # a setting is not the archive's last word


def test_an_unknown_length_is_bounded_too(archive: Archive, tmp_path: Path) -> None:
    one = blob(b"x" * 100, sized=False)
    archive.add(b"x" * 100)
    archive.fault(one, "bomb", "bomb")
    assert fetched(archive, [one], tmp_path / "a") == {one.sha1_git: "too_large"}
    assert fetched(archive, [one], tmp_path / "b") == {one.sha1_git: b"x" * 100}


def test_a_source_that_keeps_failing_is_given_up(archive: Archive, tmp_path: Path) -> None:
    blobs = [archive.add(b"%d" % at) for at in range(100)]
    for one in blobs:
        archive.always(one, "500")
    with pytest.raises(UserError, match="swh_s3 failed 20 times in a row, last with status 500"):
        fetched(archive, blobs, tmp_path, give_up_after=20)


def test_nobody_there_is_said_so(tmp_path: Path) -> None:
    nobody = Archive(url="http://127.0.0.1:9")
    with pytest.raises(UserError, match="failed 5 times in a row, last with ClientConnectorError"):
        fetched(nobody, [blob(b"a"), blob(b"b"), blob(b"c")], tmp_path, give_up_after=5)


@pytest.mark.parametrize("url", ["", "ftp://x/y", "http://user:secret@host/", "not an address", "http://host/?q=1"])
def test_an_address_that_is_none_is_refused_when_built(url: str) -> None:
    with pytest.raises(UserError, match="an address of the form"):
        SwhS3(base_url=url, **SETTINGS)


def test_as_a_stage_it_fills_in_text_or_says_why_not(archive: Archive, tmp_path: Path) -> None:
    texts = {
        "ok.py": b"x = 1\r\n",
        "latin.py": b"# -*- coding: latin-1 -*-\n# \xe9\n",
        "nul.py": b"a\0b",
        "gone.py": b"gone",
        "blank.py": b" \n",
    }
    rows = []
    for name, raw in texts.items():
        one = archive.add(raw)
        for path in (name, f"copy/{name}"):
            rows.append(
                {
                    "uid": path,
                    "sha1_git": one.sha1_git,
                    "sha1": one.sha1,
                    "size": len(raw),
                    "kind": "code",
                    "path": path.encode(),
                    "path_text": path,
                }
            )
    archive.always(blob(b"gone"), "404")
    stage = s3(archive, store=str(tmp_path))
    with stage.open() as judge:
        out = apply([("download", stage, judge)], table_of(rows)).to_pylist()
    assert {row["uid"]: row["text"] or row["reason"] for row in out if "/" not in row["uid"]} == {
        "ok.py": "x = 1\n", "latin.py": "# -*- coding: latin-1 -*-\n# \xe9\n", "nul.py": "holds_nul", "gone.py": "not_found", "blank.py": "empty",
    }  # fmt: skip
    assert len(archive.requests) == len(texts)  # each unique content once for all its paths
    assert dict(docs_of(table_of([{**out[0], "notes": dict(out[0]["notes"])}]))[0].notes)["newlines"] == '"crlf"'


FETCH = """
import sys
import time
from pathlib import Path
from minisc.downloader.base import Blob, Unwatched
from minisc.downloader.store import BlobStore
from minisc.downloader.swh_s3 import SwhS3
url, folder, names = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_text().split()
settings = dict(connections=4, timeout_seconds=10.0, tries=3, pause_seconds=0.1, longest_pause_seconds=1.0, give_up_after=50, max_bytes=1 << 20, store="")
with BlobStore(folder) as store:
    SwhS3(base_url=url, **settings).fetch([Blob(sha1_git=git, sha1=sha1) for git, sha1 in zip(names[::2], names[1::2])], store, Unwatched())
    print(len(store))
"""


@pytest.mark.system
def test_killed_anywhere_no_finished_request_is_repeated(archive: Archive, tmp_path: Path) -> None:
    blobs = [archive.add(os.urandom(2000)) for _ in range(1500)]
    (tmp_path / "names").write_text(" ".join(f"{one.sha1_git} {one.sha1}" for one in blobs))
    command = [sys.executable, "-c", FETCH, f"{archive.url}/content", str(tmp_path / "store"), str(tmp_path / "names")]
    for kill_at in (300, 700, 1100):
        process = subprocess.Popen(command)
        while len(archive.requests) < kill_at and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) == 1500
    assert 1500 <= len(archive.requests) <= 1500 + 3 * 8  # at most what was in flight at each kill (4 connections, answers on their way)
    with BlobStore(tmp_path / "store") as store:
        assert all(hashlib.sha1(store.get(one.sha1_git) or b"").hexdigest() == one.sha1 for one in blobs)


SMALL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
"""


@pytest.mark.system
def test_a_disk_that_fills_up_is_said_and_what_arrived_stays(archive: Archive, tmp_path: Path) -> None:
    """No file of the process may grow beyond 200 kB; then there is room again."""
    blobs = [archive.add(os.urandom(2000)) for _ in range(300)]
    (tmp_path / "names").write_text(" ".join(f"{one.sha1_git} {one.sha1}" for one in blobs))
    arguments = [f"{archive.url}/content", str(tmp_path / "store"), str(tmp_path / "names")]
    done = subprocess.run([sys.executable, "-c", SMALL_DISK + FETCH, *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and "UserError: cannot write into the store of blobs: file too large" in done.stderr
    asked = len(archive.requests)
    again = subprocess.run([sys.executable, "-c", FETCH, *arguments], check=True, capture_output=True, text=True)
    assert int(again.stdout) == 300 and 90 < asked < 120
    assert len(archive.requests) <= 300 + 5  # the connections' own at the end of the first
