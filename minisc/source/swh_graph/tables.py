"""What people take away from a listing: two tables of plain columns and the counts, laid beside the documents.

In: the rows that `collect` wrote. Out, in its artifact:

    listing.parquet   a row a file: repo_url, path, name, sha1_git, sha1, length, perms, role, reason (null: can be downloaded), origin_type,
                      branch, revision, visit_date, and SWHIDs of content, directory, revision and snapshot; `path_bytes` as archived
    blobs.parquet     a row a content that can be downloaded, however many files hold it: sha1_git, sha1, length, files
    counts.json       how many origins were passed over, by kind and reason; directories, submodules, what was cut, what was proved

Guarantees: no file and no content is missing or twice; the same rows give the same bytes.
Price: each row is read once; 150 bytes a file in memory while contents are counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable

TEXT = pa.string()
LISTING = pa.schema(
    [
        ("repo_url", TEXT), ("path", TEXT), ("name", TEXT), ("path_bytes", pa.binary()), ("sha1_git", TEXT), ("sha1", TEXT), ("length", pa.int64()),
        ("perms", pa.int32()), ("role", TEXT), ("reason", TEXT), ("origin_type", TEXT), ("branch", TEXT), ("revision", TEXT),
        ("visit_date", pa.timestamp("s", "UTC")), ("swhid_content", TEXT), ("swhid_directory", TEXT), ("swhid_revision", TEXT), ("swhid_snapshot", TEXT),
    ]
)  # fmt: skip
BLOBS = pa.schema([("sha1_git", TEXT), ("sha1", TEXT), ("length", pa.int64()), ("files", pa.int64())])
LISTING_NAME, BLOBS_NAME, COUNTS_NAME = "listing.parquet", "blobs.parquet", "counts.json"


def write_tables(parts: Sequence[tuple[Path, Path]], folder: Path) -> dict[str, int]:
    """Both tables from (kept, dropped) parts; returns what they hold: python_files, unique_contents, unique_bytes."""
    blobs = _Blobs()
    python = 0
    with durable.write(folder / LISTING_NAME) as temporary, pq.ParquetWriter(temporary, LISTING, compression="zstd") as writer:
        for table in _by_path(parts):
            listed = _listed(table)
            python += pc.sum(pc.equal(listed["role"], "code")).as_py() or 0
            blobs.add(listed.filter(pc.is_null(listed["reason"])))
            writer.write_table(listed)
    unique = blobs.table()
    with durable.write(folder / BLOBS_NAME) as temporary:
        pq.write_table(unique, temporary, compression="zstd")
    return {"python_files": python, "unique_contents": len(unique), "unique_bytes": pc.sum(unique["length"]).as_py() or 0}


def write_counts(counts: Mapping[str, int | str], folder: Path) -> None:
    durable.write_json(folder / COUNTS_NAME, dict(sorted(counts.items())))


def _by_path(parts: Sequence[tuple[Path, Path]]) -> Iterator[pa.Table]:
    """Each part's rows, kept and dropped together, by repository and path as they were before `collect` put them apart."""
    for both in parts:
        whole = pa.concat_tables([pq.read_table(path, columns=list(_COLUMNS)) for path in both])
        yield whole.sort_by([("repo", "ascending"), ("path", "ascending"), ("sha1_git", "ascending")])


_COLUMNS = ("repo", "path", "path_text", "sha1_git", "sha1", "size", "kind", "reason", "revision", "directory", "notes")


def _listed(table: pa.Table) -> pa.Table:
    """Rows of documents as rows of `LISTING`."""
    notes = [{key: json.loads(value) for key, value in own} for own in table["notes"].to_pylist()]

    def noted(name: str) -> list[Any]:
        return [own.get(name) for own in notes]

    def swhid(kind: str, column: str) -> pa.Array:
        return pc.binary_join_element_wise(f"swh:1:{kind}:", table[column], "")

    columns = {
        "repo_url": table["repo"], "path": table["path_text"], "name": [path.rpartition("/")[2] for path in table["path_text"].to_pylist()],
        "path_bytes": table["path"], "sha1_git": table["sha1_git"], "sha1": table["sha1"], "length": table["size"],
        "perms": [int(perms, 8) for perms in noted("perms")], "role": table["kind"], "reason": table["reason"], "origin_type": noted("origin_type"),
        "branch": noted("branch"), "revision": table["revision"], "visit_date": noted("visit_date"), "swhid_content": swhid("cnt", "sha1_git"),
        "swhid_directory": swhid("dir", "directory"), "swhid_revision": swhid("rev", "revision"), "swhid_snapshot": noted("snapshot"),
    }  # fmt: skip
    arrays = [
        values.combine_chunks().cast(field.type) if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
        for field, values in ((field, columns[field.name]) for field in LISTING)
    ]
    return pa.table(arrays, schema=LISTING)


class _Blobs:
    """Contents, each once, with the number of files that hold it."""

    def __init__(self) -> None:
        self._rows = [BLOBS.empty_table().select(["sha1_git", "sha1", "length"])]

    def add(self, listed: pa.Table) -> None:
        self._rows.append(listed.select(["sha1_git", "sha1", "length"]))

    def table(self) -> pa.Table:
        """By sha1_git."""
        whole = pa.concat_tables(self._rows).combine_chunks()
        counted = whole.group_by(["sha1_git", "sha1", "length"]).aggregate([([], "count_all")]).rename_columns(BLOBS.names)
        return counted.sort_by("sha1_git").cast(BLOBS)
