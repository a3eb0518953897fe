"""Files on disk, chosen by a source: their identity, their parts, their rows.

    list[File]  --hashed-->  with SHA-256  --parts_of-->  tuples of at most `part_bytes`  --rows_of-->  rows of `core.document.SCHEMA`

Guarantees: the identity and the rows depend on names, sizes and contents, never on where the files lie. A row tells of the bytes that
were listed: a file that has others by the time it is read stops the run, naming it, since a fingerprint was built on the first ones.
What cannot be used is a row with a reason. A file above `max_file_bytes` is never opened, so its row has no hashes.
Price: every file is read twice, for the listing and for the rows (the listing remembers; the second time comes from the page cache).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from minisc.core import durable, mirror
from minisc.core.document import JSON, note, sha1_git_of, table_of, uid_of
from minisc.core.errors import BadInput
from minisc.core.fingerprint import canonical
from minisc.core.remember import Hashes
from minisc.text.decode import Decoded, decode

TOO_LARGE, UNREADABLE = "too_large", "unreadable"
TABLE_ROWS, TABLE_BYTES = 1024, 8 * 1024 * 1024  # of one table: bounds memory, changes no result


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file that a source has chosen; picklable."""

    where: str  # read from here; in no row and in no identity
    repo: str
    path: bytes  # inside the repository, as the file system has it
    size: int
    revision: str | None = None
    license: str | None = None
    license_evidence: str | None = None
    sha256: str = ""  # of the content when it was listed; "" for one that is not read
    reason: str = ""  # too_large or unreadable: why it is not read


def hashed(files: Sequence[File], hashes: Hashes) -> list[File]:
    """The files with their SHA-256; those that cannot be read get the reason `unreadable`."""
    plain = [file.where for file in files if not file.reason and _is_unicode(file.where)]
    known = dict(zip(plain, _digests(plain, hashes), strict=True))
    out = []
    for file in files:
        if not file.reason:
            digest = known.get(file.where) or _digest(file.where)
            file = replace(file, sha256=digest) if digest else replace(file, reason=UNREADABLE)
        out.append(file)
    return out


def _is_unicode(name: str) -> bool:
    """Whether the memory of hashes, which is JSON, can hold the name."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _digests(paths: Sequence[str], hashes: Hashes) -> list[str]:
    """Hex digests in order, "" for what cannot be read. `Hashes.of` knows all or nothing, so a run of files that fails is halved."""
    try:
        return hashes.of([Path(path) for path in paths])
    except OSError:
        if len(paths) == 1:
            return [""]
    half = len(paths) // 2
    return [*_digests(paths[:half], hashes), *_digests(paths[half:], hashes)]


def _digest(path: str) -> str:
    try:
        return durable.sha256_of(Path(path))
    except OSError:
        return ""


def without_repeats(files: Iterable[File]) -> list[File]:
    """The files, but for those with the repository, revision, path and content of an earlier one: two clones of one repository."""
    return list({(file.repo, file.revision, file.path, file.sha256, file.reason): file for file in reversed(list(files))}.values())[::-1]


def identity_of(files: Sequence[File]) -> dict[str, str]:
    """The leaves of a list of files: counts for people, one SHA-256 over everything that ends in a row."""
    digest = hashlib.sha256()
    for file in files:
        told = [file.repo, file.revision, file.path.hex(), file.size, file.license, file.license_evidence, file.sha256, file.reason]
        digest.update(canonical(list(told)) + b"\n")
    return {"files": str(len(files)), "bytes": str(sum(file.size for file in files)), "sha256": digest.hexdigest()}


def parts_of(files: Sequence[File], part_bytes: int) -> tuple[tuple[File, ...], ...]:
    """The files cut, in their order, into runs of at most `part_bytes` (one larger file is a part by itself)."""
    parts: list[list[File]] = []
    held = 0
    for file in files:
        size = 0 if file.reason else file.size
        if not parts or held + size > part_bytes:
            parts.append([])
            held = 0
        parts[-1].append(file)
        held += size
    return tuple(tuple(part) for part in parts)


def rows_of(files: Iterable[File], source: str) -> Iterator[dict[str, Any]]:
    """A row a file, in order. Raises BadInput when a file is not what was listed."""
    for file in files:
        raw = b"" if file.reason else _read_again(file)
        yield row_of(
            decode(raw) if not file.reason else Decoded(None, reason=file.reason),
            source=source, repo=file.repo, revision=file.revision, path=file.path, size=file.size, license=file.license, license_evidence=file.license_evidence,
            sha1_git=None if file.reason else sha1_git_of(raw), sha1=None if file.reason else hashlib.sha1(raw).hexdigest(),
        )  # fmt: skip


def _read_again(file: File) -> bytes:
    try:
        with mirror.fetch(Path(file.where)).open("rb") as opened:
            raw = opened.read(file.size + 1)
    except OSError as error:
        raise BadInput(
            f"a file of the corpus was listed and cannot be read any more: {error.strerror}",
            where=readable(os.fsencode(file.where)),
            do=_AGAIN,
        ) from error
    if len(raw) != file.size or hashlib.sha256(raw).hexdigest() != file.sha256:
        raise BadInput("a file of the corpus changed after it was listed", where=readable(os.fsencode(file.where)), do=_AGAIN)
    return raw


_AGAIN = "run the same command again when nothing writes there: it lists anew"


def row_of(
    decoded: Decoded, *, source: str, repo: str, path: bytes, size: int, revision: str | None, sha1_git: str | None, notes: Mapping[str, JSON] | None = None, **columns: Any
) -> dict[str, Any]:  # fmt: skip
    """A row of `SCHEMA` for one file of code; dropped by `collect` where `decoded` has a reason. `columns`: further ones, as they are."""
    told = dict(notes or {}) | ({} if decoded.newlines == "lf" else {"newlines": decoded.newlines})
    return columns | {
        "uid": uid_of(source=source, repo=repo, revision=revision, path=path, sha1_git=sha1_git),
        "source": source, "repo": repo, "revision": revision, "path": path, "path_text": readable(path), "sha1_git": sha1_git, "size": size,
        "kind": "code", "text": decoded.text, "encoding": decoded.encoding, "notes": {key: note(value) for key, value in told.items()},
        "dropped_by": "collect" if decoded.reason else None, "reason": decoded.reason or None,
    }  # fmt: skip


def batched(rows: Iterable[Mapping[str, Any]]) -> Iterator[pa.Table]:
    """Rows in tables of bounded size."""
    held: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row.get("text") or "")
        if len(held) >= TABLE_ROWS or size >= TABLE_BYTES:
            yield table_of(held)
            held, size = [], 0
    if held:
        yield table_of(held)


_UNREADABLE_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def readable(path: bytes) -> str:
    """A path for people and prompts: one line of valid text, whatever bytes it is made of; never to build a file name of."""
    text = path.decode("utf-8", "backslashreplace")
    return _UNREADABLE_CHARACTERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
