"""The graph source against git itself, on every layout and type that exports come in, and on damaged and hostile data."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from minisc.core.errors import BadInput, UserError
from minisc.core.remember import Hashes
from minisc.source.swh_graph import SwhGraph, _remembered
from tests.source.swh_export import EXECUTABLE, HOUR, SUBMODULE, SYMLINK, TREE, Archive, Tree, git

MANY = ("HEAD", "main", "master", "develop", "trunk", "default", "newest")
SETTINGS: dict[str, Any] = {
    "endpoint": "", "region": "", "kinds": ("git", "pypi", "deb"), "branches": MANY, "keep": ("*.py",), "license_files": True, "max_bytes": 1 << 20, "max_depth": 64,
    "max_files": 200_000, "repositories": None, "proof_sample": 1000, "proof_tolerance": 0.0, "seed": 1,
}  # fmt: skip


def listed(folder: Path, wanted: int | None = None, **settings: Any) -> tuple[Any, list[dict[str, Any]]]:
    source = SwhGraph(path=str(folder), **{**SETTINGS, **settings})
    told = source.listing(wanted, Hashes(folder.parent / "hashes.json"))
    return told, [row for part in told.parts for table in source.tables(part) for row in table.to_pylist()]


def one_repository(tree: Tree, **visit: Any) -> Archive:
    archive = Archive()
    commit = archive.commit(archive.tree(tree))
    archive.visit(archive.origin("https://forge.example/a/b"), {b"refs/heads/master": ("revision", commit)}, **visit)
    return archive


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A git repository with what repositories have: folders, names that are not UTF-8, links, executables, a submodule, history."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "development")
    (folder / "pkg" / "deep").mkdir(parents=True)
    (folder / "a.py").write_bytes(b"print(1)\n")
    (folder / "pkg" / "b.py").write_bytes(b"x = 1\n")
    (folder / "pkg" / "deep" / "c.py").write_bytes(b"y = 2\n")
    (folder / "pkg" / "deep" / "notes.txt").write_bytes(b"n\n")
    (folder / "pkg" / "tool.py").write_bytes(b"#!python\n")
    (folder / "pkg" / "tool.py").chmod(0o755)
    (folder / "pkg" / "link.py").symlink_to("b.py")
    Path(os.fsdecode(bytes(folder) + b"/\xe9t\xe9.py")).write_bytes(b"z = 3\n")
    (folder / "LICENSE").write_bytes(b"MIT License\n")
    git(folder, "add", "-A")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'5' * 40},vendored")
    git(folder, "commit", "-q", "-m", "one")
    (folder / "pkg" / "b.py").write_bytes(b"x = 2\n")
    git(folder, "add", "pkg/b.py")
    git(folder, "commit", "-q", "-m", "two")
    git(folder, "tag", "-a", "v1", "-m", "v1")
    return folder


@pytest.mark.parametrize("layout", ["arrays", "relational"])
def test_agrees_with_git_ls_tree(repo: Path, tmp_path: Path, layout: str) -> None:
    archive = Archive()
    archive.visit(archive.origin("https://forge.example/a/b"), archive.add_git(repo))
    told, rows = listed(getattr(archive, f"write_{layout}")(tmp_path / "export"))
    truth = {}
    for line in git(repo, "ls-tree", "-r", "-z", "-l", "HEAD").split(b"\0")[:-1]:
        mode, kind, sha1_git, size = line.split(b"\t")[0].split()
        name = line.split(b"\t", 1)[1]
        if kind == b"blob" and (name.endswith(b".py") or name == b"LICENSE"):
            truth[name] = (mode.decode(), sha1_git.decode(), int(size))
    assert {row["path"]: (dict(row["notes"])["perms"].strip('"'), row["sha1_git"], row["size"]) for row in rows} == truth
    assert [row["path"] for row in rows] == sorted(truth)
    head, tree = git(repo, "rev-parse", "HEAD", "HEAD^{tree}").decode().split()
    for row in rows:
        data = git(repo, "cat-file", "blob", row["sha1_git"])
        assert row["sha1"] == hashlib.sha1(data).hexdigest()
        assert (row["revision"], row["directory"], row["text"]) == (head, tree, None)
    assert {row["path"]: row["reason"] for row in rows if row["reason"]} == {b"pkg/link.py": "symlink"}
    assert [row["path"] for row in rows if row["kind"] == "license"] == [b"LICENSE"]
    assert dict(rows[0]["notes"])["branch"] == '"refs/heads/development"'  # HEAD is no alias in 2019: named by what it equals
    assert told.ignored["submodules"] == 1 and told.ignored["directories_proved"] == 3
    assert (told.documents, told.bytes) == (6, sum(size for path, (_, _, size) in truth.items() if path != b"pkg/link.py"))


@pytest.mark.parametrize("layout", ["arrays", "relational"])
def test_every_kind_of_origin_has_its_branch(tmp_path: Path, layout: str) -> None:
    archive = Archive()

    def version(text: str, kind: str = "git", date: int = 1_500_000_000_000_000) -> bytes:
        return archive.commit(archive.tree({b"v.py": text.encode()}), kind=kind, date=date)

    def visit(url: str, kind: str, branches: dict[bytes, Any]) -> None:
        archive.visit(archive.origin(url, kind), branches)

    visit(
        "g/head-alias",
        "git",
        {
            b"HEAD": ("alias", b"refs/heads/dev"),
            b"refs/heads/dev": ("revision", version("alias")),
            b"refs/heads/master": ("revision", version("not")),
        },
    )
    visit("g/release", "git", {b"HEAD": ("release", archive.tag(archive.tag(version("tagged")), "release"))})
    visit(
        "g/newest",
        "git",
        {
            b"refs/heads/old": ("revision", version("old")),
            b"refs/heads/new": ("revision", version("new", date=1_600_000_000_000_000)),
            b"refs/pull/1/head": ("revision", version("pull", date=1_700_000_000_000_000)),
        },
    )
    visit("g/cycle", "git", {b"HEAD": ("alias", b"refs/heads/a"), b"refs/heads/a": ("alias", b"HEAD")})
    visit("g/dangling", "git", {b"HEAD": (None, None)})
    visit("g/missing", "git", {b"HEAD": ("revision", b"\x07" * 20)})
    visit("g/noroot", "git", {b"HEAD": ("revision", archive.commit(b"\x08" * 20))})
    visit("g/empty", "git", {})
    visit(
        "p/alias",
        "pypi",
        {
            b"HEAD": ("alias", b"releases/1.0"),
            b"releases/1.0": ("revision", version("1.0", "tar")),
            b"releases/2.0": ("revision", version("2.0", "tar")),
        },
    )
    visit("p/many", "pypi", {f"releases/{v}".encode(): ("revision", version(v, "tar")) for v in ("1.9", "1.10", "1.11rc1", "nonsense")})
    visit("p/files", "pypi", {f"releases/3/{f}".encode(): ("revision", version(f, "tar")) for f in ("a.zip", "a.tar.gz")})
    visit(
        "d/suites",
        "deb",
        {
            b"stretch/main/2.10-1": ("revision", version("stretch", "dsc")),
            b"sid/main/2.9-1": ("revision", version("sid", "dsc")),
            b"buster/main/3.0~rc1-1": (None, None),
        },
    )
    archive.visit(archive.origin("g/never"), None)
    archive.visits.pop()
    archive.visit(archive.origin("g/nothing"), None)
    told, rows = listed(getattr(archive, f"write_{layout}")(tmp_path / "export"))
    text = {hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(): data.decode() for data in archive.contents.values()}
    assert {row["repo"]: text[row["sha1_git"]] for row in rows} == {
        "g/head-alias": "alias", "g/release": "tagged", "g/newest": "new", "p/alias": "1.0", "p/many": "1.10", "p/files": "a.tar.gz", "d/suites": "stretch",
    }  # fmt: skip
    lost = {name: number for name, number in told.ignored.items() if name.startswith("origin_")}
    assert lost == {
        "origin_git_branch_cycle": 1, "origin_git_dangling_branch": 1, "origin_git_missing_revision": 1, "origin_git_missing_directory": 1, "origin_git_no_wanted_branch": 1,
        "origin_git_no_usable_visit": 1, "origin_git_never_visited" if layout == "arrays" else "origin_unknown_kind_not_asked_for": 1,
    }  # fmt: skip


def test_a_filter_on_main_and_master_says_what_it_drops(tmp_path: Path) -> None:
    archive = one_repository({b"a.py": b"1"})
    commit = archive.commit(archive.tree({b"b.py": b"2"}))
    archive.visit(archive.origin("p", "pypi"), {b"releases/1": ("revision", commit)})
    archive.visit(archive.origin("d"), {b"refs/heads/devel": ("revision", commit)})
    told, rows = listed(archive.write_arrays(tmp_path / "export"), branches=("main", "master"), kinds=("git",))
    assert {row["repo"] for row in rows} == {"https://forge.example/a/b"}
    assert told.remark.endswith("origins: git 1 of 2 (no_wanted_branch 1); pypi 0 of 1 (kind_not_asked_for 1)")


def test_the_newest_full_visit_that_resolves_is_chosen(tmp_path: Path) -> None:
    archive = Archive()
    commits = [archive.commit(archive.tree({b"a.py": b"%d" % at})) for at in range(5)]
    origin = archive.origin("o")
    start = 1_540_000_000_000_000
    archive.visit(origin, {b"HEAD": ("revision", commits[0])}, number=1, date=start)
    archive.visit(origin, {b"HEAD": ("revision", commits[1])}, number=2, date=start + HOUR)
    archive.visit(origin, {b"HEAD": (None, None)}, number=3, date=start + 2 * HOUR)  # newest full, but it leads nowhere
    archive.visit(origin, {b"HEAD": ("revision", commits[3])}, number=4, date=start + 3 * HOUR, status="partial")
    archive.visit(origin, {b"HEAD": ("revision", commits[4])}, number=5, date=start + 4 * HOUR, status="ongoing")
    _, rows = listed(archive.write_arrays(tmp_path / "export"))
    assert [(row["revision"], dict(row["notes"])["visit"]) for row in rows] == [(commits[1].hex(), "2")]


def test_a_partial_visit_serves_where_no_full_one_does(tmp_path: Path) -> None:
    _, rows = listed(one_repository({b"a.py": b"1"}, status="partial").write_arrays(tmp_path / "export"))
    assert len(rows) == 1


def test_forks_with_the_same_root_are_one(tmp_path: Path) -> None:
    archive = Archive()
    root = archive.tree({b"a.py": b"1"})
    early, late = archive.commit(root, date=1), archive.commit(root, date=2)
    for url, kind, commit in (("z", "git", early), ("a", "git", late), ("p", "pypi", early)):
        archive.visit(archive.origin(url, kind), {b"HEAD": ("revision", commit)})
    told, rows = listed(archive.write_arrays(tmp_path / "export"))
    assert [(row["repo"], dict(row["notes"])["same_as"]) for row in rows] == [("z", '["a", "p"]')]
    assert told.ignored["origin_git_same_root"] == 1 and told.ignored["origin_pypi_same_root"] == 1


def retyped(column: str, kind: pa.DataType, scale: int = 1) -> Any:
    def change(table: pa.Table) -> pa.Table:
        values = [None if value is None else value // scale if scale > 1 else value for value in table[column].cast(pa.int64()).to_pylist()]
        return table.set_column(table.schema.get_field_index(column), column, pa.array(values, pa.int64()).cast(kind))

    return change


VARIANTS: dict[str, dict[str, Any]] = {
    "seconds": {"revision": retyped("committer_date", pa.int64(), 1_000_000), "origin_visit": retyped("date", pa.timestamp("s"), 1_000_000)},
    "milliseconds": {"revision": retyped("committer_date", pa.int64(), 1_000), "origin_visit": retyped("date", pa.timestamp("ms", "UTC"), 1_000)},
    "microseconds": {"revision": retyped("committer_date", pa.int64()), "origin_visit": retyped("date", pa.int64())},
    "float keys": {"origin_visit": retyped("snapshot_id", pa.float64()), "directory_entry_file": retyped("id", pa.float64()), "snapshot_branches": retyped("branch_id", pa.float64())},
    "small keys": {"origin": retyped("id", pa.int32()), "directory_entry_dir": retyped("id", pa.uint32()), "directory_entry_file": retyped("perms", pa.uint16())},
    "no status": {"origin_visit": lambda table: table.drop_columns(["status"])},
    "no target type": {"release": lambda table: table.drop_columns(["target_type"])},
    "extra columns": {name: lambda table: table.append_column("__index_level_0__", pa.array(range(len(table)))) for name in ("origin", "content", "directory")},
    "fixed ids": {"content": lambda table: table.set_column(1, "sha1_git", table["sha1_git"].cast(pa.binary(20))), "directory": lambda table: table.set_column(0, "id", table["id"].cast(pa.binary(20)))},
    "empty lists": {"directory": lambda table: table.set_column(3, "rev_entries", pa.array([value or [] for value in table["rev_entries"].to_pylist()], pa.large_list(pa.int64())))},
    "large names": {"directory_entry_file": lambda table: table.set_column(2, "name", table["name"].cast(pa.large_binary()))},
    "url as bytes": {"origin": lambda table: table.set_column(2, "url", table["url"].cast(pa.binary()))},
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_types_of_an_export_do_not_matter(repo: Path, tmp_path: Path, variant: str) -> None:
    archive = Archive()
    archive.visit(archive.origin("https://forge.example/a/b"), archive.add_git(repo))
    _, plain = listed(archive.write_arrays(tmp_path / "plain"))
    _, varied = listed(archive.write_arrays(tmp_path / "varied", VARIANTS[variant], files=1))
    assert varied == plain


def test_files_of_one_table_may_differ_in_schema(tmp_path: Path) -> None:
    folder = one_repository({b"a.py": b"1", b"b.py": b"2"}).write_arrays(tmp_path / "export", files=2)
    path = sorted((folder / "content").glob("*.parquet"))[1]
    table = pq.read_table(path)
    pq.write_table(table.select(["length", "sha1_git", "sha1"]).append_column("more", pa.array([1.5] * len(table))), path)
    assert [row["size"] for row in listed(folder)[1]] == [1, 1]


def test_int96_dates_of_any_year_are_read(tmp_path: Path) -> None:
    folder = one_repository({b"a.py": b"1"}).write_arrays(tmp_path / "export", files=1)
    path = next((folder / "revision").glob("*.parquet"))
    pq.write_table(pq.read_table(path), path, use_deprecated_int96_timestamps=True)
    assert listed(folder)[1][0]["date"].timestamp() == 1_500_000_000


@pytest.mark.parametrize("year_microseconds", [None, -62_135_596_900_000_000, 253_402_300_800_000_000, 2**62])
def test_dates_beyond_the_calendar_are_unknown(tmp_path: Path, year_microseconds: int | None) -> None:
    archive = one_repository({b"a.py": b"1"})
    for commit in archive.commits.values():
        commit["date"] = year_microseconds
    assert [row["date"] for row in listed(archive.write_arrays(tmp_path / "export"))[1]] == [None]


@pytest.mark.parametrize(
    ("table", "column"),
    [("content", "length"), ("directory", "file_entries"), ("revision", "directory"), ("snapshot_branch", "target_type")],
)
def test_a_missing_column_is_named_with_its_file(tmp_path: Path, table: str, column: str) -> None:
    folder = one_repository({b"a.py": b"1"}).write_arrays(tmp_path / "export", {table: lambda one: one.drop_columns([column])})
    with pytest.raises(BadInput, match=f"table '{table}' lacks the column '{column}'") as caught:
        listed(folder)
    assert f"/{table}/part-00000" in caught.value.where


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    folder = one_repository({b"a.py": b"1"}).write_arrays(tmp_path / "export")
    (folder / "content").rename(folder / "elsewhere")
    with pytest.raises(BadInput, match="the export has no table 'content'"):
        listed(folder)


def test_a_folder_that_is_no_export_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "export" / "pictures").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"no export of Software Heritage: .* but pictures"):
        listed(tmp_path / "export")


def test_no_path_is_a_plan_with_a_refusal(tmp_path: Path) -> None:
    told = SwhGraph(path=None, **SETTINGS).listing(None, Hashes(tmp_path / "h"))
    assert told.parts == () and told.refusal is not None and told.refusal.where == "source.path"


@pytest.mark.parametrize("cut", [0, 3, 0.5, 0.95])
def test_a_truncated_file_is_named(tmp_path: Path, cut: float) -> None:
    folder = one_repository({b"%d.py" % at: b"%d" % at for at in range(300)}).write_arrays(tmp_path / "export", files=1)
    path = next((folder / "content").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size) if cut < 1 else int(cut)])
    with pytest.raises(BadInput, match="damaged or cut short") as caught:
        listed(folder)
    assert caught.value.where == str(path)


def test_flipped_bytes_inside_a_page_never_pass_for_data(tmp_path: Path) -> None:
    """Parquet has no checksums by default, but a directory's id is one: wrong names or targets are found by the proof."""
    folder = one_repository({b"name-%03d.py" % at: b"%d" % at for at in range(50)}).write_arrays(
        tmp_path / "export",
        {
            "directory_entry_file": lambda table: table.set_column(
                2, "name", pc.binary_replace_slice(table["name"].cast(pa.binary()), 0, 1, b"m").cast(pa.binary())
            )
        },
    )
    with pytest.raises(BadInput, match="1 of 1 directories have other ids than their entries give"):
        listed(folder)


def test_some_damaged_directories_are_tolerated_and_counted(tmp_path: Path) -> None:
    archive = one_repository({b"a.py": b"1", b"d": {b"b.py": b"2"}})
    inner = next(key for key, rows in archive.trees.items() if rows[0][0] == b"b.py")
    archive.trees[inner] = archive.trees[inner] * 2  # entries twice, as some archived directories have
    told, rows = listed(archive.write_arrays(tmp_path / "export"), proof_tolerance=0.6)
    assert told.ignored["directories_damaged"] == 1
    assert [row["path"] for row in rows] == [b"a.py", b"d/b.py"]  # the same entry twice is one file


def test_ids_of_the_wrong_length_are_named(tmp_path: Path) -> None:
    folder = one_repository({b"a.py": b"1"}).write_arrays(
        tmp_path / "export", {"content": lambda table: table.set_column(1, "sha1_git", pa.array([b"short"] * len(table)))}
    )
    with pytest.raises(BadInput, match="column 'sha1_git' cannot be read: ids must be 20 bytes or 40 hex digits long; one is 5 bytes"):
        listed(folder)


def test_what_has_no_bytes_anywhere_is_a_row_with_a_reason(tmp_path: Path) -> None:
    archive = one_repository(
        {
            b"big.py": b"x" * 40,
            b"gone.py": b"gone",
            b"huge.py": b"h" * 2000,
            b"nil.py": b"",
            b"ok.py": b"ok",
            b"ln.py": (SYMLINK, b"ok.py"),
            b"x.py": (EXECUTABLE, b"#!"),
        }
    )
    ids = {data: key for key, data in archive.contents.items()}
    archive.skipped[ids[b"x" * 40]] = 200_000_000
    for data in (b"x" * 40, b"gone"):
        del archive.contents[ids[data]]
    _, rows = listed(archive.write_arrays(tmp_path / "export"), max_bytes=1000)
    assert {row["path"].decode(): (row["reason"], row["dropped_by"], row["size"]) for row in rows} == {
        "big.py": ("skipped_content", "collect", 200_000_000), "gone.py": ("dangling", "collect", 0), "huge.py": ("too_large", "collect", 2000),
        "nil.py": ("empty", "collect", 0), "ln.py": ("symlink", "collect", 5), "ok.py": (None, None, 2), "x.py": (None, None, 2),
    }  # fmt: skip


def test_hostile_names_stay_bytes_and_become_no_path(tmp_path: Path) -> None:
    names = [b"..", b"\xff\xfe.py", b"new\nline.py", b"CON.py", b"con.py", b"-rf.py", "\u202eevil.py".encode(), b"x" * 3000 + b".py"]
    tree = {name: b"1" for name in names if name.endswith(b".py")} | {b"..": {b"up.py": b"2"}}
    _, rows = listed(one_repository(tree).write_arrays(tmp_path / "export"))
    assert {row["path"] for row in rows} == {name for name in names if name.endswith(b".py")} | {b"../up.py"}
    assert all("\n" not in row["path_text"] and row["path_text"].encode() for row in rows)
    assert len({row["uid"] for row in rows}) == len(rows)


def test_names_that_no_git_writes_stay_bytes_too(tmp_path: Path) -> None:
    """Absolute, climbing, with NUL, empty, longer than a path may be: an export may hold them, a checkout could not."""
    archive = Archive()
    names = [b"/etc/cron.d/a.py", b"../../a.py", b"nul\0.py", b".py", b"a//b.py", b"y" * 4000 + b".py"]
    rows = [(name, 0o100644, archive.blob(b"%d" % at)) for at, name in enumerate(names)]
    root = archive.tree_rows([*rows, (b"z" * 5000 + b".py", 0o100644, archive.blob(b"long"))])
    archive.visit(archive.origin("o"), {b"HEAD": ("revision", archive.commit(root))})
    told, found = listed(archive.write_arrays(tmp_path / "export"))
    assert {row["path"] for row in found} == set(names) and told.ignored["path_too_long"] == 1
    assert all("\0" not in row["path_text"] for row in found) and len({row["uid"] for row in found}) == len(names)
    assert {path.name for path in tmp_path.iterdir()} <= {"export", "hashes.json"}


def test_paths_longer_than_any_checkout_can_hold_are_cut_and_counted(tmp_path: Path) -> None:
    told, rows = listed(one_repository({b"a.py": b"1", b"d" * 4000: {b"e" * 200: {b"b.py": b"2"}}}).write_arrays(tmp_path / "export"))
    assert [row["path"] for row in rows] == [b"a.py"] and told.ignored["path_too_long"] == 1


def test_one_path_with_two_contents_keeps_one(tmp_path: Path) -> None:
    archive = Archive()
    root = archive.tree_rows([(b"a.py", 0o100644, archive.blob(b"1")), (b"a.py", 0o100644, archive.blob(b"2"))])
    archive.visit(archive.origin("o"), {b"HEAD": ("revision", archive.commit(root))})
    _, rows = listed(archive.write_arrays(tmp_path / "export"))
    assert [(row["path"], row["reason"]) for row in rows] == [(b"a.py", None), (b"a.py", "duplicate_name")]
    assert rows[0]["sha1_git"] < rows[1]["sha1_git"]


@pytest.mark.parametrize("layout", ["arrays", "relational"])
def test_a_tree_that_doubles_at_every_level_is_bounded(tmp_path: Path, layout: str) -> None:
    archive = Archive()
    at = archive.tree({b"a.py": b"1"})
    for _ in range(40):  # 2^40 paths in 41 directories
        at = archive.tree_rows([(b"l", TREE, at), (b"r", TREE, at)])
    archive.visit(archive.origin("o"), {b"HEAD": ("revision", archive.commit(at))})
    told, rows = listed(getattr(archive, f"write_{layout}")(tmp_path / "export"), max_files=1000)
    assert rows == [] and told.ignored["too_many_paths"] == 256 and told.ignored["directories_proved"] == 41


def test_a_directory_inside_itself_is_cut_and_counted(tmp_path: Path) -> None:
    archive = Archive()
    inner = b"\x01" * 20
    archive.trees[inner] = [(b"again", TREE, inner), (b"a.py", 0o100644, archive.blob(b"1"))]
    archive.visit(archive.origin("o"), {b"HEAD": ("revision", archive.commit(archive.tree_rows([(b"d", TREE, inner)])))})
    told, rows = listed(archive.write_arrays(tmp_path / "export"), proof_tolerance=0.9)
    assert [row["path"] for row in rows] == [b"d/a.py"] and told.ignored["cycle"] == 1


def test_depth_is_bounded_and_dangling_directories_counted(tmp_path: Path) -> None:
    tree: Tree = {b"a.py": b"deep"}
    for _ in range(10):
        tree = {b"d": tree, b"a.py": b"1"}
    archive = one_repository({**tree, b"lost": (TREE, b"\x09" * 20)})
    told, rows = listed(archive.write_arrays(tmp_path / "export"), max_depth=4)
    assert [row["path"] for row in rows] == [b"a.py"] + [b"d/" * depth + b"a.py" for depth in range(1, 5)]
    assert told.ignored["too_deep"] == 1 and told.ignored["dangling_directory"] == 1


def test_files_of_a_repository_are_bounded(tmp_path: Path) -> None:
    told, rows = listed(one_repository({b"%02d.py" % at: b"%d" % at for at in range(30)}).write_arrays(tmp_path / "export"), max_files=10)
    assert len(rows) == 10 and told.ignored["too_many_paths"] == 20


def test_a_shared_directory_has_all_its_paths(tmp_path: Path) -> None:
    shared = {b"a.py": b"1"}
    _, rows = listed(one_repository({b"x": shared, b"y": {b"z": shared}}).write_arrays(tmp_path / "export"))
    assert [row["path"] for row in rows] == [b"x/a.py", b"y/z/a.py"]


def test_parts_are_cut_by_the_data_and_a_large_repository_over_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive()
    for repository in range(6):
        files = {b"%02d.py" % at: b"x" * 100 + b"%d %d" % (repository, at) for at in range(40 if repository == 3 else 2)}
        archive.visit(archive.origin(f"o{repository}"), {b"HEAD": ("revision", archive.commit(archive.tree(files)))})
    folder = archive.write_arrays(tmp_path / "export")
    whole, rows = listed(folder)
    _remembered.clear()
    monkeypatch.setattr("minisc.source.swh_graph.PART_BYTES", 1000)
    cut, again = listed(folder)
    _remembered.clear()
    assert len(whole.parts) == 1 and len(cut.parts) == 7 and again == rows
    assert cut.identity == whole.identity
    source = SwhGraph(path=None, **SETTINGS)  # a part needs nothing but itself: no path, another process
    sent = [pickle.loads(pickle.dumps(part)) for part in cut.parts]
    assert [row for part in sent for table in source.tables(part) for row in table.to_pylist()] == rows


def test_a_budget_takes_repositories_in_seeded_order(tmp_path: Path) -> None:
    archive = Archive()
    for repository in range(20):
        archive.visit(
            archive.origin(f"o{repository}"), {b"HEAD": ("revision", archive.commit(archive.tree({b"a.py": b"%100d" % repository})))}
        )
    folder = archive.write_arrays(tmp_path / "export")
    few, some = listed(folder, wanted=250)[1], listed(folder, wanted=450)[1]
    assert len(few) == 3 and len(some) == 5
    assert {row["repo"] for row in few} < {row["repo"] for row in some}
    assert {row["repo"] for row in listed(folder, repositories=3)[1]} == {row["repo"] for row in few}
    assert {row["repo"] for row in listed(folder, repositories=3, seed=2)[1]} != {row["repo"] for row in few}


def test_identity_is_of_the_contents_not_of_the_place(tmp_path: Path) -> None:
    archive = one_repository({b"a.py": b"1"})
    first, second = (listed(archive.write_arrays(tmp_path / name))[0].identity for name in ("here", "there"))
    other = listed(one_repository({b"a.py": b"2"}).write_arrays(tmp_path / "other"))[0].identity
    assert first == second != other


@pytest.mark.parametrize("bad", [{"max_bytes": 0}, {"branches": ()}, {"keep": ()}, {"proof_tolerance": 1.0}, {"repositories": 0}])
def test_values_out_of_range_are_refused_when_built(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        SwhGraph(path=None, **{**SETTINGS, **bad})
    assert next(iter(bad)) in caught.value.where


def test_names_by_glob_and_license_ranks(tmp_path: Path) -> None:
    names = [b"a.py", b"A.PY", b"b.pyi", b"setup.cfg", b"COPYING.txt", b"PKG-INFO", b"README.md", b"license.py", b"x" * 300]
    _, rows = listed(one_repository({name: b"1 %b" % name for name in names}).write_arrays(tmp_path / "export"), keep=("*.py", "set*.cfg"))
    assert {row["path"]: (row["kind"], dict(row["notes"]).get("license_rank")) for row in rows} == {
        b"a.py": ("code", None), b"setup.cfg": ("code", None), b"license.py": ("code", None), b"COPYING.txt": ("license", "1"), b"PKG-INFO": ("license", "1"),
        b"README.md": ("license", "2"),
    }  # fmt: skip


def test_random_trees_agree_with_a_walk_one_directory_at_a_time(tmp_path: Path) -> None:
    """An independent reader: recursion over Python dictionaries."""
    rng = np.random.default_rng(7)
    archive = Archive()
    pool: list[bytes] = [archive.tree({b"f%d.py" % at: b"%d" % at}) for at in range(5)]
    for at in range(60):
        rows = [(b"d%d" % n, TREE, pool[rng.integers(max(0, len(pool) - 12), len(pool))]) for n in range(rng.integers(0, 3))]
        rows += [
            (b"f%d.%b" % (n, [b"py", b"c"][rng.integers(2)]), 0o100644, archive.blob(b"%d" % rng.integers(40)))
            for n in range(rng.integers(0, 5))
        ]
        pool.append(archive.tree_rows(rows + [(b"m", SUBMODULE, b"\x01" * 20)] * int(at % 7 == 0)))
    roots = {f"o{at}": pool[-1 - at] for at in range(8)}
    for url, root in roots.items():
        archive.visit(archive.origin(url), {b"HEAD": ("revision", archive.commit(root))})

    def walk(tree: bytes, prefix: bytes) -> list[tuple[bytes, str]]:
        out = []
        for name, mode, target in archive.trees[tree]:
            if mode == TREE:
                out += walk(target, prefix + name + b"/")
            elif mode != SUBMODULE and name.endswith(b".py"):
                out.append((prefix + name, target.hex()))
        return out

    truth = Counter((url, path, sha1) for url, root in roots.items() for path, sha1 in walk(root, b""))
    for layout in ("arrays", "relational"):
        told, rows = listed(getattr(archive, f"write_{layout}")(tmp_path / layout))
        assert Counter((row["repo"], row["path"], row["sha1_git"]) for row in rows) == truth
        assert "directories_damaged" not in told.ignored


def test_a_corrupt_page_is_said_to_be_damaged(tmp_path: Path) -> None:
    folder = one_repository({b"%d.py" % at: b"%d" % at for at in range(300)}).write_arrays(tmp_path / "export", files=1)
    path = next((folder / "content").glob("*.parquet"))
    raw = bytearray(path.read_bytes())
    raw[20:200] = b"\xff" * 180
    path.write_bytes(raw)
    with pytest.raises(BadInput) as caught:
        listed(folder)
    assert caught.value.where.startswith(str(path))
