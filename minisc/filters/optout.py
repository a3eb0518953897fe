"""Opt-out: what its owners do not want in training data never enters.

In: documents, and lists: text files of one entry a line, `#` begins a comment. Out: a reason for each document that an entry
names. An entry is one of
    octo/cat, https://github.com/octo/cat.git   a repository
    octo/*, @octo                               all repositories of an account
    numpy                                       a repository that has no owner: an installed package, a folder; never an account
    swh:1:cnt:… swh:1:dir:… swh:1:rev:…         a content, directory or revision of Software Heritage
A package is named as PyPI names it: `Foo_Bar` and `foo-bar` are the same.
Guarantees: case, scheme, host `github.com` and `.git` do not matter; other hosts do; a line that is no entry is an error, for
an entry that is not understood would be a wish that is not heard. Price: a few dictionary look-ups a document.
Purging a finished corpus: run `curate` on it with this filter alone; documents that stay are copied as they are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.durable import sha256_of
from minisc.core.errors import BadInput
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict

_SWHID = re.compile(r"swh:1:(cnt|dir|rev):([0-9a-f]{40})")
_NAME = re.compile(r"(?:[\w.:-]+/)*[\w.-]+/(?:[\w.-]+|\*)|[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class Optout(Stage):
    """Raises BadInput for a list that is missing or holds a line that is no entry."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("repository", "account", "swhid")
    private: ClassVar[bool] = True

    lists: Sequence[str] = free()  # identity() has their contents

    def identity(self) -> Mapping[str, str]:
        """The lists by content, in any order."""
        return {"lists": hashlib.sha256("".join(sorted(sha256_of(_existing(name)) for name in self.lists)).encode()).hexdigest()}

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        entries = {entry for name in self.lists for entry in _entries(_existing(name))}
        return nullcontext(lambda docs: [_verdict(doc, entries) for doc in docs])


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise BadInput("a list of opt-outs is missing", where=str(path), do="filters.optout.lists=[<file>]")
    return path


def _entries(path: Path) -> list[str]:
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        entry = f"{entry[1:]}/*" if entry[0] == "@" else entry
        if not (_SWHID.fullmatch(entry) or _NAME.fullmatch(repository(entry))):
            raise BadInput(
                f"no opt-out is named by {line.strip()!r}",
                where=f"{path}, line {number}",
                do="write owner/name, @owner, the name of a package, or swh:1:cnt:<40 hex digits>",
            )
        entries.append(entry if _SWHID.fullmatch(entry) else repository(entry))
    return entries


def repository(name: str) -> str:
    """A repository's name in one spelling: `https://github.com/Octo/Cat.git` and `octo/cat` are the same."""
    plain = re.sub(r"^[a-z+]+://(?:[^/@]*@)?|^git@", "", name.strip().lower()).rstrip("/").removesuffix(".git")
    plain = re.sub(r"^([\w.-]+\.[a-z]+):(?=[^/\d])", r"\1/", plain)  # git@host:owner/name
    plain = re.sub(r"^(?:www\.)?github\.com/", "", plain)
    return plain if "/" in plain else re.sub(r"[-_.]+", "-", plain)  # a package, in PyPI's canonical form


def _verdict(doc: Doc, entries: set[str]) -> Verdict:
    if doc.repo:
        name = repository(doc.repo)
        if name in entries:
            return Verdict(drop="repository")
        if name.rpartition("/")[0] + "/*" in entries:
            return Verdict(drop="account")
    ids = (("cnt", doc.sha1_git), ("dir", doc.directory), ("rev", doc.revision))
    return Verdict(drop="swhid") if any(f"swh:1:{kind}:{told}" in entries for kind, told in ids if told) else KEEP
