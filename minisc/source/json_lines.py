"""JSON Lines files cut into parts by bytes: a line belongs to the part in which it begins.

    shards  --spans-->  runs of bytes, in order  --enough-->  the first that hold what is wanted  --lines-->  (offset, bytes, line)

A `Shard` is anything with a name, a size and a way to be opened: a file on disk, a file on the hub, either of them through gzip. So any
part can be read alone and again, wherever the bytes are, and the same bytes give the same parts and rows from everywhere.
Guarantees: memory is bounded by the longest line that is allowed; a longer one is passed over and told with its length.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from minisc.core import mirror
from minisc.core.document import PART_BYTES
from minisc.core.errors import BadInput
from minisc.source.base import Listing
from minisc.source.fields import object_of
from minisc.source.hub_ranges import HubFile

PROBE_BYTES = 4 << 20  # of the first shard: how much of it is text
SKIP_BYTES = 1 << 20  # read at once while the rest of a line that is too long is passed over
AGAIN = "run the same command again when nothing writes there: it lists anew"


class Shard(Protocol):
    """A file that is read in parts; picklable."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def opened(self) -> AbstractContextManager[IO[bytes]]:
        """The file, open for reading; raises BadInput where it is not what was listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """A file on this machine as it was when it was listed."""

    where: str
    name: str
    size: int
    changed_ns: int  # its modification time

    @classmethod
    def at(cls, path: Path, name: str = "") -> OnDisk:
        state = path.stat()
        return cls(where=str(path), name=name or path.name, size=state.st_size, changed_ns=state.st_mtime_ns)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        path = mirror.fetch(Path(self.where))
        self._check()
        with path.open("rb") as file:
            yield file
        self._check()

    def _check(self) -> None:
        try:
            state = Path(self.where).stat()
        except OSError as error:
            raise BadInput(
                f"a shard was listed and cannot be read any more: {error.strerror}",
                where=self.where,
                do="run the same command again: it lists anew",
            ) from error
        if (state.st_size, state.st_mtime_ns) != (self.size, self.changed_ns):
            raise BadInput("a shard changed after it was listed", where=self.where, do=AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unzipped:
    """A gzip file as the bytes inside it. Each part unpacks what stands before it again: half the file, on the average."""

    packed: Shard
    size: int  # of the bytes inside, as the last four bytes of the file say it

    @classmethod
    def of(cls, packed: Shard) -> Unzipped:
        with packed.opened() as file:
            file.seek(max(0, packed.size - 4))
            return cls(packed=packed, size=int.from_bytes(file.read(4), "little"))

    @property
    def name(self) -> str:
        return self.packed.name

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        with self.packed.opened() as file, gzip.GzipFile(fileobj=file, mode="rb") as inside:
            try:
                yield inside  # type: ignore[misc]
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise BadInput(f"a gzip file cannot be unpacked: {error}", where=self.name, do="download it again") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of bytes of one shard: the lines that begin in it."""

    shard: Shard
    start: int
    stop: int


def spans(shard: Shard, span_bytes: int) -> list[Span]:
    return [Span(shard=shard, start=start, stop=min(start + span_bytes, shard.size)) for start in range(0, shard.size, span_bytes)]


def enough(parts: Sequence[Span], wanted: float | None) -> list[Span]:
    """The first spans that together have as many bytes, at least one; all for None."""
    out: list[Span] = []
    taken = 0
    for span in parts:
        if wanted is not None and out and taken >= wanted:
            break
        out.append(span)
        taken += span.stop - span.start
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the beginning of a shard says of the rest."""

    share: float  # of the bytes that is text
    line_bytes: float  # mean length of a line

    def span_bytes(self, most: int) -> int:
        """Bytes of one part: 64 MB of text, at most `most`."""
        return min(most, int(PART_BYTES / self.share))

    def documents(self, taken: int) -> int:
        return math.ceil(taken / self.line_bytes)


def probe(shard: Shard, column: str) -> tuple[Probe | None, list[Mapping[str, Any]]]:
    """Of the first 4 MB: the share of text, None where `column` holds none; and the objects that were seen."""
    with shard.opened() as file:
        lines = file.read(PROBE_BYTES).split(b"\n")
    seen = [(len(line) + 1, found) for line in lines if (found := object_of(line))]
    texts = [
        (length, len(text.encode("utf-8", "replace"))) for length, found in seen if (text := found.get(column)) and isinstance(text, str)
    ]
    whole = sum(length for length, _ in texts)
    told = Probe(share=sum(size for _, size in texts) / whole, line_bytes=whole / len(texts)) if texts else None
    return told, [found for _, found in seen]


def identity_of(parts: Sequence[Span], contents: Mapping[str, str]) -> dict[str, str]:
    """Shards by name, size and content, and how far the last one is read."""
    shards = {span.shard.name: span.shard.size for span in parts}
    return {name: f"{size} {contents[name]}" for name, size in shards.items()} | {"until": f"{parts[-1].shard.name} {parts[-1].stop}"}


def listing_of(parts: Sequence[Span], told: Probe, identity: Mapping[str, str], shards: int, remark: str = "") -> Listing:
    """The listing of spans that were chosen out of so many shards; what of them must still be fetched is counted."""
    taken = sum(span.stop - span.start for span in parts)
    fetches = missing(parts)
    size = (
        f"{taken / 1e9:.2f} GB of JSON Lines in {len({span.shard.name for span in parts})} of {shards} shards, {told.share:.0%} of it text"
    )
    return Listing(
        parts=tuple(parts), identity=identity, documents=told.documents(taken), bytes=round(taken * told.share), download_bytes=sum(fetches),
        requests=len(fetches), remark="; ".join(filter(None, (size, remark))),
    )  # fmt: skip


def missing(parts: Sequence[Span]) -> list[int]:
    """Bytes of each block that is to be fetched from the hub before all parts can be read."""
    stops: dict[HubFile, int] = {}
    for span in parts:
        file: Shard = span.shard
        stop = span.stop
        if isinstance(file, Unzipped):
            stop = round(file.packed.size * (stop / file.size))
            file = file.packed
        if isinstance(file, HubFile):
            stops[file] = max(stops.get(file, 0), stop)
    return [min(file.block_bytes, file.size - start) for file, stop in stops.items() for start in file.missing(stop)]


def lines(span: Span, max_line_bytes: int) -> Iterator[tuple[int, int, bytes | None]]:
    """(offset, bytes, line) of every line that begins in the span; None for one that is longer than `max_line_bytes`."""
    with span.shard.opened() as file:
        if span.start:
            file.seek(span.start - 1)
            _skip(file)  # the rest of a line of the part before, or the line feed that ends it
        while (offset := file.tell()) < span.stop and (line := file.readline(max_line_bytes + 1)):
            if len(line) > max_line_bytes:
                if not line.endswith(b"\n"):
                    _skip(file)
                yield offset, file.tell() - offset, None
            elif line.strip():
                yield offset, len(line), line
        if span.stop == span.shard.size and (file.tell() < span.stop or file.read(1)):
            raise BadInput(
                "a shard holds another number of bytes than it says", where=span.shard.name,
                do="a gzip file of several members, or above 4 GB, cannot be read in parts: unpack it, and give the folder as source.path",
            )  # fmt: skip


def _skip(file: IO[bytes]) -> None:
    while (piece := file.readline(SKIP_BYTES)) and not piece.endswith(b"\n"):
        pass
