"""swallow-code-v2: 28.7 million Python files that a language model rewrote, from the hub or from a folder of its JSON Lines shards.

In: the hub's data set, of which no more is fetched than the budget needs; or `path`, a folder in the published layout
(`stage5-auto-format/python/medium/train_NNNN.jsonl`) or with the shards directly in it, or one shard. Out: a row a line: the rewritten
text, under the names of the file that it was rewritten from. `sha1_git`, `sha1` and `size` are those of that original (the dataset's
`content_id`, `blob_id`, `length_bytes`), and `notes.derived` says `llm_rewrite`.
Parts are runs of bytes of one shard (json_lines.py), cut alike on disk and on the hub; what is fetched is kept in blocks under `downloads`
(hub_ranges.py), so a killed run, and a larger budget, go on at the byte where the last one ended. The hub's commit and the contents of the
shards are pinned in the identity.
Guarantees: memory is bounded by `max_line_bytes` and the tables; what is no JSON object, has no text, or is too long becomes a row
with a reason that names shard and offset. `wanted` takes only as many parts as that much text needs, from the first shard on.
Price: 0.1 to 0.2 ms a row and its JSON at 380 MB/s a core (the standard library; orjson has 1,240, but the filters behind it take many times as
long as either; pyarrow.json has 140, with the Python objects that are wanted here). Only a quarter of a shard's bytes is the text. The plan
itself fetches the first block: how much of it is text decides how the rest is cut.
Where the hub cannot be reached there is a plan and no parts: what the hub is known to hold and what the budget would take of it.
Not covered: the rewrites of stages 1 to 4 and the scores' explanations, which the shards carry along.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from minisc.core import mirror
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.hub import Unreachable
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.files import batched
from minisc.source.hub_files import Place
from minisc.source.json_lines import OnDisk, Probe, Shard, Span, enough, identity_of, lines, listing_of, probe, spans
from minisc.source.swallow_columns import DATASET, row_of_line

LAYOUT = "stage5-auto-format/python/medium"
# The published set, by the OpenEuroLLM catalogue and the dataset's card: 150 files, 889 GB, of which a quarter is the text.
HUB_FILES, HUB_BYTES, HUB_DOCUMENTS, HUB_CHARACTERS = 150, 889_000_000_000, 28_705_016, 216_822_734_139
PUBLISHED = Probe(share=HUB_CHARACTERS / HUB_BYTES, line_bytes=HUB_BYTES / HUB_DOCUMENTS)  # characters for bytes: code is ASCII to 99 %


@dataclass(frozen=True, kw_only=True)
class Swallow(Source):
    """See the module. Raises UserError where `path` holds no shard."""

    version: ClassVar[int] = 1

    path: str | None = free()  # the location is no part of the result: names, sizes and contents are
    revision: str = free()  # the commit that it means is in the identity
    downloads: str = free()
    block_bytes: int = free()
    part_bytes: int
    max_line_bytes: int
    max_bytes: int | None

    def __post_init__(self) -> None:
        if not 1024 <= self.max_line_bytes <= self.part_bytes:
            raise UserError(
                "a line may have from 1,024 bytes up to the size of a part", where=f"source.max_line_bytes={self.max_line_bytes}, source.part_bytes={self.part_bytes}",
                do="source.max_line_bytes=16_777_216 source.part_bytes=268_435_456",
            )  # fmt: skip
        for name, value in (("max_bytes", self.max_bytes), ("block_bytes", self.block_bytes)):
            if value is not None and value < 1:
                raise UserError(
                    f"{name} must be at least 1", where=f"source.{name}={value}", do="source.max_bytes=null source.block_bytes=16_777_216"
                )

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        limits = [limit for limit in (wanted, self.max_bytes) if limit is not None]
        limit = min(limits) if limits else None
        if self.path is None:
            return self._on_the_hub(limit)
        paths = _shards(self.path)
        try:
            return self._found([OnDisk.at(path) for path in paths], limit, hashes)
        except OSError as error:
            raise BadInput(
                f"a shard cannot be read: {error.strerror}",
                where=str(error.filename or self.path),
                do="ls -l there, and look at the rights",
            ) from error

    def _on_the_hub(self, limit: int | None) -> Listing:
        place = Place(dataset=DATASET, revision=self.revision, under=LAYOUT, downloads=self.downloads, block_bytes=self.block_bytes)
        try:
            found = place.snapshot("*.jsonl")
            parts, told = self._parts(found.files, limit)
        except Unreachable as error:
            return _plan(limit, error)
        contents = {file.name: file.content for file in found.files}
        return listing_of(parts, told, identity_of(parts, contents) | found.identity(), len(found.files), found.remark)

    def _found(self, shards: Sequence[OnDisk], limit: int | None, hashes: Hashes) -> Listing:
        """The first listing reads each shard once to hash it."""
        parts, told = self._parts(shards, limit)
        taken = {span.shard.name: span.shard for span in parts}
        digests = hashes.of([Path(shard.where) for shard in shards if shard.name in taken])
        return listing_of(parts, told, identity_of(parts, dict(zip(taken, digests, strict=True))), len(shards))

    def _parts(self, shards: Sequence[Shard], limit: int | None) -> tuple[list[Span], Probe]:
        told = probe(shards[0], "text")[0] or PUBLISHED
        cut = [span for shard in shards for span in spans(shard, told.span_bytes(self.part_bytes))]
        if not cut:
            raise UserError("the shards are empty", where=f"source.path={self.path}", do="download them again")
        return enough(cut, None if limit is None else limit / told.share), told

    def tables(self, part: Any) -> Iterator[pa.Table]:
        return batched(row_of_line(line, offset, size, part.shard.name) for offset, size, line in lines(part, self.max_line_bytes))


def _plan(limit: int | None, why: UserError) -> Listing:
    """What would be fetched from the hub, as far as is known without it."""
    wanted = HUB_BYTES if limit is None else min(HUB_BYTES, math.ceil(limit / PUBLISHED.share))
    files = max(1, math.ceil(wanted / HUB_BYTES * HUB_FILES))
    told = f"of {DATASET}'s {HUB_BYTES / 1e9:.0f} GB in {HUB_FILES} files, {wanted / 1e9:,.1f} GB are needed: {files} file{'s' * (files > 1)}, a quarter of which is text"
    return Listing(
        parts=(), identity={"hub": DATASET, "files": str(files)}, documents=round(HUB_DOCUMENTS * wanted / HUB_BYTES), bytes=round(wanted * PUBLISHED.share),
        download_bytes=wanted, requests=files, remark=f"{told}; the hub cannot be asked now ({why.what})", refusal=_refusal(files, why),
    )  # fmt: skip


def _refusal(files: int, why: UserError) -> UserError:
    """How to get the first so many shards by other means, whether their numbers begin at 0 or at 1."""
    numbers = f"000[1-{files}]" if files < 10 else f"00[0-{files // 10}]?" if files < 100 else "*"
    return UserError(
        f"{DATASET} is read from the hub, and the hub cannot be reached: {why.what}", where=why.where,
        do=f"{why.do}; or elsewhere: hf download {DATASET} --repo-type dataset --include '{LAYOUT}/train_{numbers}.jsonl' --local-dir swallow, then add source.path=swallow",
    )  # fmt: skip


def _shards(path: str) -> list[Path]:
    given = mirror.match(mirror.local(path))
    if given.is_file():
        return [given]
    for folder in (given / LAYOUT, given):
        if shards := sorted(folder.glob("train*.jsonl")) or sorted(folder.glob("*.jsonl")):
            return shards
    what = "there is no shard (*.jsonl) in the folder" if given.is_dir() else "there is no such folder"
    raise UserError(
        what, where=f"source.path={path}", do=f"source.path=<folder with {LAYOUT}/train_NNNN.jsonl, or with the shards themselves>"
    )
