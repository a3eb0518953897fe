"""A downloader gets the bytes of blobs, each unique blob once, into a store; as a stage it fills in the text of documents.

In: `Blob`s, told apart by sha1_git. Out: bytes in a `BlobStore` (store.py), checked against length, sha1 and sha1_git; for each
blob that has none, a reason. `fetch` may be killed anywhere: what is in the store is not asked for again.
A reason is either final (the archive has no such bytes: remembered, never asked again) or `unavailable` (the source had trouble:
asked again by the next run). A source that keeps failing stops the run with a `UserError`, so that nobody waits for 800,000
time-outs.
Where an allowance is shared, there is one owner: `max_workers` is 1, the concurrency lives inside `fetch`, and the store is
locked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.core.step import Cost
from minisc.downloader.store import BlobStore
from minisc.text.decode import decode

UNAVAILABLE = "unavailable"
# not_found: no such object, hidden or taken down; unlisted: the source needs a hash that is not known; hash_mismatch: other bytes, twice;
# damaged: compressed data that cannot be unpacked; too_large: more bytes than the archive says; refused: the request itself is wrong.
LOST = ("not_found", "unlisted", "hash_mismatch", "damaged", "too_large", "refused", "not_cooked", UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """One content of the archive, hashes in lower-case hex."""

    sha1_git: str
    sha1: str | None = None
    size: int | None = None
    root: str | None = None  # a root directory that holds it: how the vault is asked


class Watch(Protocol):
    """What is told while blobs arrive; `core.step.Bar` is one."""

    def advance(self, amount: float = 1) -> None: ...
    def say(self, text: str) -> None: ...


class Unwatched:
    """Nobody looks."""

    def advance(self, amount: float = 1) -> None:
        return None

    def say(self, text: str) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class Downloader(Stage):
    """Subclasses are frozen dataclasses of settings; where the store lies and who is asked cannot change a checked result."""

    version: ClassVar[int]
    reasons: ClassVar[tuple[str, ...]] = (*LOST, "empty", "holds_nul", "not_text")
    max_workers: ClassVar[int | None] = 1

    store: str = free()

    @abstractmethod
    def fetch(self, blobs: Sequence[Blob], store: BlobStore, watch: Watch) -> dict[str, str]:
        """Get all blobs that the store lacks. Returns sha1_git -> reason for those that it still lacks."""

    @abstractmethod
    def estimate(self, blobs: int, size: int) -> Cost:
        """Requests, seconds and bytes for so many blobs of so many bytes in all."""

    def blobs(self, *, reading: bool = False) -> BlobStore:
        """The store: locked for as long as it is open, or to read from only."""
        return BlobStore(Path(self.store).expanduser(), reading=reading)

    @contextmanager
    def open(self, found: Path | None = None) -> Iterator[Judge]:
        with BlobStore(found or Path(self.store).expanduser()) as store:
            yield lambda docs: self._judged(docs, store)

    def _judged(self, docs: Sequence[Doc], store: BlobStore) -> list[Verdict]:
        lost = self.fetch(list({doc.sha1_git: blob_of(doc) for doc in docs if doc.sha1_git and not doc.text}.values()), store, Unwatched())
        if troubled := sum(reason == UNAVAILABLE for reason in lost.values()):
            raise unavailable(troubled)
        return [KEEP if doc.text else text_verdict(doc, store, lost) for doc in docs]


def blob_of(doc: Doc) -> Blob:
    assert doc.sha1_git
    return Blob(sha1_git=doc.sha1_git, sha1=doc.sha1, size=doc.size if doc.sha1 else None, root=doc.directory)


def text_verdict(doc: Doc, store: BlobStore, lost: dict[str, str]) -> Verdict:
    """The text of a document whose blob was asked for, or why there is none."""
    if not doc.sha1_git:
        return Verdict(drop="unlisted")
    raw = store.get(doc.sha1_git)
    if raw is None:
        return Verdict(drop=lost.get(doc.sha1_git, "not_found"))
    decoded = decode(raw)
    if decoded.text is None:
        return Verdict(drop=decoded.reason)
    notes = {} if decoded.newlines == "lf" else {"newlines": decoded.newlines}
    return Verdict(text=decoded.text, notes=notes | ({} if decoded.encoding == "utf-8" else {"encoding": decoded.encoding}))


def unavailable(blobs: int) -> UserError:
    return UserError(
        f"{blobs:,} blobs could not be fetched now: the source had trouble, each was tried several times", where="step download",
        do="run the same line again: what is in the store is not asked for again",
    )  # fmt: skip
