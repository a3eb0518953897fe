"""The manifest of the training documents: one row a kept document, and what they add up to.

In: the kept parts of a `documents` artifact. Out: `training_documents.parquet` (no text: repository, path, revision, license,
its evidence, SWHID, size, split, source), and the counts that a data card tells: sources, licenses, splits, findings of
personal data. Read and written a row group at a time.
The SWHID is that of the original bytes in the Software Heritage archive: whoever has it gets the file, its license and its
history from there (https://archive.softwareheritage.org/<swhid>). Where curation changed a text (personal data replaced,
for one) the notes of the row say so: the model read the changed one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable
from minisc.core.parts import COMPRESSION

FILE = "training_documents.parquet"
COLUMNS = ("uid", "source", "repo", "revision", "path_text", "license", "license_evidence", "size", "split", "kind")
SCHEMA = pa.schema(
    [("swhid", pa.string()), *((name, pa.int64() if name == "size" else pa.string()) for name in COLUMNS), ("changed", pa.bool_())]
)
_READ = ["sha1_git", *COLUMNS, "notes"]


@dataclass
class Counts:
    """What the kept documents add up to; `pii` by kind, in findings; the others (documents, bytes)."""

    documents: int = 0
    bytes: int = 0
    without_swhid: int = 0
    changed: int = 0
    pii: Counter[str] = field(default_factory=Counter)
    by: dict[str, dict[str | None, tuple[int, int]]] = field(default_factory=dict)  # column -> value -> (documents, bytes)

    def share(self, column: str) -> list[tuple[str | None, int, int]]:
        """(value, documents, bytes) of a column, the largest first."""
        rows = [(value, *both) for value, both in self.by.get(column, {}).items()]
        return sorted(rows, key=lambda row: (-row[2], str(row[0])))


_COUNTED = ("source", "license", "split", "repo")


def write_manifest(parts: Sequence[Path], target: Path) -> Counts:
    """Write the manifest of all kept documents, whole or not at all, and return the counts."""
    counts = Counts()
    with durable.write(target) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression=COMPRESSION) as writer:
        for table in _tables(parts):
            notes = [dict(one or ()) for one in table["notes"].to_pylist()]
            changed = [("pii" in one) for one in notes]
            swhid = pc.binary_join_element_wise("swh:1:cnt:", table["sha1_git"], "", null_handling="emit_null")
            columns = [swhid, *(table[name] for name in COLUMNS), pa.array(changed, pa.bool_())]
            writer.write_table(pa.table(columns, schema=SCHEMA))
            _count(counts, table, notes, changed)
    return counts


def _tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    for path in parts:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=_READ)


def _count(counts: Counts, table: pa.Table, notes: Sequence[dict[str, str]], changed: Sequence[bool]) -> None:
    counts.documents += len(table)
    counts.bytes += pc.sum(table["size"]).as_py() or 0
    counts.without_swhid += table["sha1_git"].null_count
    counts.changed += sum(changed)
    for one in notes:
        counts.pii.update(_findings(one.get("pii")))
    for column in _COUNTED:
        known = counts.by.setdefault(column, {})
        for row in table.group_by([column]).aggregate([("size", "sum"), ([], "count_all")]).to_pylist():
            documents, size = known.get(row[column], (0, 0))
            known[row[column]] = (documents + row["count_all"], size + (row["size_sum"] or 0))


def _findings(noted: str | None) -> dict[str, int]:
    """Counts by kind from the note of the filter `pii`; a note of another form counts as one finding without a kind."""
    if noted is None:
        return {}
    found: Any = json.loads(noted)
    return {str(kind): int(count) for kind, count in found.items()} if isinstance(found, dict) else {"unnamed": 1}
