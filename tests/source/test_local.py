"""Folders, globs and checkouts on this machine: provenance, licenses, everything hostile that a file system can hold."""

from __future__ import annotations

import os
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from minisc.core.errors import UserError
from minisc.core.fingerprint import describe
from minisc.core.remember import Hashes
from minisc.source.local import Local

from .test_git_checkout import needs_git, repository
from .test_license_files import ISC, MIT

OPTION = Path(__file__).resolve().parents[2] / "conf/source/local.yaml"


def source(*paths: Path | str, **changes: Any) -> Local:
    values = yaml.safe_load(OPTION.read_text(encoding="utf-8"))
    del values["_target_"]
    given = [str(path) for path in paths]
    return Local(**values | {"path": given[0] if len(given) == 1 else given} | changes)


@pytest.fixture
def hashes(tmp_path_factory: pytest.TempPathFactory) -> Hashes:
    return Hashes(tmp_path_factory.mktemp("memory") / "hashes.json")


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def rows_of(local: Local, hashes: Hashes) -> list[dict[str, Any]]:
    parts = pickle.loads(pickle.dumps(local.listing(None, hashes).parts))
    return [row for part in parts for table in local.tables(part) for row in table.to_pylist()]


def places(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["repo"], row["path_text"]) for row in rows]


def test_folders_of_the_first_level_are_repositories(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(
        tmp_path / "corpus",
        {
            "top.py": "a = 1\n",
            "b/x.py": "b = 1\n",
            "b/deep/er/y.py": "c = 1\n",
            "a/x.py": "d = 1\n",
            "a/data.txt": "no code",
            "a/mod.pyi": "",
        },
    )
    local = source(corpus)
    rows = rows_of(local, hashes)
    assert places(rows) == [("corpus", "top.py"), ("corpus/a", "x.py"), ("corpus/b", "deep/er/y.py"), ("corpus/b", "x.py")]
    assert all(row["source"] == "local" and row["revision"] is None and row["license"] is None and row["date"] is None for row in rows)
    told = local.listing(None, hashes)
    assert told.ignored == {"files with other suffixes": 2} and (told.documents, told.bytes) == (4, 24)
    assert "4 of 4 files in 4 repositories" not in told.remark and told.remark.startswith(
        "4 of 4 files in 3 repositories; passed by: 2 files"
    )


@needs_git
def test_checkouts_give_remote_commit_and_license(tmp_path: Path, hashes: Hashes) -> None:
    one = write(tmp_path / "code/one", {"LICENSE": MIT, "pkg/a.py": "a = 1\n", "third/COPYING": ISC, "third/b.py": "b = 1\n"})
    commit = repository(one, "git@github.com:somebody/one.git")
    write(tmp_path / "code/plain", {"c.py": "c = 1\n"})
    rows = rows_of(source(tmp_path / "code"), hashes)
    assert [(row["repo"], row["revision"], row["path"], row["license"], row["license_evidence"]) for row in rows] == [
        ("code/plain", None, b"c.py", None, None),
        ("https://github.com/somebody/one", commit, b"pkg/a.py", "MIT", "file:LICENSE"),
        ("https://github.com/somebody/one", commit, b"third/b.py", "ISC", "file:third/COPYING"),
    ]
    below = rows_of(source(one / "pkg"), hashes)
    assert [(row["repo"], row["revision"], row["license"]) for row in below] == [("pkg", None, None)], (
        "what lies above the path does not count"
    )


@needs_git
def test_two_clones_of_one_commit_are_one_repository(tmp_path: Path, hashes: Hashes) -> None:
    for name in ("first", "second"):
        repository(write(tmp_path / f"code/{name}", {"a.py": "a = 1\n"}), "https://example.org/x.git")
    head = (tmp_path / "code/first/.git/refs/heads/main").read_text()  # the two commits differ in their second
    (tmp_path / "code/second/.git/refs/heads/main").write_text(head)
    write(tmp_path / "code/second", {"edited.py": "b = 1\n"})
    told = source(tmp_path / "code").listing(None, hashes)
    assert told.ignored["the same file of the same repository twice"] == 1
    assert places(rows_of(source(tmp_path / "code"), hashes)) == [("https://example.org/x", "a.py"), ("https://example.org/x", "edited.py")]


def test_the_license_of_a_plain_folder_lies_at_or_above_the_file(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(tmp_path / "project", {"LICENSE": MIT, "src/a.py": "a = 1\n", "vendor/LICENSE.txt": ISC, "vendor/in/b.py": "b = 1\n"})
    rows = rows_of(source(corpus), hashes)
    assert [(row["repo"], row["license"], row["license_evidence"]) for row in rows] == [
        ("project/src", "MIT", "file:LICENSE"),
        ("project/vendor", "ISC", "file:vendor/LICENSE.txt"),
    ]


def test_a_file_a_glob_and_a_list(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(
        tmp_path / "corpus", {"LICENSE": MIT, "a/x.py": "a = 1\n", "a/y.py": "b = 1\n", "b/sub/x.py": "c = 1\n", "top.py": "d = 1\n"}
    )
    assert places(rows_of(source(corpus / "a/x.py"), hashes)) == [("a", "x.py")]
    assert places(rows_of(source(f"{corpus}/*/x.py"), hashes)) == [("corpus/a", "x.py")]
    globbed = rows_of(source(f"{corpus}/**/x.py"), hashes)
    assert places(globbed) == [("corpus/a", "x.py"), ("corpus/b", "sub/x.py")] and {row["license"] for row in globbed} == {"MIT"}
    assert places(rows_of(source(f"{corpus}/?"), hashes)) == [("corpus/a", "x.py"), ("corpus/a", "y.py"), ("corpus/b", "sub/x.py")]
    either = [rows_of(source(*paths), hashes) for paths in ((corpus, corpus / "a"), (corpus / "a", corpus))]
    assert either[0] == either[1] == rows_of(source(corpus), hashes), "a folder named twice is read once, in any order"


def test_the_home_folder(tmp_path: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"code/a.py": "a = 1\n"})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places(rows_of(source("~/code"), hashes)) == [("code", "a.py")]


def test_links_are_not_followed_and_loops_end(tmp_path: Path, hashes: Hashes) -> None:
    outside = write(tmp_path / "outside", {"secret.py": "a = 1\n"})
    corpus = write(tmp_path / "corpus", {"a/x.py": "a = 1\n"})
    (corpus / "a/loop").symlink_to(corpus)
    (corpus / "a/self.py").symlink_to("self.py")
    (corpus / "a/inside.py").symlink_to("x.py")
    (corpus / "a/out.py").symlink_to(outside / "secret.py")
    (corpus / "out").symlink_to(outside)
    (corpus / "gone.py").symlink_to("/nowhere")
    (corpus / "a/LICENSE").symlink_to(outside / "secret.py")
    told = source(corpus).listing(None, hashes)
    assert places(rows_of(source(corpus), hashes)) == [("corpus/a", "x.py")]
    assert told.ignored == {"symbolic links inside the tree": 3, "symbolic links out of the tree": 4}
    (tmp_path / "link").symlink_to(corpus)
    assert places(rows_of(source(tmp_path / "link"), hashes)) == [("corpus/a", "x.py")], "the path itself may be a link"


def test_bad_files_are_rows_with_reasons(tmp_path: Path, hashes: Hashes) -> None:
    files = {
        "a.py": "a = 1\n",
        "binary.py": bytes(range(256)),
        "cyrillic.py": "# Функция возвращает сумму\n".encode("cp1251"),
        "empty.py": b"",
    }
    corpus = write(tmp_path / "corpus", files)
    with (corpus / "long.py").open("wb") as file:
        file.write(b"x = '")
        file.truncate(50_000_000)  # one line
    rows = rows_of(source(corpus), hashes)
    assert {row["path_text"]: row["reason"] for row in rows} == {
        "a.py": None,
        "binary.py": "holds_nul",
        "cyrillic.py": "not_text",
        "empty.py": "empty",
        "long.py": "too_large",
    }
    assert rows[-1]["size"] == 50_000_000 and len({row["uid"] for row in rows}) == 5


def test_a_line_of_many_megabytes_is_read_when_asked_for(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(tmp_path / "corpus", {"long.py": b"x = '" + b"y" * 10_000_000 + b"'\n"})
    (row,) = rows_of(source(corpus, max_file_bytes=64_000_000), hashes)
    assert row["reason"] is None and len(row["text"]) == 10_000_007


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_without_the_right_to_read(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(tmp_path / "corpus", {"a.py": "a = 1\n", "b.py": "b = 1\n", "closed/c.py": "c = 1\n"})
    (corpus / "b.py").chmod(0)
    (corpus / "closed").chmod(0)
    try:
        assert {row["path_text"]: row["reason"] for row in rows_of(source(corpus), hashes)} == {"a.py": None, "b.py": "unreadable"}
        assert source(corpus).listing(None, hashes).ignored == {"folders that cannot be read": 1}
    finally:
        (corpus / "closed").chmod(0o700)


def test_hostile_names(tmp_path: Path, hashes: Hashes) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    names = [
        b"\xff\xfe.py",
        b"a\nb.py",
        b"\x1b[31m.py",
        "\u2028.py".encode(),
        b"--help.py",
        b" .py",
        b"'; rm.py",
        b"\\..\\x.py",
        b"x" * 252 + b".py",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(corpus) + b"/" + name)).write_bytes(b"a = 1\n")
    rows = rows_of(source(corpus), hashes)
    assert [row["path"] for row in rows] == sorted(names)
    assert all(row["reason"] is None and len(row["path_text"].splitlines()) == 1 for row in rows)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n")
    write(Path(odd), {"in\xff/a.py": "a = 1\n"})
    assert places(rows_of(source(odd), hashes)) == [("\\xff\\n/in\xff", "a.py")]


def test_a_path_longer_than_the_system_takes(tmp_path: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "corpus", {"a.py": "a = 1\n"})
    monkeypatch.chdir(tmp_path / "corpus")
    for _ in range(25):  # 25 names of 200 bytes: 5 kB
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
        Path("b.py").write_text("b = 1\n")
    monkeypatch.chdir(tmp_path)
    told = source(tmp_path / "corpus").listing(None, hashes)
    rows = rows_of(source(tmp_path / "corpus"), hashes)
    assert told.ignored["folders that cannot be read"] == 1 and 15 < len(rows) < 26 and max(len(row["path"]) for row in rows) > 3000


def test_devices_and_pipes_are_not_opened(tmp_path: Path, hashes: Hashes, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = write(tmp_path / "corpus", {"a.py": "a = 1\n"})
    os.mkfifo(corpus / "pipe.py")
    os.mkfifo(corpus / "LICENSE")
    monkeypatch.chdir(corpus)  # a socket's name has 108 bytes at most
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket.py")
        told = source(corpus).listing(None, hashes)
    assert told.documents == 1 and told.ignored == {"devices, sockets or pipes": 3}


def test_excluded_names(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(
        tmp_path / "corpus",
        {
            "a.py": "a = 1\n",
            ".git/hooks/x.py": "",
            "sub/node_modules/y.py": "",
            ".mypy_cache/z.py": "",
            "sub/venv/q.py": "",
            "generated_pb2.py": "",
        },
    )
    assert places(rows_of(source(corpus, exclude=[".git", "node_modules", ".*_cache", "venv", "*_pb2.py"]), hashes)) == [("corpus", "a.py")]
    assert source(corpus).listing(None, hashes).ignored == {"excluded names": 4}


def test_the_same_corpus_elsewhere_has_the_same_identity(tmp_path: Path, hashes: Hashes) -> None:
    files: dict[str, str | bytes] = {"x/a.py": "a = 1\n", "y/b.py": "b = 1\n", "LICENSE": MIT}
    here, there = (source(write(tmp_path / name / "corpus", files)) for name in ("here", "there"))
    identity = here.listing(None, hashes).identity
    assert identity == there.listing(None, hashes).identity and describe(here) == describe(there) and str(tmp_path) not in str(identity)
    write(tmp_path / "there/corpus", {"LICENSE": ISC})
    assert there.listing(None, hashes).identity != identity, "a license file is data, too"


def test_parts_and_a_sample(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(
        tmp_path / "corpus",
        {f"{repo}/{at:03d}.py": f"x = {at:03d}\n" for repo, many in (("large", 200), ("small", 5)) for at in range(many)},
    )
    told = source(corpus, part_bytes=80).listing(None, hashes)
    assert len(told.parts) == 21 and rows_of(source(corpus, part_bytes=80), hashes) == rows_of(source(corpus), hashes)
    some = rows_of(source(corpus, max_bytes=240, seed=1), hashes)
    assert sum(row["repo"] == "corpus/small" for row in some) == 5 and len(some) == 30
    assert some != rows_of(source(corpus, max_bytes=240, seed=2), hashes)
    assert source(corpus, max_bytes=240).listing(None, hashes).remark.startswith("30 of 205 files in 2 repositories")


@pytest.mark.parametrize("path", [None, []])
def test_a_path_is_required(path: Any, hashes: Hashes) -> None:
    with pytest.raises(UserError, match="needs to know where") as error:
        source(path=path).listing(None, hashes)
    assert error.value.do.startswith("source.path=<folder")


def test_a_folder_that_does_not_exist_brings_the_nearest_name(tmp_path: Path, hashes: Hashes) -> None:
    for name in ("projects", "music"):
        (tmp_path / name).mkdir()
    for wrong in ("project", "project/sub/deeper", "project/*.py"):
        with pytest.raises(UserError) as error:
            source(tmp_path / wrong).listing(None, hashes)
        assert error.value.what == "there is nothing at the source's path" and error.value.where == f"source.path={tmp_path / wrong}"
        assert error.value.do == f"did you mean source.path={tmp_path / 'projects'}?"
    with pytest.raises(UserError) as error:
        source(tmp_path / "qqqq").listing(None, hashes)
    assert error.value.do == f"source.path=<a folder that exists>; in {tmp_path} there are: music, projects"


def test_a_folder_without_code_says_what_was_there(tmp_path: Path, hashes: Hashes) -> None:
    corpus = write(tmp_path / "corpus", {"a.txt": "a", "b.rs": "b"})
    with pytest.raises(UserError, match=r"no file that ends in \.py") as error:
        source(corpus).listing(None, hashes)
    assert "2 files with other suffixes" in error.value.where and "source.suffixes" in error.value.do
    with pytest.raises(UserError, match="nothing at the source's path"):
        source(f"{corpus}/*.py").listing(None, hashes)


@pytest.mark.parametrize(
    "values",
    [
        {"max_file_bytes": 0},
        {"max_file_bytes": 1 << 40},
        {"part_bytes": 0},
        {"part_bytes": 1 << 40},
        {"max_bytes": 0},
        {"suffixes": []},
        {"suffixes": ".py"},
    ],
)
def test_bad_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as error:
        source("x", **values)
    (name,) = values
    assert error.value.where.startswith(f"source.{name}=") and error.value.do.startswith(f"source.{name}=")
