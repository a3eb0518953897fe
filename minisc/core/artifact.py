"""Artifacts: the finished results of steps, and the folders in which they come to be.

An artifact is a folder `<out>/store/<step>/<fingerprint>/` with a `manifest.json`, which is written last, by atomic rename:
its existence *is* completeness. The manifest lists every file with size and SHA-256 and ends in a checksum of itself, so an
edited manifest and a truncated file are both found, by `Artifact.file`, before a byte is used. Nothing in a finished
artifact is ever edited. The folder may stand for one on another file system (mirror.py): what is asked for is fetched.

A `Work` is the same folder before its manifest: a step writes there, is killed, and goes on where it was. What only serves
the way there lies in `scratch` and goes at the commit.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from minisc.core import durable, mirror
from minisc.core.errors import DamagedArtifact
from minisc.core.fingerprint import canonical

if TYPE_CHECKING:
    from minisc.core.step import Context

MANIFEST, SCRATCH = "manifest.json", "scratch"
Figures = dict[str, Any]  # plain names that say their unit: documents_kept, bytes_kept, tokens_per_second


@dataclass(frozen=True)
class Artifact:
    """A finished result. Opening one reads its manifest only; `file` checks a file's bytes once a process."""

    path: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return _read_manifest(self.path)

    @property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"])

    @property
    def step(self) -> str:
        return str(self.manifest["step"])

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.manifest["kinds"])

    @property
    def figures(self) -> Figures:
        return dict(self.manifest["figures"])

    def file(self, name: str) -> Path:
        """The path of a file in the artifact, after its size and SHA-256 were checked.

        Raises `DamagedArtifact` when it is missing, truncated or changed.
        """
        entry = next((entry for entry in self.manifest["files"] if entry["name"] == name), None)
        if entry is None:
            raise DamagedArtifact(f"the artifact has no file {name!r}", where=mirror.name(self.path), do=_remake(self.path))
        _check(self.path, name, entry["bytes"], entry["sha256"])
        return self.path / name

    def files(self, folder: str) -> list[Path]:
        """All files directly in one folder of the artifact, checked, in the order of their names."""
        names = sorted(entry["name"] for entry in self.manifest["files"] if entry["name"].rpartition("/")[0] == folder)
        return [self.file(name) for name in names]

    def has(self, name: str) -> bool:
        return any(entry["name"] == name for entry in self.manifest["files"])


def _remake(path: Path) -> str:
    return f"{'remove' if mirror.is_mirror(path) else 'rm -r'} {mirror.name(path)}  (the next run makes it again)"


@functools.lru_cache(maxsize=256)
def _read_manifest(path: Path) -> dict[str, Any]:
    where = path / MANIFEST
    try:
        manifest = json.loads(mirror.fetch(where).read_text(encoding="utf-8"))
        told = manifest.pop("checksum")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise DamagedArtifact(f"the manifest cannot be read: {error}", where=mirror.name(where), do=_remake(path)) from error
    if any(PurePosixPath(entry["name"]).is_absolute() or ".." in PurePosixPath(entry["name"]).parts for entry in manifest["files"]):
        raise DamagedArtifact("the manifest names files outside of its folder", where=mirror.name(where), do=_remake(path))
    if told != _checksum(manifest):
        raise DamagedArtifact("the manifest was changed after it was written", where=mirror.name(where), do=_remake(path))
    return dict(manifest)


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(manifest))).hexdigest()


@functools.cache
def _check(folder: Path, name: str, size: int, sha256: str) -> None:
    path = mirror.fetch(folder / name)
    found = path.stat().st_size if path.exists() else -1
    if found != size:
        what = "is missing" if found < 0 else f"holds {found:,} bytes, its manifest says {size:,}"
        raise DamagedArtifact(f"a file of the artifact {what}", where=mirror.name(path), do=_remake(folder))
    if durable.sha256_of(path) != sha256:
        raise DamagedArtifact("a file of the artifact has other bytes than its manifest says", where=mirror.name(path), do=_remake(folder))


def is_finished(path: Path) -> bool:
    return mirror.exists(path / MANIFEST)


@dataclass(frozen=True)
class Work:
    """The folder of an artifact while it comes to be, and what a step may use on the way."""

    path: Path
    context: Context

    @property
    def scratch(self) -> Path:
        """Kept over a kill, removed after the commit."""
        folder = self.path / SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def files(self, folder: str) -> list[Path]:
        """The Parquet files that are in one folder by now, whoever wrote them, in the order of their names."""
        return sorted(mirror.fetch(self.path / folder).glob("*.parquet"))

    def commit(self, about: Mapping[str, Any], figures: Mapping[str, Any]) -> Artifact:
        """Hash what is there, write the manifest last. `about`: step, fingerprint, kinds, settings, inputs, versions, seconds."""
        durable.sweep(self.path)
        mirror.send(self.path, but=SCRATCH)
        mirror.fetch(self.path, but=SCRATCH)  # what other nodes wrote
        manifest = {**about, "figures": dict(figures), "files": list(_listing(self.path))}
        durable.write_json(self.path / MANIFEST, {**manifest, "checksum": _checksum(json.loads(canonical(manifest)))})
        clear(self.path)
        _read_manifest.cache_clear()
        return Artifact(self.path)


def clear(path: Path) -> None:
    """Remove what lies in a finished artifact's scratch: of its own run, of one killed just here, of another that came late.

    After the manifest and not before: another machine at the same work then sees why its scratch is gone.
    """
    mirror.remove(path / SCRATCH)


def _listing(folder: Path) -> Iterable[dict[str, Any]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # Another machine may have been faster: its manifest says the same.
        if path.is_file() and not name.startswith((".", f"{SCRATCH}/")) and name != MANIFEST:
            durable.sync(path)
            yield {"name": name, "bytes": path.stat().st_size, "sha256": durable.sha256_of(path)}
