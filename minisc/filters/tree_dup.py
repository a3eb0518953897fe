"""Of file trees that share most of their contents one is kept: forks, and libraries that were copied into other repositories.

In: repository, folder and a hash of the text of each document. Out: the documents of a copied tree that the other repository holds, with

    fork            the tree is a whole repository
    vendored_copy   the tree is a folder of one, at most `depth` folders deep

as reason and `{"of": uid, "repo": name, "tree": "pip/_vendor/rich", "overlap": 0.97}` in the notes; `copies.parquet` lists the trees.
Guarantees: a document falls only for one of the same text that is kept, in the repository that is named; so no text is lost. What a
copy has of its own (a fork's changes) stays, for `exact_dup` and `near_dup` to judge.
Who is kept: the better license class; then the tree that is most of its own repository (the library itself, though what carries a copy
of it has more stars); then stars, newest date, name of the repository.
What for: `exact_dup` chooses a keeper for each text alone and scatters a copied library over several repositories, which breaks the
context of a whole repository in training. So `tree_dup` stands before `exact_dup`.
Price: 1 GB/s for the hashes; `resolve` holds about 250 bytes a document. Not for: copies whose every file was touched (imports rewritten).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core.document import JSON, Doc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.stage import GlobalStage, Sketches, Texts, write_verdicts
from minisc.filters.base import KEEPER_FIELDS, Rows, keeper_columns, keeper_identity, keeper_rank, within
from minisc.filters.trees import Copy, Forest

FORK, VENDORED_COPY = "fork", "vendored_copy"
_SKETCH = pa.schema([*KEEPER_FIELDS, ("repo", pa.string()), ("folder", pa.string()), ("content", pa.uint64()), ("characters", pa.int64())])
COPIES = pa.schema([
    ("repo", pa.string()), ("tree", pa.string()), ("of", pa.string()), ("overlap", pa.float64()), ("documents", pa.int64()),
])  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TreeDup(GlobalStage):
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (FORK, VENDORED_COPY)

    threshold: float
    min_files: int
    min_characters: int
    depth: int
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.threshold, 0.5, 1, "filters.tree_dup.threshold")
        within(self.depth, 0, 100, "filters.tree_dup.depth")
        within(self.expected_drop, 0, 1, "filters.tree_dup.expected_drop")
        for name, least in (("min_files", 1), ("min_characters", 0)):
            if getattr(self, name) < least:
                where = f"filters.tree_dup.{name}={getattr(self, name)}"
                raise UserError(f"{name} is at least {least}", where=where, do=f"filters.tree_dup.{name}={least}")

    def identity(self) -> Mapping[str, str]:
        return keeper_identity()

    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        columns = {
            **keeper_columns(docs),
            "repo": [doc.repo for doc in docs],
            "folder": [doc.path_text.rpartition("/")[0] for doc in docs],
            "content": [_content(doc.text) for doc in docs],
            "characters": [len(doc.text) for doc in docs],
        }
        return pa.Table.from_pydict(columns, schema=_SKETCH)

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        keys = pa.concat_tables(_coded(table) for table in sketches).unify_dictionaries()
        repo, names = _numbered(keys["repo"])
        folder, folders = _numbered(keys["folder"])
        content = np.unique(keys["content"].to_numpy(), return_inverse=True)[1].astype(np.int64)
        order = np.lexsort((_ranks(keys["uid"]), content, repo))
        best, license_rank = _repositories(keys, repo, len(names))
        forest = Forest(
            repo[order], content[order], folder[order], (keys["characters"].to_numpy() >= self.min_characters)[order], folders, best, license_rank,
            depth=self.depth, min_files=self.min_files, threshold=self.threshold,
        )  # fmt: skip
        copies = list(forest.copies())
        write_verdicts(found, _verdicts(copies, keys["uid"].take(pa.array(order)), names))
        _write_copies(found, copies, names)


def _content(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little")


def _coded(table: pa.Table) -> pa.Table:
    for name in ("repo", "folder"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    return table


def _numbered(column: pa.ChunkedArray) -> tuple[Rows, list[str]]:
    """For each row the place of its value among the sorted values, and these."""
    values = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.string())
    codes = np.concatenate([np.asarray(chunk.indices, np.int64) for chunk in column.chunks] or [np.empty(0, np.int64)])
    return _ranks(values)[codes], sorted(values.to_pylist(), key=str.encode)


def _ranks(values: pa.Array | pa.ChunkedArray) -> Rows:
    """For each value its place in the order of all of them, by bytes."""
    order = pc.sort_indices(values).to_numpy().astype(np.int64)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _repositories(keys: pa.Table, repo: Rows, count: int) -> tuple[Rows, Rows]:
    """Of each repository its place in keeper order and its license class: by its worst license, most stars, newest date, and name."""
    table = pa.table({"repo": repo, **{name: keys[name] for name in ("license_rank", "stars", "date")}})
    told = table.group_by("repo").aggregate([("license_rank", "max"), ("stars", "max"), ("date", "max")]).sort_by("repo")
    names = {f"{name}_max": name for name in ("license_rank", "stars", "date")}
    told = told.rename_columns([names.get(name, name) for name in told.column_names])
    told = told.append_column("uid", pa.array([f"{number:012d}" for number in range(count)], pa.string()))
    return keeper_rank(told), told["license_rank"].to_numpy().astype(np.int64)


def _verdicts(copies: Sequence[Copy], uids: pa.ChunkedArray, names: Sequence[str]) -> Iterator[tuple[str, str, Mapping[str, JSON]]]:
    for copy in copies:
        notes: dict[str, JSON] = {"repo": names[copy.of], "tree": copy.tree, "overlap": round(copy.overlap, 4)}
        reason = VENDORED_COPY if copy.tree else FORK
        for uid, of in zip(uids.take(pa.array(copy.rows)).to_pylist(), uids.take(pa.array(copy.twins)).to_pylist(), strict=True):
            yield uid, reason, {"of": of, **notes}


def _write_copies(found: Path, copies: Sequence[Copy], names: Sequence[str]) -> None:
    rows = [(names[copy.repo], copy.tree, names[copy.of], copy.overlap, len(copy.rows)) for copy in copies]
    table = pa.Table.from_pylist([dict(zip(COPIES.names, row, strict=True)) for row in sorted(rows)], schema=COPIES)
    pq.write_table(table, found / "copies.parquet")
