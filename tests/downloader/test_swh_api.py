"""The API's client against a server with the archive's sliding log, its headers and its refusals."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.core.fingerprint import describe
from minisc.downloader.base import Blob
from minisc.downloader.store import BlobStore
from minisc.downloader.swh_api import SwhApi
from minisc.downloader.webapi import refusal_wait
from tests.downloader.servers import Archive, Said, serving

TOKEN = "ey.secret-token.value"
SETTINGS: dict[str, Any] = {
    "store": "", "token_variable": "SWH_TOKEN", "limit": 120, "limit_with_token": 1200, "window_seconds": 3600.0, "burst": 1.0, "connections": 4, "timeout_seconds": 1.0,
    "tries": 3, "pause_seconds": 0.01, "longest_pause_seconds": 0.05, "give_up_after": 50, "max_bytes": 1 << 20,
}  # fmt: skip


@pytest.fixture
def archive() -> Iterator[Archive]:
    held = Archive()
    with serving(held):
        yield held


def fetched(archive: Archive, blobs: list[Blob], folder: Path, said: Said | None = None, **settings: Any) -> dict[str, str | bytes | None]:
    with BlobStore(folder) as store:
        lost = SwhApi(base_url=f"{archive.url}/api/1", **{**SETTINGS, **settings}).fetch(blobs, store, said or Said())
        return {one.sha1_git: lost.get(one.sha1_git) or store.get(one.sha1_git) for one in blobs}


def test_contents_arrive_by_sha1_git_with_the_closing_slash(archive: Archive, tmp_path: Path) -> None:
    one = archive.add(b"x = 1\n")
    assert fetched(archive, [Blob(sha1_git=one.sha1_git)], tmp_path) == {one.sha1_git: b"x = 1\n"}
    assert archive.paths() == [f"/api/1/content/sha1_git:{one.sha1_git}/raw/"]
    assert "Authorization" not in archive.requests[0][2]


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        ("404", "not_found", 1),
        ("403", "not_found", 1),
        ("400", "refused", 1),
        ("wrong", "hash_mismatch", 2),
        ("endless", "too_large", 2),
        ("503", "unavailable", 3),
        ("reset", "unavailable", 3),
        ("short", "unavailable", 3),
    ],
)
def test_what_cannot_be_had_says_why(archive: Archive, tmp_path: Path, fault: str, reason: str, requests: int) -> None:
    one = archive.add(b"x = 1\n" * 9)
    archive.always(one, fault)
    assert fetched(archive, [one], tmp_path) == {one.sha1_git: reason}
    assert len(archive.requests) == requests
    fetched(archive, [one], tmp_path)
    assert len(archive.requests) == requests + (3 if reason == "unavailable" else 0)


def test_the_token_goes_to_the_api_s_host_alone(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SWH_TOKEN", TOKEN)
    caplog.set_level(logging.DEBUG)
    thief = Archive()
    one, other, third = archive.add(b"one"), archive.add(b"other"), archive.add(b"third")
    with serving(thief, "127.0.0.2") as archive.elsewhere:
        archive.always(one, "elsewhere")
        archive.fault(other, "same host")
        archive.always(third, "503")
        said = Said()
        found = fetched(archive, [one, other, third], tmp_path, said)
    assert found == {one.sha1_git: "refused", other.sha1_git: b"other", third.sha1_git: "unavailable"}
    assert thief.requests == []
    assert {headers["Authorization"] for _, _, headers in archive.requests} == {f"Bearer {TOKEN}"}
    written = b"".join(path.read_bytes() + path.name.encode() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN not in caplog.text and TOKEN not in " ".join(said.words) and TOKEN.encode() not in written
    settings = SwhApi(base_url=f"{archive.url}/api/1", **SETTINGS)
    assert TOKEN not in str(describe(settings)) and TOKEN not in repr(settings)


def test_a_token_that_does_not_count_stops_at_once(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWH_TOKEN", TOKEN)
    archive.limit = 120
    blobs = [archive.add(b"%d" % at) for at in range(50)]
    with pytest.raises(
        UserError, match=r"grants 120 requests an hour, 1,200 were expected with a token: the token does not count"
    ) as caught:
        fetched(archive, blobs, tmp_path)
    assert TOKEN not in str(caught.value) and "SWH_TOKEN" in caught.value.where and len(archive.requests) <= 4
    archive.limit = 1200
    assert fetched(archive, blobs[:1], tmp_path) == {blobs[0].sha1_git: b"0"}


def test_another_limit_than_expected_is_said_with_the_setting_to_type(archive: Archive, tmp_path: Path) -> None:
    archive.limit = 5000
    with pytest.raises(UserError) as caught:
        fetched(archive, [archive.add(b"a")], tmp_path)
    assert "downloader.limit=5000" in caught.value.do


def test_a_refused_token_is_said(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWH_TOKEN", TOKEN)
    one = archive.add(b"a")
    archive.always(one, "401")
    with pytest.raises(UserError, match="the archive refuses the token"):
        fetched(archive, [one], tmp_path)


@pytest.mark.parametrize("token", ["with space", "new\nline", "caf\xe9"])
def test_a_token_that_cannot_be_one_is_not_sent(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("SWH_TOKEN", token)
    with pytest.raises(UserError, match="characters that no token has") as caught:
        fetched(archive, [archive.add(b"a")], tmp_path)
    assert token not in str(caught.value) and not archive.requests


def test_a_token_is_not_sent_in_the_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWH_TOKEN", TOKEN)
    with pytest.raises(UserError, match="not sent over plain http"):
        SwhApi(base_url="http://archive.example/api/1", **SETTINGS).token()


@pytest.mark.system
def test_a_short_window_is_used_up_without_a_refusal(archive: Archive, tmp_path: Path) -> None:
    """The archive's sliding log with a window of two seconds, and two runs of the client."""
    archive.limit, archive.window = 20, 2.0
    blobs = [archive.add(b"%d" % at) for at in range(60)]
    start = time.monotonic()
    for own in (blobs[:25], blobs):
        assert all(isinstance(found, bytes) for found in fetched(archive, own, tmp_path, limit=20, window_seconds=2.0).values())
    assert archive.refused == 0 and len(archive.requests) == 60
    assert 4.0 <= time.monotonic() - start <= 12.0


@pytest.mark.system
@pytest.mark.parametrize(("headers", "ahead"), [("reset", 0.0), ("reset", 5000.0), ("retry-after", 0.0), ("sentence", 0.0)])
def test_a_refusal_is_said_and_waited_out(archive: Archive, tmp_path: Path, headers: str, ahead: float) -> None:
    """Somebody else has used the allowance; the server's clock may be an hour ahead of ours."""
    archive.limit, archive.window, archive.headers_on_refusal, archive.date_ahead = 5, 2.0, headers, ahead
    archive.log.extend([time.time()] * 5)
    one, said = archive.add(b"a"), Said()
    start = time.monotonic()
    assert fetched(archive, [one], tmp_path, said, limit=5, window_seconds=2.0) == {one.sha1_git: b"a"}
    assert 1.0 <= time.monotonic() - start <= 5.0 and archive.refused == 1
    assert any(words.startswith("refused (429), waiting") for words in said.words)


@pytest.mark.system
def test_a_refusal_that_says_nothing_is_waited_out_by_the_setting(archive: Archive, tmp_path: Path) -> None:
    archive.limit, archive.window, archive.headers_on_refusal = 5, 1.0, "none"
    archive.log.extend([time.time()] * 5)
    one = archive.add(b"a")
    assert fetched(archive, [one], tmp_path, limit=5, window_seconds=1.0) == {one.sha1_git: b"a"}


def test_how_long_a_refusal_lasts() -> None:
    now = 1_700_000_000.0
    date = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}  # 1,700,000,000
    assert refusal_wait({"Retry-After": "17", "X-RateLimit-Reset": "1"}, None, now, 9.0) == 17.0
    assert refusal_wait({"X-RateLimit-Reset": "1700000100", **date}, None, now + 12_345, 9.0) == 101.0  # our clock is wrong: theirs counts
    assert refusal_wait({"X-RateLimit-Reset": "1700000100"}, None, now, 9.0) == 101.0
    assert refusal_wait({"X-RateLimit-Reset": "1600000000"}, None, now, 9.0) == 1.0
    assert (
        refusal_wait({}, b'{"exception": "Throttled", "reason": "Request was throttled. Expected available in 42 seconds."}', now, 9.0)
        == 43.0
    )
    assert [
        refusal_wait({"Retry-After": "soon", "X-RateLimit-Reset": "x"}, body, now, 9.0)
        for body in (None, b"<html>", b"[]", b'{"reason": 1}')
    ] == [9.0] * 4


@pytest.mark.parametrize("bad", [{"burst": 2.0}, {"limit": 0}, {"limit_with_token": 5}, {"tries": 0}, {"base_url": "x"}])
def test_values_out_of_range_are_refused_when_built(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        SwhApi(**{"base_url": "https://archive.example/api/1", **SETTINGS, **bad})
