"""A source says what there is, then reads it part by part.

`listing` walks, counts and hashes, and cuts the work into parts by the data alone (at most 64 MB of text each); `tables`
reads one part, in any process, and gives rows of `core.document.SCHEMA`: the same rows in the same order whenever it is
called. What a source cannot use (too large, holds NUL, not text) is a row too, dropped with one of `REASONS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

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
