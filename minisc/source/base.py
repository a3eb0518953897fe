"""A source says what there is, then reads it part by part.

`listing` walks, counts and hashes, and cuts the work into parts by the data alone (at most 64 MB of text each); `tables`
reads one part, in any process, and gives rows of `core.document.SCHEMA`: the same rows in the same order whenever it is
called. What a source cannot use (too large, holds NUL, not text) is a row too, dropped with one of `REASONS`.

A listing may be a plan only: what would be read could one get at it. Then it has no parts and a `refusal`, the error that says what
to type; whoever wants to read raises it. So a plan can be shown with its cost before anything is downloaded.

Sources do not know each other. What several of them need stands beside this module: files and their rows (files.py), seeded samples
(draw.py), license files (license_files.py), the remote and commit of a git checkout (git_checkout.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from minisc.core.errors import UserError
from minisc.core.remember import Hashes

REASONS = ("empty", "too_large", "holds_nul", "not_text", "unreadable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a source would read."""

    parts: tuple[Any, ...]  # picklable; part k becomes part-0000k.parquet
    identity: Mapping[str, str]  # the leaves: names, sizes, content hashes, a hub's commit; never a location
    documents: int  # expected
    bytes: int  # of text, expected
    download_bytes: int = 0
    requests: int = 0
    remark: str = ""
    ignored: Mapping[str, int] = field(default_factory=dict)  # why -> how many files were not even listed
    refusal: UserError | None = None  # set when this is a plan only: to be raised by who wants to read
    figures: Mapping[str, int] = field(default_factory=dict)  # further counts for the artifact, by plain names


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """Subclasses are frozen dataclasses of settings."""

    version: ClassVar[int]

    @abstractmethod
    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        """What to read. `wanted`: bytes of text that the budget can use, None for all. Raises UserError if there is nothing."""

    @abstractmethod
    def tables(self, part: Any) -> Iterator[pa.Table]:
        """The rows of one part, in order, in tables of bounded size; `split` is left null (collect sets it)."""

    def beside(self, told: Listing, parts: Sequence[tuple[Path, Path]], folder: Path) -> Mapping[str, int]:
        """Lay tables of the source's own beside its documents, from the (kept, dropped) parts that `collect` wrote; returns figures."""
        return {}
