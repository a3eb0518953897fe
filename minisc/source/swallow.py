"""swallow-code-v2: 28.7 million Python files that a language model rewrote, from a folder of its JSON Lines shards.

In: `path`, a folder in the published layout (`stage5-auto-format/python/medium/train_NNNN.jsonl`) or with the shards directly in it, or
one shard. Out: a row a line: the rewritten text, under the names of the file that it was rewritten from. `sha1_git`, `sha1` and
`size` are those of that original (the dataset's `content_id`, `blob_id`, `length_bytes`), and `notes.derived` says `llm_rewrite`.
Parts are runs of bytes of one shard, and a line belongs to the part in which it begins: any part can be read alone and again, which
makes resume exact, and a reader over HTTP needs nothing but another way to open a `Span`.
Guarantees: memory is bounded by `max_line_bytes` and the tables; what is no JSON object, has no text, or is too long becomes a row
with a reason that names shard and offset. `wanted` takes only as many parts as that much text needs, from the first shard on.
Price: 0.1 to 0.2 ms a row and its JSON at 380 MB/s a core (the standard library; orjson has 1,240, but the filters behind it take many times as
long as either; pyarrow.json has 140, with the Python objects that are wanted here). Only a quarter of a shard's bytes is the text.
Without `path` there is a plan and no parts: what the hub holds and what the budget would take of it.
Not covered: the rewrites of stages 1 to 4 and the scores' explanations, which the shards carry along.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import pyarrow as pa

from minisc.core.document import PART_BYTES
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.files import batched
from minisc.source.swallow_columns import DATASET, object_of, row_of_line

LAYOUT = "stage5-auto-format/python/medium"
# The published set, by the OpenEuroLLM catalogue and the dataset's card: 150 files, 889 GB, of which a quarter is the text.
HUB_FILES, HUB_BYTES, HUB_DOCUMENTS, HUB_CHARACTERS = 150, 889_000_000_000, 28_705_016, 216_822_734_139
PROBE_BYTES = 4 << 20  # of the first shard: how much of it is text
SKIP_BYTES = 1 << 20  # read at once while the rest of a line that is too long is passed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of bytes of one shard: the lines that begin in it. `where` is how to open it and enters nothing."""

    where: str
    shard: str  # file name
    start: int
    stop: int
    size: int  # of the shard when it was listed
    changed_ns: int  # its modification time then


@dataclass(frozen=True, kw_only=True)
class Swallow(Source):
    """See the module. Raises UserError where `path` holds no shard."""

    version: ClassVar[int] = 1

    path: str | None = free()  # the location is no part of the result: names, sizes and contents are
    part_bytes: int
    max_line_bytes: int
    max_bytes: int | None

    def __post_init__(self) -> None:
        if not 1024 <= self.max_line_bytes <= self.part_bytes:
            raise UserError(
                "a line may have from 1,024 bytes up to the size of a part", where=f"source.max_line_bytes={self.max_line_bytes}, source.part_bytes={self.part_bytes}",
                do="source.max_line_bytes=16_777_216 source.part_bytes=268_435_456",
            )  # fmt: skip
        if self.max_bytes is not None and self.max_bytes < 1:
            raise UserError(
                "max_bytes must be at least 1, or null for all", where=f"source.max_bytes={self.max_bytes}", do="source.max_bytes=null"
            )

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        limits = [limit for limit in (wanted, self.max_bytes) if limit is not None]
        limit = min(limits) if limits else None
        if self.path is None:
            return _plan(limit)
        shards = _shards(self.path)
        try:
            return self._found(shards, limit, hashes)
        except OSError as error:
            raise BadInput(
                f"a shard cannot be read: {error.strerror}",
                where=str(error.filename or self.path),
                do="ls -l there, and look at the rights",
            ) from error

    def _found(self, shards: Sequence[Path], limit: int | None, hashes: Hashes) -> Listing:
        share, line_bytes = _probe(shards[0])
        span_bytes = min(self.part_bytes, int(PART_BYTES / share))
        spans = _enough([span for shard in shards for span in _spans(shard, span_bytes)], None if limit is None else limit / share)
        if not spans:
            raise UserError("the shards are empty", where=f"source.path={self.path}", do="download them again")
        taken = sum(span.stop - span.start for span in spans)
        return Listing(
            parts=tuple(spans), identity=_identity(spans, hashes), documents=math.ceil(taken / line_bytes), bytes=round(taken * share),
            remark=f"{taken / 1e9:.2f} GB of JSON Lines in {len({span.shard for span in spans})} of {len(shards)} shards, {share:.0%} of it text",
        )  # fmt: skip

    def tables(self, part: Any) -> Iterator[pa.Table]:
        if self.path is None:
            raise _refusal(1)
        return batched(row_of_line(line, offset, size, part.shard) for offset, size, line in _lines(part, self.max_line_bytes))


def _plan(limit: int | None) -> Listing:
    """What would be downloaded from the hub: whole files, in their order."""
    text_share = HUB_CHARACTERS / HUB_BYTES  # characters for bytes: Python code is ASCII to 99 %
    wanted = HUB_BYTES if limit is None else min(HUB_BYTES, math.ceil(limit / text_share))
    files = max(1, math.ceil(wanted / HUB_BYTES * HUB_FILES))
    told = f"of {DATASET}'s {HUB_BYTES / 1e9:.0f} GB in {HUB_FILES} files, {wanted / 1e9:,.1f} GB are needed: {files} file{'s' * (files > 1)}, a quarter of which is text"
    return Listing(
        parts=(), identity={"hub": DATASET, "files": str(files)}, documents=round(HUB_DOCUMENTS * wanted / HUB_BYTES), bytes=round(wanted * text_share),
        download_bytes=wanted, requests=files, remark=f"{told}; give them as source.path=<folder of shards>", refusal=_refusal(files),
    )  # fmt: skip


def _refusal(files: int) -> UserError:
    """How to get the first so many shards, whether their numbers begin at 0 or at 1."""
    numbers = f"000[1-{files}]" if files < 10 else f"00[0-{files // 10}]?" if files < 100 else "*"
    return UserError(
        f"the shards of {DATASET} are read from a folder, and none is given", where="source.path=null",
        do=f"hf download {DATASET} --repo-type dataset --include '{LAYOUT}/train_{numbers}.jsonl' --local-dir swallow, then add source.path=swallow",
    )  # fmt: skip


def _shards(path: str) -> list[Path]:
    given = Path(path).expanduser()
    if given.is_file():
        return [given]
    for folder in (given / LAYOUT, given):
        if shards := sorted(folder.glob("train*.jsonl")) or sorted(folder.glob("*.jsonl")):
            return shards
    what = "there is no shard (*.jsonl) in the folder" if given.is_dir() else "there is no such folder"
    raise UserError(
        what, where=f"source.path={path}", do=f"source.path=<folder with {LAYOUT}/train_NNNN.jsonl, or with the shards themselves>"
    )


def _probe(shard: Path) -> tuple[float, float]:
    """(share of text, mean length of a line) of the beginning of a shard; what is published of all where nothing can be told."""
    with shard.open("rb") as file:
        lines = file.read(PROBE_BYTES).split(b"\n")
    texts = [
        (len(line) + 1, len(text.encode("utf-8", "replace")))
        for line in lines
        if (text := object_of(line).get("text")) and isinstance(text, str)
    ]
    if not texts:
        return HUB_CHARACTERS / HUB_BYTES, HUB_BYTES / HUB_DOCUMENTS
    whole = sum(length for length, _ in texts)
    return sum(size for _, size in texts) / whole, whole / len(texts)


def _spans(shard: Path, part_bytes: int) -> list[Span]:
    state = shard.stat()
    return [
        Span(
            where=str(shard),
            shard=shard.name,
            start=start,
            stop=min(start + part_bytes, state.st_size),
            size=state.st_size,
            changed_ns=state.st_mtime_ns,
        )
        for start in range(0, state.st_size, part_bytes)
    ]


def _enough(spans: Sequence[Span], wanted: float | None) -> list[Span]:
    """The first spans that together have as many bytes, at least one."""
    out: list[Span] = []
    taken = 0
    for span in spans:
        if wanted is not None and out and taken >= wanted:
            break
        out.append(span)
        taken += span.stop - span.start
    return out


def _identity(spans: Sequence[Span], hashes: Hashes) -> dict[str, str]:
    """Shards by name, size and content, and how far the last one is read. The first listing reads each shard once to hash it."""
    shards = {span.where: span for span in spans}
    digests = hashes.of([Path(where) for where in shards])
    told = {span.shard: f"{span.size} {digest}" for span, digest in zip(shards.values(), digests, strict=True)}
    return told | {"until": f"{spans[-1].shard} {spans[-1].stop}"}


def _lines(span: Span, max_line_bytes: int) -> Iterator[tuple[int, int, bytes | None]]:
    """(offset, bytes, line) of every line that begins in the span; None for one that is longer than `max_line_bytes`."""
    path = Path(span.where)
    _check(path, span)
    with path.open("rb") as file:
        if span.start:
            file.seek(span.start - 1)
            _skip(file)  # the rest of a line of the part before, or the line feed that ends it
        while (offset := file.tell()) < span.stop:
            line = file.readline(max_line_bytes + 1)
            if len(line) > max_line_bytes:
                if not line.endswith(b"\n"):
                    _skip(file)
                yield offset, file.tell() - offset, None
            elif line.strip():
                yield offset, len(line), line
    _check(path, span)


def _skip(file: IO[bytes]) -> None:
    while (piece := file.readline(SKIP_BYTES)) and not piece.endswith(b"\n"):
        pass


def _check(path: Path, span: Span) -> None:
    try:
        state = path.stat()
    except OSError as error:
        raise BadInput(
            f"a shard was listed and cannot be read any more: {error.strerror}",
            where=str(path),
            do="run the same command again: it lists anew",
        ) from error
    if (state.st_size, state.st_mtime_ns) != (span.size, span.changed_ns):
        raise BadInput(
            "a shard changed after it was listed", where=str(path), do="run the same command again when nothing writes there: it lists anew"
        )
