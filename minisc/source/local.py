"""Files on this machine or at an address (`s3://bucket/folder`, copied here as a whole): a folder, a glob, or a list of them.

In: `path`. Out: a row a file, with the repository that it stands in, and the license that the nearest license file gives it.

    repository    a git checkout is one (the nearest folder with `.git`, at or below the path given), under its remote's address, at its commit
                  otherwise every folder of the first level is one, `<path's name>/<folder>`, and loose files make one, `<path's name>`
    license       the nearest license file in the file's folder or above it, up to the repository's root

First-level folders and not the whole path, because a corpus is split by repository, and one repository cannot be split. A `.git` above
the path does not count: data lies in ignored folders of checkouts that it has nothing to do with.
Guarantees: symbolic links are never followed (what they point to inside the tree is met where it lies, what lies outside is not ours);
so there are no loops and nothing twice. Devices, sockets and pipes are not opened. What was passed by is counted in `ignored`.
The order of rows is that of (repository, path), whatever the order on disk or of the paths given. `wanted` is not heeded: what you point
at is what you get, and a changed budget does not collect again; `max_bytes` takes a seeded sample (draw.py).
Not covered: whether git tracks a file; which license rules a folder whose own license file says nothing known.
"""

from __future__ import annotations

import difflib
import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from minisc.core import mirror
from minisc.core.document import PART_BYTES
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.draw import draw
from minisc.source.files import batched, hashed, identity_of, parts_of, rows_of, without_repeats
from minisc.source.walk import Walk

NAMES_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Local(Source):
    """See the module. Raises UserError where there is nothing at `path`, or no file with one of `suffixes`."""

    version: ClassVar[int] = 2

    path: str | Sequence[str] | None = free()  # the location is no part of the result: names, sizes and contents are
    suffixes: Sequence[str]
    exclude: Sequence[str]
    max_file_bytes: int
    part_bytes: int
    max_bytes: int | None
    seed: int

    def __post_init__(self) -> None:
        for name, value, most in (
            ("max_file_bytes", self.max_file_bytes, PART_BYTES),
            ("part_bytes", self.part_bytes, PART_BYTES),
            ("max_bytes", self.max_bytes, None),
        ):
            if value is not None and (value < 1 or (most and value > most)):
                raise UserError(
                    f"{name} must be at least 1" + (f" and at most {most:,}" if most else ""),
                    where=f"source.{name}={value}",
                    do=f"source.{name}={most or 'null'}",
                )
        if not self.suffixes or isinstance(self.suffixes, str):
            raise UserError(
                "no suffix is named, so no file would be taken", where=f"source.suffixes={self.suffixes}", do="source.suffixes=[.py]"
            )

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        walk = Walk(suffixes=tuple(self.suffixes), exclude=_names_matching(self.exclude), max_file_bytes=self.max_file_bytes)
        for root, place in sorted(set(_roots(self.path))):
            walk.add(root, place)
        if not walk.files:
            raise UserError(
                f"there is no file that ends in {' or '.join(self.suffixes)}", where=f"source.path={self.path}{_passed_by(walk.ignored)}",
                do="another source.path, or source.suffixes=[.py,.pyi]",
            )  # fmt: skip
        drawn = draw(walk.sorted(), max_bytes=self.max_bytes, max_share=1.0, seed=self.seed)
        chosen = sorted(without_repeats(hashed(drawn.files, hashes)), key=lambda file: (file.repo, file.path, file.sha256, file.size))
        if len(chosen) < len(drawn.files):
            walk.ignored["the same file of the same repository twice"] = len(drawn.files) - len(chosen)
        return Listing(
            parts=parts_of(chosen, self.part_bytes), identity=identity_of(chosen), documents=len(chosen),
            bytes=sum(file.size for file in chosen if not file.reason), ignored=dict(walk.ignored),
            remark=f"{len(chosen):,} of {len(walk.files):,} files in {drawn.repos:,} repositories{_passed_by(walk.ignored)}",
        )  # fmt: skip

    def tables(self, part: Any) -> Iterator[pa.Table]:
        return batched(rows_of(part, "local"))


def _roots(path: str | Sequence[str] | None) -> Iterator[tuple[str, str]]:
    """(root, folder or file at or below it) for each path given; the root of a glob is the folder before its first star."""
    given = [path] if isinstance(path, str) else list(path or [])
    if not given:
        raise UserError(
            "the source 'local' needs to know where the files are",
            where="source.path=null",
            do="source.path=<folder, glob, or [list,of,them]>",
        )
    for one in given:
        name = _fetched(str(one)) if mirror.is_address(str(one)) else os.path.expanduser(str(one))  # noqa: PTH111  (Path drops a trailing "/**")
        if os.path.lexists(name):
            real = Path(name).resolve()
            yield str(real if real.is_dir() else real.parent), str(real)
            continue
        found = sorted(glob.glob(name, recursive=True)) if glob.has_magic(name) else []  # noqa: PTH207
        if not found:
            raise UserError("there is nothing at the source's path", where=f"source.path={one}", do=_nearby(name))
        base = str(Path(_before_magic(name)).resolve())
        for place in found:
            if not Path(place).is_symlink():
                yield base, os.path.realpath(place)


def _fetched(address: str) -> str:
    """The place, or the pattern, on this machine, with all that is at the address before its first star."""
    name = str(mirror.local(address))
    mirror.match(Path(_before_magic(name)) if glob.has_magic(name) else Path(name))
    return name


def _before_magic(pattern: str) -> str:
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    return str(Path(*parts[:fixed])) if fixed else "."


def _nearby(name: str) -> str:
    """What to type instead: the most alike folder beside it, else the folders that there are in the nearest one above that exists."""
    path = Path(_before_magic(name) if glob.has_magic(name) else name).absolute()
    if mirror.is_mirror(path):
        return "an address that has files below it; a last / changes nothing"
    if path.is_dir():
        return f"a pattern that matches; {path} is there"
    while not path.parent.is_dir():
        path = path.parent
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        names = []
    if close := difflib.get_close_matches(path.name, names, n=1):
        return f"did you mean source.path={path.parent / close[0]}?"
    listed = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    return f"source.path=<a folder that exists>; in {path.parent} there are: {listed or 'no folders'}"


def _passed_by(ignored: Mapping[str, int]) -> str:
    return f"; passed by: {', '.join(f'{count:,} {why}' for why, count in sorted(ignored.items()))}" if ignored else ""


def _names_matching(patterns: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all excluded names; `fnmatch` turns each into a regular expression without nesting."""
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns) or r"(?!)")
