"""The tables beside the documents: every file and every content once, whatever became of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq

from minisc.core.document import sha1_git_of
from minisc.source.swh_graph import SwhGraph
from minisc.steps.collect import Collect
from tests import made
from tests.source.swh_export import EXECUTABLE, SYMLINK, Archive
from tests.source.test_swh_graph import SETTINGS

TREE = {
    b"a.py": b"same\n", b"d": {b"b.py": b"same\n", b"\xe9.py": (EXECUTABLE, b"other\n")}, b"ln.py": (SYMLINK, b"a.py"), b"nil.py": b"", b"LICENSE": b"MIT License\n",
    b"notes.txt": b"n",
}  # fmt: skip


def test_files_contents_and_counts(tmp_path: Path) -> None:
    archive = Archive()
    for url in ("o/one", "o/two"):
        tree = archive.tree({**TREE, b"own.py": url.encode()})
        archive.visit(archive.origin(url), {b"refs/heads/master": ("revision", archive.commit(tree))})
    archive.visit(archive.origin("o/lost"), {b"HEAD": (None, None)})
    source = SwhGraph(path=str(archive.write_arrays(tmp_path / "export")), **SETTINGS)
    found = made.run({"collect": Collect(source=source, seed=0, held_out=0.3, budget="20x")}, made.context(tmp_path))["collect"]
    listing, blobs = (pq.read_table(found.file(name)).to_pylist() for name in ("listing.parquet", "blobs.parquet"))
    names = {b"a.py": None, b"d/b.py": None, b"d/\xe9.py": None, b"ln.py": "symlink", b"nil.py": "empty", b"LICENSE": None, b"own.py": None}
    assert [(row["repo_url"], row["path_bytes"], row["reason"]) for row in listing] == [
        (url, path, names[path]) for url in ("o/one", "o/two") for path in sorted(names)
    ]
    row = next(row for row in listing if row["path_bytes"] == b"d/\xe9.py")
    sha1_git = sha1_git_of(b"other\n")
    assert (row["path"], row["name"], row["perms"], row["length"], row["role"]) == ("d/\\xe9.py", "\\xe9.py", 0o100755, 6, "code")
    assert (row["sha1_git"], row["sha1"], row["swhid_content"]) == (sha1_git, hashlib.sha1(b"other\n").hexdigest(), f"swh:1:cnt:{sha1_git}")
    assert row["swhid_revision"] == f"swh:1:rev:{row['revision']}" and row["swhid_directory"].startswith("swh:1:dir:")
    assert row["visit_date"].timestamp() == 1_540_000_000 and (row["branch"], row["origin_type"]) == ("refs/heads/master", "git")
    held = {b"same\n": 4, b"other\n": 2, b"MIT License\n": 2, b"o/one": 1, b"o/two": 1}
    assert {(one["sha1_git"], one["files"], one["length"]) for one in blobs} == {
        (sha1_git_of(raw), files, len(raw)) for raw, files in held.items()
    }
    figures = {name: found.figures[name] for name in ("repositories", "files", "python_files", "unique_contents", "unique_bytes")}
    assert figures == {"repositories": 2, "files": 16, "python_files": 12, "unique_contents": 5, "unique_bytes": sum(map(len, held))}
    counts = json.loads(found.file("counts.json").read_text())
    assert counts["origin_git_dangling_branch"] == 1 and counts["files_not_wanted"] == 2 and "git 2 of 3" in counts["origins"]
