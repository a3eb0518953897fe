"""Whose checkout a folder is: the remote's address and the commit, read from git's own files.

In: a folder. Out: `Checkout(remote, commit)` if it holds `.git`, else None. No program is run: `git` may be absent, and run in a
foreign folder it obeys that folder's configuration (fsmonitor, aliases) and refuses folders of other owners.
All is hostile: files are read up to a limit, a reference's name may not leave the folder, a commit is hex or it is nothing.
Covered: loose and packed references, detached heads, worktrees and submodules (`.git` is a file that points elsewhere).
Not covered: reftable storage, `include` and `insteadOf` in the configuration: the commit or the remote is then unknown.
The commit is what is checked out; files that were changed since keep their own `sha1_git`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

CONFIG_BYTES, REFERENCE_BYTES, PACKED_BYTES = 1 << 20, 4096, 64 << 20
SYMBOLIC_DEPTH = 5  # git's own limit on symbolic references

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REFERENCE = re.compile(r"refs/[\w./@+=-]{1,1000}")
_SECTION = re.compile(r'\[\s*remote\s+"([^"\]]*)"\s*\]', re.IGNORECASE)
_URL = re.compile(r"url\s*=\s*(\S+)", re.IGNORECASE)
_SCP = re.compile(r"(?:[\w.~-]+@)?([\w.-]+):(?!//)(.+)")
_ADDRESS = re.compile(r"(?:git\+)?(?:https?|ssh|git)://(?:[^/@]*@)?([\w.-]+)(?::\d+)?/+(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checkout:
    """`remote`: `https://host/owner/name`, whichever protocol it was cloned by, or the name of a local clone's origin."""

    remote: str | None
    commit: str | None


def checkout_at(folder: Path) -> Checkout | None:
    """The checkout whose root `folder` is, or None if it is none."""
    found = _git_folder(folder)
    if found is None:
        return None
    own, shared = found
    return Checkout(_remote(_text(shared / "config", CONFIG_BYTES)), _commit(own, shared))


def _git_folder(folder: Path) -> tuple[Path, Path] | None:
    """Where HEAD lies, and where config and references lie: two places for a worktree."""
    own = folder / ".git"
    if _is_file(own):
        pointer = _text(own, REFERENCE_BYTES)
        if not pointer.startswith("gitdir:"):
            return None
        own = folder / pointer.removeprefix("gitdir:").strip()
    if not _is_file(own / "HEAD"):
        return None
    common = _text(own / "commondir", REFERENCE_BYTES).strip()
    return own, own / common if common else own


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises for a name that is too long, or may not be seen)


def _text(path: Path, limit: int) -> str:
    """The beginning of a regular file, "" if it cannot be read; a device or a pipe is not opened."""
    try:
        if not _is_file(path):
            return ""
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except (OSError, ValueError):  # ValueError: a NUL in a name that git never wrote
        return ""


def _commit(own: Path, shared: Path) -> str | None:
    value = _text(own / "HEAD", REFERENCE_BYTES).strip()
    for _ in range(SYMBOLIC_DEPTH):
        if _COMMIT.fullmatch(value):
            return value
        name = value.removeprefix("ref:").strip()
        if not value.startswith("ref:") or not _REFERENCE.fullmatch(name) or ".." in name:
            return None
        value = next((text for place in (own, shared) if (text := _text(place / name, REFERENCE_BYTES).strip())), "") or _packed(
            shared, name
        )
    return None


def _packed(shared: Path, name: str) -> str:
    for line in _text(shared / "packed-refs", PACKED_BYTES).splitlines():
        value, _, other = line.partition(" ")
        if other == name:
            return value
    return ""


def _remote(config: str) -> str | None:
    """`origin`, else the first remote by name."""
    urls: dict[str, str] = {}
    name = None
    for line in config.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = _SECTION.match(line)
            name = section[1] if section else None
        elif name is not None and (found := _URL.match(line)):
            urls.setdefault(name, found[1].strip('"'))
    chosen = urls.get("origin") or next((urls[key] for key in sorted(urls)), None)
    return address(chosen) if chosen else None


def address(url: str) -> str | None:
    """One spelling for all ways to clone a repository, without user and password; a local path becomes its last name."""
    url = url.rstrip("/").removesuffix(".git")
    if found := _ADDRESS.fullmatch(url) or (None if "://" in url else _SCP.fullmatch(url)):
        return f"https://{found[1].lower()}/{found[2].lstrip('/')}"
    return Path(url.removesuffix("/.git")).name or None
