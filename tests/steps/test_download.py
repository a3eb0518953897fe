"""download, from a listing out of git to documents with text, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Step
from minisc.downloader.swh_s3 import SwhS3
from minisc.source.swh_graph import SwhGraph
from minisc.steps.collect import Collect
from minisc.steps.download import Download, Nearest, _place
from tests import made
from tests.downloader.servers import Archive as Server
from tests.downloader.servers import blob, serving
from tests.downloader.test_swh_s3 import SETTINGS as S3
from tests.source.swh_export import Archive, Tree
from tests.source.test_swh_graph import SETTINGS as GRAPH

MIT = b"""Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files, to deal
in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software. The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND."""
GPL = b"GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n\nEveryone is permitted to copy and distribute verbatim copies of this license document.\n"
TREES: dict[str, Tree] = {
    "o/free": {b"LICENSE": MIT, b"a.py": b"a = 1\n", b"pkg": {b"b.py": b"shared = 1\n", b"vendor": {b"COPYING": GPL, b"c.py": b"c = 1\n"}}},
    "o/gnu": {b"COPYING": GPL, b"d.py": b"d = 1\n", b"e.py": b"shared = 1\n"},
    "o/silent": {b"f.py": b"f = 1\n", b"README.md": b"nothing about rights"},
    "o/broken": {b"LICENSE": MIT, b"nul.py": b"a\0b", b"gone.py": b"gone = 1\n"},
}


@pytest.fixture
def server() -> Iterator[Server]:
    held = Server()
    with serving(held):
        yield held


def steps(folder: Path, server: Server, ask_for: list[str] | None = None) -> dict[str, Step]:
    if not (folder / "export").exists():
        archive = Archive()
        for url, tree in TREES.items():
            archive.visit(archive.origin(url), {b"HEAD": ("revision", archive.commit(archive.tree(tree)))})
        archive.write_arrays(folder / "export")
        for data in archive.contents.values():
            server.add(data)
        server.always(blob(b"gone = 1\n"), "404")
    source = SwhGraph(path=str(folder / "export"), **GRAPH)
    downloader = SwhS3(base_url=f"{server.url}/content", **{**S3, "store": str(folder / "blobs")})
    return {
        "collect": Collect(source=source, seed=0, held_out=0.2, budget="20x"),
        "download": Download(downloader=downloader, ask_for=ask_for),
    }


def told(artifact: Artifact) -> dict[str, tuple[Any, ...]]:
    rows = [row for name in ("kept", "dropped") for path in artifact.files(name) for row in pq.read_table(path).to_pylist()]
    return {f"{row['repo']}/{row['path_text']}": (row["text"] or row["reason"], row["license"], row["license_evidence"]) for row in rows}


def test_text_and_the_nearest_license_stand_in_every_row(tmp_path: Path, server: Server) -> None:
    artifact = made.run(steps(tmp_path, server), made.context(tmp_path))["download"]
    free, gnu = ("MIT", "file:LICENSE"), ("GPL-3.0-only", "file:COPYING")
    rows = told(artifact)
    assert rows["o/gnu/d.py"][1:] == (rows["o/gnu/d.py"][1], "file:COPYING") and str(rows["o/gnu/d.py"][1]).startswith("GPL-3.0")
    gnu = rows["o/gnu/d.py"][1:]
    assert rows == {
        "o/free/a.py": ("a = 1\n", *free), "o/free/pkg/b.py": ("shared = 1\n", *free), "o/free/pkg/vendor/c.py": ("c = 1\n", gnu[0], "file:pkg/vendor/COPYING"),
        "o/gnu/d.py": ("d = 1\n", *gnu), "o/gnu/e.py": ("shared = 1\n", *gnu), "o/silent/f.py": ("f = 1\n", None, None),
        "o/broken/nul.py": ("holds_nul", *free), "o/broken/gone.py": ("not_found", *free),
        **{f"o/{name}": ("license_file", None, None) for name in ("free/LICENSE", "free/pkg/vendor/COPYING", "gnu/COPYING", "broken/LICENSE", "silent/README.md")},
    }  # fmt: skip
    fall = json.loads(artifact.file("waterfall.json").read_text())
    assert [(row["stage"], row["seen"], row["kept"]) for row in fall["stages"]] == [("collect", 13, 13), ("download", 13, 6)]
    assert len(server.requests) == 3 + 7  # MIT, GPL, readme; then each unique content once, `shared` too


def test_licenses_are_asked_for_first(tmp_path: Path, server: Server) -> None:
    made.run(steps(tmp_path, server), made.context(tmp_path))
    first = {path.rpartition("/")[2] for path in server.paths()[:3]}
    assert first == {str(blob(data).sha1) for data in (MIT, GPL, b"nothing about rights")}


def test_no_request_is_spent_on_what_a_license_forbids(tmp_path: Path, server: Server) -> None:
    artifact = made.run(steps(tmp_path, server, ["permissive"]), made.context(tmp_path))["download"]
    rows = told(artifact)
    assert {name for name, row in rows.items() if row[0] == "license_not_asked_for"} == {
        "o/free/pkg/vendor/c.py",
        "o/gnu/d.py",
        "o/gnu/e.py",
        "o/silent/f.py",
    }
    assert rows["o/gnu/d.py"][2] == "file:COPYING"
    asked = {path.rpartition("/")[2] for path in server.paths()}
    assert not asked & {str(blob(data).sha1) for data in (b"c = 1\n", b"d = 1\n", b"f = 1\n")}


def test_trouble_commits_nothing_and_the_rerun_goes_on(tmp_path: Path, server: Server) -> None:
    road = steps(tmp_path, server)
    server.always(blob(b"a = 1\n"), "503")
    with pytest.raises(UserError, match="1 blobs could not be fetched now"):
        made.run(road, made.context(tmp_path))
    before = len(server.requests)
    server.forever.clear()
    artifact = made.run(road, made.context(tmp_path))["download"]
    assert told(artifact)["o/free/a.py"][0] == "a = 1\n"
    assert len(server.requests) == before + 1


def test_another_class_of_licenses_repeats_no_request(tmp_path: Path, server: Server) -> None:
    made.run(steps(tmp_path, server), made.context(tmp_path))
    before = len(server.requests)
    made.run(steps(tmp_path, server, ["permissive", "no_license"]), made.context(tmp_path))
    assert len(server.requests) == before


def test_an_unknown_class_is_refused_when_built(tmp_path: Path, server: Server) -> None:
    with pytest.raises(UserError, match="'free' is no class of licenses"):
        steps(tmp_path, server, ["free"])


def test_a_readme_rules_only_where_no_license_file_does() -> None:
    said = {
        _place("r", b""): [[2, "README", "MIT"], [1, "LICENSE", "Apache-2.0"]],
        _place("r", b"a"): [[2, "a/README", "MIT"]],
        _place("s", b"b"): [[2, "b/README", "ISC"]],
        _place("s", b""): [[2, "README", "LicenseRef-unknown"]],
    }
    nearest = Nearest(said)

    def of(repo: str, path: bytes) -> tuple[str | None, str | None]:
        return nearest._look(repo, path.rpartition(b"/")[0])

    assert of("r", b"a/x.py") == ("Apache-2.0", "file:LICENSE")
    assert of("s", b"b/c/x.py") == ("ISC", "file:b/README")
    assert of("s", b"x.py") == (None, None) == of("other", b"x.py")


def test_several_license_files_of_one_folder_hold_together() -> None:
    said = {_place("r", b""): [[1, "COPYING", "GPL-2.0-only"], [1, "LICENSE", "MIT OR Apache-2.0"], [1, "LICENSE.2", "MIT OR Apache-2.0"]]}
    assert Nearest(said)._look("r", b"a/b") == ("GPL-2.0-only AND (MIT OR Apache-2.0)", "file:COPYING, LICENSE, LICENSE.2")
