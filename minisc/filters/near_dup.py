"""Of documents that share most of their 5-word shingles one is kept.

In: a signature of 256 minima a document (`text/shingles.py`). Out: `near_duplicate`, with the kept document and the true
Jaccard similarity of the two in the notes (`{"of": uid, "jaccard": 0.83}`), and the groups as `clusters.parquet`.
Guarantees: documents are taken in keeper order (license class, stars, date, uid); one falls only if the Jaccard similarity of
its shingle set with that of a KEPT document, computed from both texts, reaches `threshold`. So nothing falls for a chain of
look-alikes, nothing falls by estimate, and no two kept documents that the index proposes lie above the threshold.
Documents of fewer than five words are never judged. Documents of `inputs.against` are all kept ones, taken first: only new ones fall,
and the note names the other corpus's as `<fingerprint>/<uid>`. They are compared as they lie there, so after the filters that made
them what they are: put `near_dup` where it stood when that corpus was made.
Recall: two documents of similarity s are proposed with probability 1 - (1 - s^rows)^bands; 42 bands of 6 rows find .994 of
the pairs at 0.7 and all from 0.8 on, where BigCode's 25 x 10 find .511, and datatrove's 14 x 8 .565 at 0.7.

How: bands that two documents share join them into components (numpy, a few bands at a time, some 100 bytes a document);
whoever is alone is done without its text being read again. The texts of the rest are read once, in corpus order, their
shingles put into a temporary file; each component then goes through datasketch's `MinHashLSH`, which holds its kept documents
only: a group of 10,000 copies costs 10,000 questions, not 50 million pairs.
Price (one core, `tests/benchmarks/bench_near_dup.py`, 4,000 files): 71 MB/s from text to verdict, recall 1.000, precision 1.000; in the
same run datasketch 32 x 8 with verification 7 MB/s (.987, 1.000) and rensa's inline deduper 27 MB/s (.948, 1.000).
Rejected: all signatures in one `MinHashLSH` (15 kB and 0.2 ms a document, in one process); union of all that share a band, as
BigCode and text-dedup do (precision .77 to .92); datasketch's permutations (see `text/shingles.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import GlobalStage, Sketches, Texts, write_verdicts
from minisc.filters.banding import ShingleFile, components
from minisc.filters.base import KEEPER_FIELDS, Mask, Rows, elsewhere, keeper_columns, keeper_identity, keeper_rank, within
from minisc.text.shingles import LARGEST_SIGNATURE, jaccard, shingles, signature, signatures

if TYPE_CHECKING:
    from datasketch import LeanMinHash

NEAR_DUPLICATE = "near_duplicate"
CLUSTERS = pa.schema([("kept", pa.string()), ("uid", pa.string()), ("jaccard", pa.float64())])
_TEXT_CHARACTERS = 4 * 1024 * 1024  # of candidates shingled at once
_INDEX_DOCUMENTS = 4_000  # of whole components in one index: opening one a component would cost more than using it


@dataclass(frozen=True, kw_only=True)
class NearDup(GlobalStage):
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (NEAR_DUPLICATE,)
    compares: ClassVar[bool] = True

    threshold: float
    num_perm: int
    bands: int
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.threshold, 0.1, 1, "filters.near_dup.threshold")
        within(self.expected_drop, 0, 1, "filters.near_dup.expected_drop")
        if self.num_perm & (self.num_perm - 1) or not 16 <= self.num_perm <= LARGEST_SIGNATURE:
            where = f"filters.near_dup.num_perm={self.num_perm}"
            raise UserError(
                f"num_perm is not a power of two from 16 to {LARGEST_SIGNATURE}", where=where, do="filters.near_dup.num_perm=256"
            )
        if not 2 <= self.bands <= self.num_perm:
            where = f"filters.near_dup.bands={self.bands}"
            raise UserError(f"there have to be from 2 to num_perm={self.num_perm} bands", where=where, do="filters.near_dup.bands=42")

    def identity(self) -> Mapping[str, str]:
        return keeper_identity()

    @property
    def rows(self) -> int:
        return self.num_perm // self.bands

    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        minima = signatures([doc.text for doc in docs], self.num_perm)
        schema = pa.schema([*KEEPER_FIELDS, ("signature", pa.binary(4 * self.num_perm))])
        return pa.Table.from_pydict(
            {**keeper_columns(docs), "signature": [None if one is None else one.tobytes() for one in minima]}, schema=schema
        )

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        keys = pa.concat_tables([table.drop_columns(["signature"]) for table in sketches])
        rank = keeper_rank(keys)
        uids = keys["uid"].combine_chunks()
        own = ~elsewhere(uids)
        del keys
        label = components(sketches, len(uids), self.bands, self.rows)
        candidates = _joined(label, own)
        with ShingleFile(found) as file:
            _read_shingles(file, candidates, uids, texts)
            fallen = sorted(self._fallen(file, _groups(candidates, label, rank), rank, own))
        self._write(found, uids, fallen)

    def _fallen(self, file: ShingleFile, groups: Iterator[list[int]], rank: Rows, own: Mask) -> Iterator[tuple[int, int, float]]:
        """(row, row of its kept twin, their Jaccard similarity); `groups`: whole components, each in keeper order; `own`: who may fall."""
        from datasketch import MinHashLSH  # 1 to 2 s: only who resolves pays

        for group in groups:
            index = MinHashLSH(num_perm=self.bands * self.rows, params=(self.bands, self.rows))
            for row in group:
                if row not in file or not file.size(row):
                    continue
                hashes = file.get(row)
                sketch = _as_minhash(signature(hashes, self.num_perm)[: self.bands * self.rows])
                twin = self._kept_twin(file, hashes, sorted(index.query(sketch), key=rank.__getitem__)) if own[row] else None
                if twin:
                    yield (row, *twin)
                else:
                    index.insert(row, sketch, check_duplication=False)

    def _kept_twin(self, file: ShingleFile, hashes: npt.NDArray[np.uint64], proposed: Sequence[int]) -> tuple[int, float] | None:
        """The first of the proposed rows that is near enough, and how near."""
        for row in proposed:
            smaller, larger = sorted((len(hashes), file.size(row)))
            if smaller / larger < self.threshold:
                continue  # the similarity cannot exceed the ratio of the sizes
            similarity = jaccard(hashes, file.get(row))
            if similarity >= self.threshold:
                return row, similarity
        return None

    @staticmethod
    def _write(found: Path, uids: pa.Array, fallen: Sequence[tuple[int, int, float]]) -> None:
        names = uids.take(pa.array([row for row, _, _ in fallen], pa.int64())).to_pylist()
        kept = uids.take(pa.array([twin for _, twin, _ in fallen], pa.int64())).to_pylist()
        near = [similarity for _, _, similarity in fallen]
        rows = zip(names, kept, near, strict=True)
        write_verdicts(found, ((uid, NEAR_DUPLICATE, {"of": of, "jaccard": round(similarity, 4)}) for uid, of, similarity in rows))
        table = pa.Table.from_pydict({"kept": kept, "uid": names, "jaccard": near}, schema=CLUSTERS)
        pq.write_table(
            table.take(pc.sort_indices(table, sort_keys=[("kept", "ascending"), ("uid", "ascending")])), found / "clusters.parquet"
        )


def _as_minhash(minima: npt.NDArray[np.uint32]) -> LeanMinHash:
    """A signature as datasketch's index takes it; the scheme's name only says that the minima have 32 bits."""
    from datasketch import LeanMinHash

    return LeanMinHash(seed=0, hashvalues=minima, scheme="affine32")


def _joined(label: Rows, own: Mask) -> Rows:
    """The rows that are not alone in their component, ascending; a component without own documents has nobody who may fall."""
    several = np.bincount(label, minlength=len(label)) > 1
    with_own = np.bincount(label[own], minlength=len(label)) > 0
    return np.flatnonzero((several & with_own)[label])


def _groups(candidates: Rows, label: Rows, rank: Rows) -> Iterator[list[int]]:
    """Whole components, a few at a time, the rows of each in keeper order."""
    order = candidates[np.lexsort((rank[candidates], label[candidates]))]
    borders = [*np.flatnonzero(np.diff(label[order], prepend=-1)).tolist(), len(order)]
    start = 0
    for border, following in pairwise(borders):
        if following - start > _INDEX_DOCUMENTS and border > start:
            yield order[start:border].tolist()
            start = border
    if start < len(order):
        yield order[start:].tolist()


def _read_shingles(file: ShingleFile, candidates: Rows, uids: pa.Array, texts: Texts) -> None:
    """One pass over the corpus: the shingles of all candidates into the file."""
    wanted = uids.take(pa.array(candidates)).to_pylist()
    rows = dict(zip(wanted, candidates.tolist(), strict=True))
    batch: list[Doc] = []
    held = 0
    for doc in texts(wanted):
        batch.append(doc)
        held += len(doc.text)
        if held >= _TEXT_CHARACTERS:
            _add(file, rows, batch)
            batch, held = [], 0
    _add(file, rows, batch)


def _add(file: ShingleFile, rows: dict[str, int], batch: Sequence[Doc]) -> None:
    for doc, hashes in zip(batch, shingles([doc.text for doc in batch]), strict=True):
        file.add(rows[doc.uid], hashes)
