"""Files to rows: what is kept, what is told of what is not, and that rows never tell of other bytes than those listed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core import remember
from minisc.core.document import SCHEMA, sha1_git_of, uid_of
from minisc.core.errors import BadInput
from minisc.core.remember import Hashes
from minisc.source import files as module
from minisc.source.files import File, batched, hashed, identity_of, parts_of, readable, rows_of, without_repeats


def listed(path: Path, **columns: object) -> File:
    return File(**{"where": str(path), "repo": "r", "path": os.fsencode(path.name), "size": path.stat().st_size} | columns)  # type: ignore[arg-type]


def test_a_file_becomes_a_row(tmp_path: Path) -> None:
    raw = b"# caf\xe9, as it was\r\nx = 1\r\n"
    (tmp_path / "a.py").write_bytes(raw)
    (file,) = hashed(
        [listed(tmp_path / "a.py", revision="1.0", license="MIT", license_evidence="file:LICENSE")], Hashes(tmp_path / "memory")
    )
    (table,) = batched(rows_of([file], "local"))
    assert table.schema == SCHEMA
    (row,) = table.to_pylist()
    sha1_git = sha1_git_of(raw)
    assert row == dict.fromkeys(SCHEMA.names) | {
        "uid": uid_of(source="local", repo="r", revision="1.0", path=b"a.py", sha1_git=sha1_git), "sha1_git": sha1_git, "sha1": hashlib.sha1(raw).hexdigest(),
        "size": len(raw), "kind": "code", "text": "# café, as it was\nx = 1\n", "encoding": "cp1252", "source": "local", "repo": "r", "revision": "1.0",
        "path": b"a.py", "path_text": "a.py", "license": "MIT", "license_evidence": "file:LICENSE", "notes": [("newlines", '"crlf"')],
    }  # fmt: skip


@pytest.mark.parametrize(("raw", "reason"), [(b"", "empty"), (b"\0", "holds_nul"), (b"\xff\xfe\xfd" * 9, "not_text")])
def test_what_is_no_text_is_a_dropped_row(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "a.py").write_bytes(raw)
    (row,) = rows_of(hashed([listed(tmp_path / "a.py")], Hashes(tmp_path / "memory")), "local")
    assert (row["dropped_by"], row["reason"], row["text"], row["size"], row["sha1_git"]) == (
        "collect",
        reason,
        None,
        len(raw),
        sha1_git_of(raw),
    )


def test_what_is_not_read_is_a_dropped_row_without_hashes(tmp_path: Path) -> None:
    gone = File(where=str(tmp_path / "gone.py"), repo="r", path=b"gone.py", size=5)
    large = File(where=str(tmp_path / "large.py"), repo="r", path=b"large.py", size=10**12, reason="too_large")
    (tmp_path / "a.py").write_text("x = 1\n")
    files = hashed([listed(tmp_path / "a.py"), gone, large, listed(tmp_path / "a.py")], Hashes(tmp_path / "memory"))
    rows = list(rows_of(files, "local"))
    assert [row["reason"] for row in rows] == [None, "unreadable", "too_large", None]
    assert [(row["sha1_git"], row["sha1"], row["text"]) for row in rows[1:3]] == [(None, None, None)] * 2


@pytest.mark.parametrize("raw", [b"x = 2\n", b"x = 1\n\n", b"x", None])
def test_a_file_that_changes_after_the_listing_stops_the_run(tmp_path: Path, raw: bytes | None) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n")
    files = hashed([listed(path)], Hashes(tmp_path / "memory"))
    path.unlink() if raw is None else path.write_bytes(raw)
    with pytest.raises(BadInput) as error:
        list(rows_of(files, "local"))
    assert error.value.where == str(path) and error.value.do


def test_names_that_are_no_unicode_are_hashed_and_spoil_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remember, "RACY_SECONDS", -1.0)  # these files are new
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.py"
    Path(os.fsdecode(odd)).write_bytes(b"x = 1\n")
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    for path in (os.fsdecode(odd), tmp_path / "a.py"):
        os.utime(path, (1e9, 1e9))
    files = hashed([listed(Path(os.fsdecode(odd))), listed(tmp_path / "a.py")], Hashes(tmp_path / "memory"))
    assert len({file.sha256 for file in files}) == 1 and files[0].sha256 == hashlib.sha256(b"x = 1\n").hexdigest()
    assert list(json.loads((tmp_path / "memory").read_text())) == [str(tmp_path / "a.py")]
    assert [row["path_text"] for row in rows_of(files, "local")] == ["\\xff\\xfe.py", "a.py"]


def test_identity_tells_everything_but_the_place() -> None:
    file = File(where="/a", repo="r", path=b"p", size=1, revision="v", license="MIT", license_evidence="e", sha256="0")
    same = identity_of([file])
    assert same == identity_of([File(**{name: getattr(file, name) for name in File.__dataclass_fields__} | {"where": "/b"})])
    assert (same["files"], same["bytes"]) == ("1", "1")
    for name in ("repo", "path", "size", "revision", "license", "license_evidence", "sha256", "reason"):
        other = {"path": b"q", "size": 2}.get(name, "other")
        assert identity_of([File(**{field: getattr(file, field) for field in File.__dataclass_fields__} | {name: other})]) != same, name


@settings(deadline=None, max_examples=100)
@given(sizes=st.lists(st.integers(0, 50), max_size=40), part_bytes=st.integers(1, 100))
def test_parts_hold_every_file_once_in_order_and_no_more_than_allowed(sizes: list[int], part_bytes: int) -> None:
    files = [File(where=str(at), repo="r", path=b"p", size=size) for at, size in enumerate(sizes)]
    parts = parts_of(files, part_bytes)
    assert [file for part in parts for file in part] == files
    assert all(part and (len(part) == 1 or sum(file.size for file in part) <= part_bytes) for part in parts)


def test_tables_are_bounded_and_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLE_BYTES", 10)
    rows = [{"uid": str(at), "text": "x" * at} for at in range(12)]
    tables = list(batched(rows))
    assert [uid for table in tables for uid in table["uid"].to_pylist()] == [row["uid"] for row in rows]
    assert all(len("".join(table["text"].to_pylist()[:-1])) < 10 for table in tables) and len(tables) > 4
    assert list(batched([])) == []


def test_repeats_of_one_file_of_one_revision_go_and_other_contents_stay() -> None:
    one = File(where="/a/x", repo="r", path=b"x", size=1, revision="c", sha256="0")
    clone, edited = (
        File(where=where, repo="r", path=b"x", size=1, revision="c", sha256=digest) for where, digest in (("/b/x", "0"), ("/c/x", "1"))
    )
    assert without_repeats([one, clone, edited]) == [one, edited]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_any_path_is_readable_on_one_line(path: bytes) -> None:
    text = readable(path)
    assert text.encode("utf-8").decode() == text and len(text.splitlines()) <= 1 and "\0" not in text
    if path.isascii() and path.decode().isprintable():
        assert text == path.decode()
