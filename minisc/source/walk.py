"""Walks folders for files, and tells for each in which repository and under which license it lies.

In: roots and places below them. Out: `Walk.files`, and in `Walk.ignored` why how many entries were passed by.
A folder with `.git` begins a repository. Elsewhere a root is one, and each folder directly in it is one.
Guarantees: no symbolic link is followed, no folder is read twice, nothing but regular files is taken, however deep or odd the tree; what
cannot be entered is counted. Memory: about 400 bytes a file.
"""

# Strings, not Path: os.path takes every name as it is, and a fifth of the time over 100,000 files.
# ruff: noqa: PTH112, PTH118, PTH119, PTH120
from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from minisc.source.files import TOO_LARGE, File, readable
from minisc.source.git_checkout import checkout_at
from minisc.source.license_files import NearestLicense


@dataclass(frozen=True, slots=True)
class Repository:
    root: str  # paths of rows begin here
    name: str
    commit: str | None
    is_checkout: bool
    license_root: str  # license files count from here on down; the root of the walk where there is no checkout


@dataclass(kw_only=True)
class Walk:
    suffixes: tuple[str, ...]
    exclude: re.Pattern[str]  # matched against the name of each folder and file
    max_file_bytes: int
    ignored: Counter[str] = field(default_factory=Counter)
    files: dict[str, File] = field(default_factory=dict)  # by location
    _repositories: dict[str, Repository] = field(default_factory=dict)  # by folder: every folder that was entered
    _walked: set[str] = field(default_factory=set)
    _licenses: NearestLicense = field(default_factory=NearestLicense)

    def sorted(self) -> list[File]:
        return sorted(self.files.values(), key=lambda file: (file.repo, file.path, file.where))

    def add(self, root: str, place: str) -> None:
        """Take `place`, a file or everything in a folder, at or below the folder `root`; both without symbolic links."""
        if not os.path.isdir(place):
            folder, name = os.path.split(place)
            for entry in self._enter_from(root, folder):
                if entry.name == name:
                    self._take(root, folder, entry)
            return
        self._enter_from(root, os.path.dirname(place) if place != root else root)
        waiting = [place]
        while waiting:
            folder = waiting.pop()
            if folder not in self._walked:
                self._walked.add(folder)
                waiting += [found for entry in self._enter(root, folder) if (found := self._take(root, folder, entry))]

    def _take(self, root: str, folder: str, entry: os.DirEntry[str]) -> str:
        """Take a file; returns the path of a folder to walk, or ""."""
        try:
            if entry.is_symlink():
                inside = _is_below(os.path.realpath(entry.path), root)
                self.ignored["symbolic links inside the tree" if inside else "symbolic links out of the tree"] += 1
            elif self.exclude.match(entry.name):
                self.ignored["excluded names"] += 1
            elif entry.is_dir(follow_symlinks=False):
                return entry.path
            elif not entry.is_file(follow_symlinks=False):
                self.ignored["devices, sockets or pipes"] += 1
            elif not entry.name.endswith(self.suffixes):
                self.ignored["files with other suffixes"] += 1
            else:
                self._file(folder, entry)
        except OSError:
            self.ignored["entries that vanished"] += 1
        return ""

    def _file(self, folder: str, entry: os.DirEntry[str]) -> None:
        repository = self._repositories[folder]
        size = entry.stat(follow_symlinks=False).st_size
        license_, evidence = self._licenses.of(repository.license_root, folder)
        self.files.setdefault(entry.path, File(
            where=entry.path, repo=repository.name, revision=repository.commit, path=os.fsencode(os.path.relpath(entry.path, repository.root)), size=size,
            license=license_, license_evidence=evidence, reason=TOO_LARGE if size > self.max_file_bytes else "",
        ))  # fmt: skip

    def _enter_from(self, root: str, folder: str) -> list[os.DirEntry[str]]:
        """Enter all folders from the root down to this one."""
        entries = self._enter(root, root)
        here = root
        for part in Path(os.path.relpath(folder, root)).parts if folder != root else ():
            here = os.path.join(here, part)
            entries = self._enter(root, here)
        return entries

    def _enter(self, root: str, folder: str) -> list[os.DirEntry[str]]:
        """The entries of a folder whose parent was entered, after its repository and its license files are known."""
        entries = self._entries(folder)
        if folder not in self._repositories:
            self._repositories[folder] = self._repository(root, folder)
            self._licenses.learn(folder, (entry.name for entry in entries if entry.is_file(follow_symlinks=False)))
        return entries

    def _repository(self, root: str, folder: str) -> Repository:
        checkout = checkout_at(Path(folder))
        name = readable(os.fsencode(os.path.basename(folder))) or "root"
        if checkout:
            return Repository(folder, checkout.remote or name, checkout.commit, True, folder)
        if folder == root:
            return Repository(folder, name, None, False, folder)
        above = self._repositories[os.path.dirname(folder)]
        if os.path.dirname(folder) == root and not above.is_checkout:
            return Repository(folder, f"{above.name}/{name}", None, False, root)
        return above

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError:  # no right to read it, a path longer than the system takes, gone
            self.ignored["folders that cannot be read"] += 1
            return []


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
