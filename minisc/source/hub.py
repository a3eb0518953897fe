"""Any data set of Python code on the hub, or such files in a folder: an option file says which column is what.

In: `dataset` at a `revision`, the paths that match `files`, or the same files below `path`; JSON Lines (.jsonl, .json, also .gz) or Parquet.
Out: a row a record: the text as it stands there, with the repository, path, license and whatever else `columns` names.
A new set is an option file of ten lines that starts from this one (conf/source/codeparrot.yaml); no code.
Guarantees: parts are cut by the data alone (runs of bytes of JSON Lines, runs of row groups of Parquet); only blocks that a part needs are
fetched, of Parquet only the columns that are named; commit and contents are pinned in the identity; a record without a text is a row
with a reason.
Price: as swallow.py; a gzip file is unpacked again up to where a part begins; the footer of each Parquet file that is read is part of the plan.
Not covered: sets that need a script of their own, formats other than these two, a text in several columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from minisc.core import mirror
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.hub import Unreachable
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.fields import object_of
from minisc.source.files import batched
from minisc.source.hub_columns import KNOWN, row_of_record
from minisc.source.hub_files import Place
from minisc.source.hub_parquet import Groups, groups, listing_of_groups, records
from minisc.source.json_lines import OnDisk, Shard, Span, Unzipped, enough, identity_of, lines, listing_of, probe, spans

LINES, PACKED, PARQUET = (".jsonl", ".json"), (".jsonl.gz", ".json.gz"), (".parquet",)
READABLE = (*LINES, *PACKED, *PARQUET)


@dataclass(frozen=True, kw_only=True)
class Hub(Source):
    """See the module. `columns`: ours -> theirs, null for what the set does not have."""

    version: ClassVar[int] = 1

    dataset: str | None
    revision: str = free()  # the commit that it means is in the identity
    under: str = free()  # as `files`: the paths and contents that it chooses are in the identity
    files: str = free()
    path: str | None = free()
    columns: dict[str, str | None]
    downloads: str = free()
    block_bytes: int = free()
    part_bytes: int
    max_line_bytes: int
    max_bytes: int | None

    def __post_init__(self) -> None:
        if self.dataset is None:
            raise UserError(
                "which data set?",
                where="source.dataset=null",
                do="source.dataset=OWNER/NAME, or a ready one: source=codeparrot, source=the_stack_smol",
            )
        for ours in self.columns:
            if ours not in KNOWN:
                raise UserError(f"there is no column {ours!r} of ours", where=f"source.columns.{ours}", do=did_you_mean(ours, KNOWN))
        if not self.columns.get("text"):
            raise UserError(
                "the column that holds the text must be named", where="source.columns.text=null", do="source.columns.text=content"
            )
        if (
            not 1024 <= self.max_line_bytes <= self.part_bytes
            or self.block_bytes < 1
            or (self.max_bytes is not None and self.max_bytes < 1)
        ):
            raise UserError(
                "sizes are counted in bytes, and a line may have from 1,024 up to the size of a part",
                where=f"source.max_line_bytes={self.max_line_bytes}, source.part_bytes={self.part_bytes}, source.block_bytes={self.block_bytes}, source.max_bytes={self.max_bytes}",
                do="source.max_line_bytes=16_777_216 source.part_bytes=268_435_456 source.block_bytes=16_777_216 source.max_bytes=null",
            )  # fmt: skip

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        limits = [limit for limit in (wanted, self.max_bytes) if limit is not None]
        limit = min(limits) if limits else None
        if self.path is not None:
            folder = mirror.match(mirror.local(str(self.path)) / self.under)
            paths = self._paths(folder)
            shards = [OnDisk.at(path, path.relative_to(folder).as_posix()) for path in paths]
            contents = dict(zip((shard.name for shard in shards), hashes.of(paths), strict=True))
            return self._listed(shards, contents, {"dataset": str(self.dataset)}, limit, "")
        place = Place(
            dataset=str(self.dataset), revision=self.revision, under=self.under, downloads=self.downloads, block_bytes=self.block_bytes
        )
        try:
            found = place.snapshot(self.files)
            return self._listed(found.files, {file.name: file.content for file in found.files}, found.identity(), limit, found.remark)
        except Unreachable as error:
            refusal = UserError(
                f"{self.dataset} cannot be read: {error.what}", where=error.where, do=f"{error.do}; or source.path=<folder of its files>"
            )
            return Listing(
                parts=(), identity={"hub": str(self.dataset)}, documents=0, bytes=0, remark=f"not known: {error.what}", refusal=refusal
            )

    def _listed(
        self, shards: Sequence[Shard], contents: Mapping[str, str], whose: Mapping[str, str], limit: int | None, remark: str
    ) -> Listing:
        kinds = {_kind(shard.name) for shard in shards}
        if len(kinds) > 1 or "" in kinds:
            raise UserError(
                "the files are not all of one readable format", where=f"source.files={self.files}: {', '.join(sorted({shard.name for shard in shards})[:5])}",
                do=f"source.files='*.parquet', or another of {', '.join(READABLE)}",
            )  # fmt: skip
        if kinds == {"parquet"}:
            cut, told = groups(shards, self.columns, self.part_bytes, limit)
            return listing_of_groups(cut, told, contents, whose, len(shards), remark)
        shards = [Unzipped.of(shard) for shard in shards] if kinds == {"packed"} else shards
        told_lines, seen = probe(shards[0], str(self.columns["text"]))
        if told_lines is None:
            names = sorted({name for found in seen for name in found})
            raise UserError(
                f"no record has a text in the column {self.columns['text']!r}", where=f"source.columns.text={self.columns['text']}, {shards[0].name}",
                do=did_you_mean(str(self.columns["text"]), names) if names else f"is {shards[0].name} JSON Lines?",
            )  # fmt: skip
        parts = enough(
            [span for shard in shards for span in spans(shard, told_lines.span_bytes(self.part_bytes))],
            None if limit is None else limit / told_lines.share,
        )
        return listing_of(parts, told_lines, identity_of(parts, contents) | dict(whose), len(shards), remark)

    def _paths(self, folder: Path) -> list[Path]:
        found = sorted(
            path for path in folder.rglob("*") if path.is_file() and fnmatchcase(path.relative_to(folder).as_posix(), self.files)
        )
        if not found:
            raise UserError(
                f"there is no file {self.files!r}",
                where=f"source.path={self.path}, {folder}",
                do="source.files='*.parquet' source.under=''",
            )
        return found

    def tables(self, part: Any) -> Iterator[pa.Table]:
        name = part.shard.name
        return batched(
            row_of_record(record, size, f"{name}:{at}", str(self.dataset), self.columns) for at, size, record in self._records(part)
        )

    def _records(self, part: Span | Groups) -> Iterator[tuple[int, int, Mapping[str, Any] | None]]:
        """(place, bytes, record) of a part; None for one that is too long."""
        if isinstance(part, Groups):
            yield from records(part, self.columns, self.max_line_bytes)
        else:
            for offset, size, line in lines(part, self.max_line_bytes):
                yield offset, size, None if line is None else object_of(line)


def _kind(name: str) -> str:
    if name.endswith(PARQUET):
        return "parquet"
    return "packed" if name.endswith(PACKED) else "lines" if name.endswith(LINES) else ""
