"""The part of an export that some root directories reach: every directory once, read set-wise.

In: an export and the ids of root directories. Out: a `Graph`: the reached directories as small integers, their
sub-directories and their wanted files as two lists of lists (CSR), with names, modes and targets beside.
Method: the Merkle DAG shares directories between repositories and commits, so the walk asks level by level for the whole
frontier at once and sees each directory once; paths come later (`expand.py`). Each column of the export is read once, from
its beginning to its end, and only what is reached is kept:

    directory.id, .dir_entries + directory_entry_dir.id, .target      all in memory, for the walk
    directory.file_entries, .rev_entries                              streamed, rows of reached directories kept
    directory_entry_file (all columns)                                streamed, rows of kept entries with a wanted name kept
    content, skipped_content                                          streamed, rows of kept targets kept

Price in memory: about 40 bytes a directory of the export, 4 to 8 an edge between directories, 40 a directory entry row, and
what is reached. Files' edges, nine tenths of an export, are never held. Rejected: joins in a data-frame library (each level
scans the tables again, and lists must be exploded to be joined); following one directory at a time (a scan for each).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from minisc.source.swh_graph.arrays import read_arrays
from minisc.source.swh_graph.columns import ID_BYTES
from minisc.source.swh_graph.export import Batch, Export
from minisc.source.swh_graph.graph import DANGLING, FOUND, SKIPPED, Graph, Proofs, Sample, Walked, Wanted
from minisc.source.swh_graph.ids import ABSENT, IdIndex, unique_ids
from minisc.source.swh_graph.relational import read_relational


def read_graph(export: Export, roots: np.ndarray, wanted: Wanted, sample: Sample | None = None) -> tuple[Graph, Proofs]:
    """Walk an export from `roots` ((m, 20) ids). `sample` picks reached directories whose full entries are kept for a proof."""
    read = read_relational if export.relational else read_arrays
    found = read(export, unique_ids(roots), wanted, sample)
    return _with_contents(export, found), found.proofs


def _with_contents(export: Export, found: Walked) -> Graph:
    """Look the targets of kept files up in content and skipped_content."""
    blobs = IdIndex(found.file_entries.targets)
    first = blobs.find(found.file_entries.targets)  # rows with the same target share what is known of it
    sha1, size = np.zeros((len(blobs), ID_BYTES), np.uint8), np.full(len(blobs), -1, np.int64)
    state = np.full(len(blobs), DANGLING, np.int8)
    for table, code in (("skipped_content", SKIPPED), ("content", FOUND)):  # a content that was fetched later wins
        if table == "skipped_content" and not export.has(table):
            continue
        for rows, own_sha1, own_size in export.map(
            table, {"sha1_git": "ids", "sha1": "ids", "length": "integers"}, lambda batch: _found(blobs, batch)
        ):
            sha1[rows], size[rows], state[rows] = own_sha1, own_size, code
    own = first == np.arange(len(first))
    unique = Counter({"unique_files": int(own.sum()), "unique_bytes": int(size[own & (state == FOUND) & (size > 0)].sum())})
    return Graph(
        ids=found.ids, dirs=found.dirs, dir_entries=found.dir_entries, to=found.to, files=found.files, file_entries=found.file_entries,
        sha1=sha1[first], size=size[first], state=state[first], all_files=found.all_files, submodules=found.submodules, counts=found.counts + unique,
    )  # fmt: skip


def _found(blobs: IdIndex, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `blobs` that the batch tells of, with their SHA-1 and length."""
    git, there = batch["sha1_git"]
    rows = np.where(there, blobs.find(git), ABSENT)
    hit = rows != ABSENT
    return rows[hit], batch["sha1"][0][hit], np.maximum(batch["length"][hit], -1)
