"""Runs one stage on rows, as a curation would: for tests of filters and of the laws that hold for every stage.

    table = run_stage(stage, [row(text="x = 1\n", license="MIT")])
    reasons(table)     {"uid-0": ""}

A global stage is sketched batch by batch, resolved into `folder`, opened with what it found; the texts come from memory, in
the order of the rows, which is what `core.stage.Texts` promises.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from minisc.core.document import Doc, docs_of, slices, table_of
from minisc.core.stage import GlobalStage, Stage, apply

STAGE = "stage"  # the name under which `run_stage` runs a stage: it stands in `dropped_by`


def row(text: str = "x = 1\n", **fields: Any) -> dict[str, Any]:
    """A kept row of the document schema; `uid` is derived from text and fields unless given."""
    raw = text.encode("utf-8", "surrogatepass")
    uid = hashlib.sha256(repr((text, sorted(fields.items()))).encode("utf-8", "backslashreplace")).hexdigest()[:32]
    known = {"uid": uid, "kind": "code", "source": "test", "repo": "test/repo", "path": b"a.py", "path_text": "a.py", "split": "train"}
    return {**known, "text": text, "size": len(raw), **fields}


def rows_of(texts: Iterable[str], **fields: Any) -> list[dict[str, Any]]:
    """Rows with the uids uid-0, uid-1, …"""
    return [row(text, uid=f"uid-{number}", **fields) for number, text in enumerate(texts)]


class MemoryTexts:
    """`core.stage.Texts` over a table in memory; `asked` counts the uids that were asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table, self.asked = table, 0

    def __call__(self, uids: Iterable[str]) -> Iterator[Doc]:
        wanted = set(uids)
        self.asked += len(wanted)
        return (doc for doc in docs_of(self._table) if doc.uid in wanted)


def resolve(stage: GlobalStage, table: pa.Table, folder: Path, batch: int = 1024) -> MemoryTexts:
    """Sketch a table in batches of so many documents and resolve into `folder`."""
    texts = MemoryTexts(table)
    judged = ([doc for doc in docs_of(piece) if not stage.kinds or doc.kind in stage.kinds] for piece in slices(table, batch, 1 << 40))
    sketches: Sequence[pa.Table] = [stage.sketch(docs) for docs in judged] or [stage.sketch([])]
    stage.resolve(sketches, texts, folder)
    return texts


def run_stage(stage: Stage, rows: Sequence[Mapping[str, Any]], folder: Path | None = None, batch: int = 1024) -> pa.Table:
    """The rows after the stage: the same rows, with verdicts. `folder` keeps what a global stage found; `batch` must not matter."""
    table = table_of(rows)
    with tempfile.TemporaryDirectory() as temporary:
        found = folder or Path(temporary)
        if isinstance(stage, GlobalStage):
            resolve(stage, table, found, batch)
        with stage.open(found if isinstance(stage, GlobalStage) else None) as judge:
            pieces = [apply([(STAGE, stage, judge)], piece) for piece in slices(table, batch, 1 << 40)]
    return pa.concat_tables(pieces) if pieces else table


def reasons(table: pa.Table) -> dict[str, str]:
    """uid -> reason, '' where the document is kept."""
    return dict(zip(table["uid"].to_pylist(), (reason or "" for reason in table["reason"].to_pylist()), strict=True))


def notes(table: pa.Table) -> dict[str, dict[str, str]]:
    """uid -> its notes, values as JSON text."""
    return dict(zip(table["uid"].to_pylist(), (dict(told or ()) for told in table["notes"].to_pylist()), strict=True))
