from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from minisc.core.artifact import MANIFEST, Artifact, Work, _check, _read_manifest
from minisc.core.errors import DamagedArtifact

ABOUT = {
    "step": "collect",
    "fingerprint": "f" * 20,
    "kinds": ["documents"],
    "settings": {"a": (1, 2)},
    "inputs": {},
    "versions": {},
    "seconds": 0.5,
}


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    work = Work(tmp_path / "store", cast(Any, None))
    (work.scratch / "left.txt").write_text("on the way")
    (work.path / "kept").mkdir()
    (work.path / "kept" / "a.bin").write_bytes(b"abc")
    (work.path / "b.txt").write_text("b")
    (work.path / f"c.txt.99{'.writing'}").write_text("left by a killed writer")
    return work.commit(ABOUT, {"documents_kept": 3})


@pytest.fixture(autouse=True)
def forget() -> None:
    _check.cache_clear()
    _read_manifest.cache_clear()


def test_a_commit_lists_every_file_and_nothing_else(artifact: Artifact) -> None:
    assert [(entry["name"], entry["bytes"]) for entry in artifact.manifest["files"]] == [("b.txt", 1), ("kept/a.bin", 3)]
    assert sorted(path.name for path in artifact.path.rglob("*") if path.is_file()) == ["a.bin", "b.txt", MANIFEST]
    assert artifact.figures == {"documents_kept": 3}
    assert artifact.files("kept") == [artifact.path / "kept" / "a.bin"]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda path: (path / "kept" / "a.bin").write_bytes(b"ab"), "holds 2 bytes, its manifest says 3"),
        (lambda path: (path / "kept" / "a.bin").write_bytes(b"abd"), "other bytes than its manifest says"),
        (lambda path: (path / "kept" / "a.bin").unlink(), "is missing"),
    ],
)
def test_a_damaged_file_is_found_before_it_is_used(artifact: Artifact, harm: Any, says: str) -> None:
    harm(artifact.path)
    with pytest.raises(DamagedArtifact, match=says) as caught:
        artifact.file("kept/a.bin")
    assert "a.bin" in caught.value.where
    assert caught.value.do.startswith("rm -r ")


def test_an_edited_manifest_is_found(artifact: Artifact) -> None:
    manifest = json.loads((artifact.path / MANIFEST).read_text())
    manifest["figures"]["documents_kept"] = 4
    (artifact.path / MANIFEST).write_text(json.dumps(manifest))
    _read_manifest.cache_clear()
    with pytest.raises(DamagedArtifact, match="changed after it was written"):
        _ = artifact.figures


def test_a_torn_manifest_is_found(artifact: Artifact) -> None:
    (artifact.path / MANIFEST).write_text('{"step": "coll')
    _read_manifest.cache_clear()
    with pytest.raises(DamagedArtifact, match="cannot be read"):
        _ = artifact.kinds
