"""The Python packages of the running environment: real code on every machine that can run minisc, without a download.

In: what `importlib.metadata` finds, and Python's own standard library. Out: a row a `.py` file; one repository a distribution, by its
canonical name, at its version, under the license that its metadata or its license files tell; the standard library is `cpython`.
Which files: those that a distribution's RECORD lists, that exist, and that lie inside the environment (nothing with `..`, no
symbolic link out). So console scripts, compiled caches and what other programs left behind are not taken.
How much: `max_bytes`, dealt out evenly (draw.py): the small distributions whole, of each large one a seeded sample, none above
`max_share` of the whole. The environment of a plain installation, 76 distributions with 240 MB, gives 48 MB from all of them, 1.7 MB from
each of the 17 largest: the split is by repository, so many middling repositories are worth more than a few huge ones.
Guarantees: names, versions, contents and the seed decide; the same packages at another place give the same identity. `wanted` is not
heeded: the corpus is small, and a changed budget then does not collect again.
Price: 2 s to list (20,000 files in RECORDs; the chosen ones are hashed once and remembered).
Not for: more than some hundred megabytes, or code under one style: packages are what their authors released, tests included.
"""

# Strings, not Path: an environment has 100,000 files, and os.path takes a fifth of the time.
# ruff: noqa: PTH118, PTH202
from __future__ import annotations

import csv
import fnmatch
import importlib.metadata
import os
import platform
import re
import stat
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from packaging.utils import canonicalize_name

from minisc.core.document import PART_BYTES
from minisc.core.errors import UserError
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.draw import Drawn, draw
from minisc.source.files import TOO_LARGE, File, batched, hashed, identity_of, parts_of, rows_of
from minisc.source.license_files import Said, rank, read_licenses
from minisc.text.licenses import NO_LICENSE, UNKNOWN, license_class, normalise

STDLIB = "cpython"
STDLIB_LICENSE = ("Python-2.0", "known:cpython")  # SPDX's name for CPython's stack of licenses, where its LICENSE.txt was left out
EDITABLE = "__editable__"  # modules that an editable install generates: they hold the place of a checkout
_METADATA_LICENSES = re.compile(r"([^/]+\.dist-info/licenses)/([^/]+)")
_METADATA = re.compile(r"([^/]+\.(?:dist|egg)-info)/([^/]+)")


@dataclass(frozen=True, kw_only=True)
class Installed(Source):
    """See the module. Raises UserError where no distribution has a usable file."""

    version: ClassVar[int] = 2

    stdlib: bool
    stdlib_exclude: Sequence[str]
    exclude: Sequence[str]
    max_bytes: int
    max_share: float
    max_file_bytes: int
    part_bytes: int
    seed: int

    def __post_init__(self) -> None:
        for name, value, most in (
            ("max_file_bytes", self.max_file_bytes, PART_BYTES),
            ("part_bytes", self.part_bytes, PART_BYTES),
            ("max_bytes", self.max_bytes, None),
        ):
            if value < 1 or (most and value > most):
                raise UserError(
                    f"{name} must be at least 1" + (f" and at most {most:,}" if most else ""),
                    where=f"source.{name}={value}",
                    do=f"source.{name}={most or 48_000_000}",
                )
        if not 0 < self.max_share <= 1:
            raise UserError(
                "the largest share of one distribution lies above 0 and up to 1",
                where=f"source.max_share={self.max_share}",
                do="source.max_share=0.2",
            )

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        ignored: Counter[str] = Counter()
        files = list(self._distributions(ignored))
        if self.stdlib:
            files += self._standard_library()
        files.sort(key=lambda file: (file.repo, file.path))
        drawn = draw(files, max_bytes=self.max_bytes, max_share=self.max_share, seed=self.seed)
        if not drawn.bytes:
            raise UserError(
                "the environment holds no installed Python file to learn from",
                where=f"source.exclude={list(self.exclude)}",
                do="source.stdlib=true, or source=local source.path=<folder>",
            )
        chosen = hashed(drawn.files, hashes)
        return Listing(
            parts=parts_of(chosen, self.part_bytes), identity=identity_of(chosen), documents=len(chosen), bytes=drawn.bytes, ignored=dict(ignored),
            remark=self._remark(files, drawn),
        )  # fmt: skip

    def tables(self, part: Any) -> Iterator[pa.Table]:
        return batched(rows_of(part, "installed"))

    def _remark(self, files: Sequence[File], drawn: Drawn) -> str:
        there = sum(file.size for file in files if not file.reason)
        told = (
            f"{drawn.bytes / 1e6:.1f} of {there / 1e6:.1f} MB, {drawn.repos} distributions, the largest {drawn.largest / drawn.bytes:.0%}"
        )
        if there <= self.max_bytes:
            told += f"; all that the environment holds, less than source.max_bytes={self.max_bytes}"
        elif drawn.bytes < 0.95 * self.max_bytes:
            told += f"; more would put one distribution above source.max_share={self.max_share}"
        return told if drawn.held else f"{told}; source.max_share={self.max_share} cannot be kept with so few distributions"

    def _distributions(self, ignored: Counter[str]) -> Iterator[File]:
        """The files of every distribution; of two of one name the first on the path, which is the one that Python imports."""
        seen = {str(canonicalize_name(name)) for name in self.exclude}
        for found in importlib.metadata.distributions():
            metadata = found.metadata  # parsed anew at every access
            name = str(canonicalize_name(metadata["Name"] or ""))
            if not name or name in seen:
                ignored["distributions that are excluded, shadowed or without a name"] += 1
                continue
            seen.add(name)
            listed = _listed(found, ignored)
            root = os.path.realpath(str(found.locate_file("")))
            paths = _inside(root, listed, ignored)
            said = _license(metadata, root, listed) if paths else (None, None)
            for path, real, size in paths:
                yield self._file(name, metadata["Version"], path, real, size, said)

    def _file(self, repo: str, revision: str | None, path: str, where: str, size: int, said: Said) -> File:
        reason = TOO_LARGE if size > self.max_file_bytes else ""
        return File(
            where=where,
            repo=repo,
            revision=revision,
            path=os.fsencode(path),
            size=size,
            license=said[0],
            license_evidence=said[1],
            reason=reason,
        )

    def _standard_library(self) -> Iterator[File]:
        root = os.path.realpath(sysconfig.get_path("stdlib"))
        left_out = re.compile("|".join(fnmatch.translate(pattern) for pattern in self.stdlib_exclude) or r"(?!)")
        said = read_licenses(Path(root), ["LICENSE.txt", "LICENSE"])
        said = said if said[0] else STDLIB_LICENSE
        for folder, folders, names in os.walk(root):
            below = os.path.relpath(folder, root)
            prefix = "" if below == "." else f"{Path(below).as_posix()}/"
            folders[:] = sorted(name for name in folders if not left_out.match(f"{prefix}{name}"))
            for name in sorted(names):
                real = os.path.join(folder, name)
                if name.endswith(".py") and not left_out.match(f"{prefix}{name}") and stat.S_ISREG(os.lstat(real).st_mode):
                    yield self._file(STDLIB, platform.python_version(), f"{prefix}{name}", real, os.path.getsize(real), said)


def _listed(found: importlib.metadata.Distribution, ignored: Counter[str]) -> list[str]:
    """The paths of RECORD (or of what older installers wrote), with slashes, sorted."""
    try:
        return sorted({str(path) for path in found.files or ()})
    except (OSError, ValueError, csv.Error):
        ignored["distributions whose RECORD cannot be read"] += 1
        return []


def _inside(root: str, listed: Sequence[str], ignored: Counter[str]) -> list[tuple[str, str, int]]:
    """(path as listed, where it really is, bytes) of the `.py` files that are inside `root`."""
    out = []
    real_folder: dict[str, str] = {}  # most files share their folder: resolving each path alone takes seconds
    for path in listed:
        folder, _, name = path.rpartition("/")
        if not name.endswith(".py") or name.startswith(EDITABLE):
            continue
        if path.startswith("/") or ".." in path.split("/"):
            ignored["files outside of the environment"] += 1
            continue
        try:
            if folder not in real_folder:
                real_folder[folder] = os.path.realpath(os.path.join(root, folder))
            real = os.path.join(real_folder[folder], name)
            state = os.lstat(real)
            if stat.S_ISLNK(state.st_mode):
                real = os.path.realpath(real)
                state = os.lstat(real)
        except (OSError, ValueError):  # ValueError: a NUL in the name
            ignored["files that are listed and not there"] += 1
            continue
        if not real.startswith(root + os.sep) or not stat.S_ISREG(state.st_mode):
            ignored["symbolic links out of the environment"] += 1
            continue
        out.append((path, real, state.st_size))
    return out


def _license(metadata: importlib.metadata.PackageMetadata, root: str, listed: Sequence[str]) -> Said:
    """License-Expression, else the License field, else trove classifiers, else license files beside the metadata.

    A field that says something nobody understands ("Proprietary") is `LicenseRef-unknown` when nothing after it is understood.
    """
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    fields = {"License-Expression": metadata["License-Expression"], "License": metadata["License"], "Classifier": "\n".join(classifiers)}
    for name, value in fields.items():
        if value and (known := normalise(value) or (UNKNOWN if name == "License-Expression" else None)):
            return known, f"metadata:{name}"
    said = read_licenses(*_license_files(root, listed))
    if said[0]:
        return said
    strange = next((name for name, value in fields.items() if value and license_class(value) != NO_LICENSE), None)
    return (UNKNOWN, f"metadata:{strange}") if strange else (None, None)


def _license_files(root: str, listed: Sequence[str]) -> tuple[Path, list[str]]:
    """The folder with the license files of the distribution itself (PEP 639 puts them into `licenses/`), not of what it vendors."""
    for pattern in (_METADATA_LICENSES, _METADATA):
        own = [found for path in listed if (found := pattern.fullmatch(path)) and rank(found[2]) == 1]
        if own:
            return Path(root) / own[0][1], [found[2] for found in own]
    return Path(root), []
