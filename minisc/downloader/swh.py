"""One downloader, then another for what it could not get: the bucket first, the API for what is missing there or damaged.

In: blobs, two downloaders put together in YAML. Out: bytes in one store. A blob that the first has lost for good is only asked of
the second; the reason that is told is the second's. A source that has to be given up stops the run: sending everything that a
broken bucket did not give to an API that grants 120 requests an hour would be a wait of days that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from minisc.core.errors import UserError
from minisc.core.step import Cost
from minisc.downloader.base import UNAVAILABLE, Blob, Downloader, Watch
from minisc.downloader.store import BlobStore


@dataclass(frozen=True, kw_only=True)
class Swh(Downloader):
    """`store` is the one that counts; those of `first` and `then` are not opened."""

    version: ClassVar[int] = 1

    first: Downloader
    then: Downloader
    then_at_most: int

    def __post_init__(self) -> None:
        if self.then_at_most < 0:
            raise UserError(
                "a number of blobs cannot be negative",
                where=f"downloader.then_at_most={self.then_at_most}",
                do="downloader.then_at_most=1000",
            )

    def estimate(self, blobs: int, size: int) -> Cost:
        return self.first.estimate(blobs, size)

    def fetch(self, blobs: Sequence[Blob], store: BlobStore, watch: Watch) -> dict[str, str]:
        lost = self.first.fetch(blobs, store, watch)
        rest = [blob for blob in blobs if lost.get(blob.sha1_git, UNAVAILABLE) != UNAVAILABLE]
        asked = [blob for blob in rest if blob.sha1_git not in store]
        if len(asked) > self.then_at_most:
            watch.say(f"{len(asked):,} left for the second source, {self.then_at_most:,} are asked for")
        again = {blob.sha1_git for blob in asked[: self.then_at_most]}
        found = self.then.fetch([blob for blob in asked if blob.sha1_git in again], store, watch) if again else {}
        return {sha1_git: reason for sha1_git, reason in (lost | found).items() if sha1_git not in store}
