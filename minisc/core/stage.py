"""The stage: one decision about documents, of one shape, wherever it runs.

In: documents. Out: one `Verdict` a document, in order; rows in = rows out. `apply` is the one adapter, for local parts, for
Ray Data and for tests. A stage is a frozen dataclass of settings (picklable, comparable, cheap to build); what is expensive
is loaded by `open`, once a worker. The interface is per document, the work need not be: a judge may turn its batch into
Arrow, numpy or one subprocess.

A `GlobalStage` has to have seen everything: `sketch` runs in parallel and writes small keys, `resolve` reads all of them in
one place and writes verdicts into a folder, `open(found)` then judges from that folder.

Rejected: a boolean mask (the reason is lost); a stage that yields fewer rows (ids and resume then need bookkeeping of ±1);
counters inside the stage (they double when a worker is tried again).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import pyarrow as pa
import pyarrow.parquet

from minisc.core.document import ELSEWHERE, JSON, Doc, docs_of, note, slices
from minisc.core.errors import UserError


@dataclass(frozen=True, slots=True)
class Verdict:
    """`Verdict()` keeps a document untouched."""

    drop: str = ""  # a reason from the stage's `reasons`
    text: str | None = None  # replacement text
    notes: Mapping[str, JSON] = field(default_factory=dict)
    license: str | None = None  # a license found by the stage, with its evidence
    license_evidence: str | None = None


KEEP = Verdict()
Judge = Callable[[Sequence[Doc]], list[Verdict]]


@dataclass(frozen=True, kw_only=True)
class Stage(ABC):
    """A filter or a downloader. Subclasses are frozen dataclasses with `version` and `reasons`."""

    version: ClassVar[int]
    reasons: ClassVar[tuple[str, ...]] = ()
    private: ClassVar[bool] = False  # True: no sample of a dropped text is kept (malware, optout, pii, license)
    kinds: ClassVar[tuple[str, ...]] = ()  # kinds of documents that it judges; empty: all
    writes: ClassVar[tuple[str, ...]] = ()  # notes that a filter behind it may read
    reads: ClassVar[tuple[str, ...]] = ()  # notes that it needs of the filters before it, or of the source
    max_workers: ClassVar[int | None] = None  # 1 where an allowance or a daemon is shared
    expected_drop: ClassVar[float] = 1.0  # share of documents above which a run warns

    def identity(self) -> Mapping[str, str]:
        """State outside our settings that changes a result (rule files, versions); enters the fingerprint."""
        return {}

    def remarks(self) -> Sequence[str]:
        """What a person should know of these settings before they run: said in the plan, warned of by the run."""
        return ()

    @abstractmethod
    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        """Load what is expensive, once a worker; `found` is what a global stage's `resolve` wrote."""


class Texts(Protocol):
    """Streams kept documents by uid, part after part, in the order of the corpus; unknown uids are left out."""

    def __call__(self, uids: Iterable[str]) -> Iterator[Doc]: ...


class Sketches(Protocol):
    """Re-readable sketch tables, part after part, in the order of the corpus."""

    def __iter__(self) -> Iterator[pa.Table]: ...


@dataclass(frozen=True, kw_only=True)
class GlobalStage(Stage):
    """A stage that has to have seen everything before it can judge anything.

    With `compares`, the documents of the corpora in `inputs.against` are sketched too and come before the own ones, in `sketches` and
    in `texts`. Their uids are `<fingerprint>/<uid>` (`document.are_elsewhere`); notes may name them, a verdict on them is a mistake.
    """

    compares: ClassVar[bool] = False

    @abstractmethod
    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        """One row a document, `uid` first, small keys after it. Runs in parallel."""

    @abstractmethod
    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        """Write `found/verdicts.parquet` (see `write_verdicts`) and any side tables. Deterministic, may be killed."""

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        assert found is not None, "a global stage is opened with what its resolve() found"
        return nullcontext(_FoundVerdicts(found))


VERDICTS = pa.schema([("uid", pa.string()), ("drop", pa.string()), ("notes", pa.map_(pa.string(), pa.string()))])


def write_verdicts(found: Path, rows: Iterable[tuple[str, str, Mapping[str, JSON]]]) -> None:
    """What `resolve` decided: (uid, reason or '', notes). Documents without a row are kept untouched."""
    listed = [{"uid": uid, "drop": drop, "notes": [(key, note(value)) for key, value in notes.items()]} for uid, drop, notes in rows]
    assert not any(ELSEWHERE in row["uid"] for row in listed), "a document of another corpus was judged"
    pa.parquet.write_table(pa.Table.from_pylist(listed, schema=VERDICTS), found / "verdicts.parquet")


class _FoundVerdicts:
    """The judge of a global stage: looks each uid up in what `resolve` wrote."""

    def __init__(self, found: Path) -> None:
        table = pa.parquet.read_table(found / "verdicts.parquet")
        self._drop = dict(zip(table["uid"].to_pylist(), table["drop"].to_pylist(), strict=True))
        self._notes = {uid: dict(notes) for uid, notes in zip(table["uid"].to_pylist(), table["notes"].to_pylist(), strict=True) if notes}

    def __call__(self, docs: Sequence[Doc]) -> list[Verdict]:
        return [
            Verdict(drop=self._drop[doc.uid], notes=RawNotes(self._notes.get(doc.uid, {}))) if doc.uid in self._drop else KEEP
            for doc in docs
        ]


class RawNotes(dict[str, str]):
    """Notes whose values are JSON text already."""


Opened = Sequence[tuple[str, Stage, Judge]]
BATCH_DOCUMENTS, BATCH_BYTES = 1024, 8 * 1024 * 1024  # changes speed and memory, never a result


def apply(opened: Opened, table: pa.Table, on_drop: Callable[[str, Doc, str], None] | None = None) -> pa.Table:
    """Judge a table by the opened stages in order: the same rows, with verdicts. `on_drop(stage, doc, reason)` sees each drop.

    Raises `StageFailed`, naming stage, uid and path, when a judge raises or breaks its word.
    """
    if not len(table) or not opened:
        return table
    return pa.concat_tables([_apply_batch(opened, batch, on_drop) for batch in slices(table, BATCH_DOCUMENTS, BATCH_BYTES)])


class StageFailed(RuntimeError):
    """A stage raised where it owed a verdict: our mistake, or the machine's; never a drop."""


@dataclass(slots=True)
class _State:
    """What happened to one row on its way through the stages of a segment."""

    doc: Doc
    changed: bool = False
    dropped_by: str | None = None
    reason: str | None = None


def _apply_batch(opened: Opened, table: pa.Table, on_drop: Callable[[str, Doc, str], None] | None) -> pa.Table:
    rows = [row for row, kept in enumerate(table["dropped_by"].is_null().to_pylist()) if kept]
    states = {row: _State(doc) for row, doc in zip(rows, docs_of(table), strict=True)}
    for name, stage, judge in opened:
        live = [state for state in states.values() if state.dropped_by is None and (not stage.kinds or state.doc.kind in stage.kinds)]
        for state, verdict in zip(live, _judge(name, stage, judge, [state.doc for state in live]), strict=True):
            if verdict.drop and on_drop:
                on_drop(name, state.doc, verdict.drop)
            _take(name, state, verdict)
    return _rebuilt(table, states)


def _judge(name: str, stage: Stage, judge: Judge, docs: list[Doc]) -> list[Verdict]:
    if not docs:
        return []
    try:
        verdicts = judge(docs)
    except UserError:
        raise  # what a person can mend (a daemon that died) has its three parts already
    except Exception as error:
        raise _blame(name, judge, docs, error) from error
    unknown = {verdict.drop for verdict in verdicts} - {"", *stage.reasons}
    if len(verdicts) != len(docs) or unknown:
        raise StageFailed(
            f"stage {name!r} returned {len(verdicts)} verdicts for {len(docs)} documents, undeclared reasons: {sorted(unknown)}"
        )
    return verdicts


def _blame(name: str, judge: Judge, docs: list[Doc], error: Exception) -> Exception:
    """Find the document that a judge stumbles over by asking for them one by one."""
    for doc in docs:
        try:
            judge([doc])
        except Exception as alone:
            return StageFailed(f"stage {name!r} failed on uid {doc.uid}, {doc.repo}:{doc.path_text}: {type(alone).__name__}: {alone}")
    return StageFailed(
        f"stage {name!r} failed on a batch of {len(docs)} documents from uid {docs[0].uid} on, but on none alone: {type(error).__name__}: {error}"
    )


def _take(name: str, state: _State, verdict: Verdict) -> None:
    if verdict is KEEP:
        return
    doc = state.doc
    raw = isinstance(verdict.notes, RawNotes)
    notes = {**doc.notes, **{key: value if raw else note(value) for key, value in verdict.notes.items()}}
    changes: dict[str, object] = {"notes": notes}
    if verdict.text is not None:
        changes["text"] = verdict.text
    if verdict.license is not None:
        changes |= {"license": verdict.license, "license_evidence": verdict.license_evidence}
    state.doc = _replaced(doc, changes)
    state.changed = True
    if verdict.drop:
        state.dropped_by, state.reason = name, verdict.drop


def _replaced(doc: Doc, changes: Mapping[str, object]) -> Doc:
    return Doc(**{name: changes.get(name, getattr(doc, name)) for name in Doc.__dataclass_fields__})  # type: ignore[arg-type]


_CHANGING = ("text", "license", "license_evidence", "notes", "dropped_by", "reason")


def _rebuilt(table: pa.Table, states: Mapping[int, _State]) -> pa.Table:
    """The table with the columns that verdicts can change written anew; rows that were dropped before stay as they were."""
    changed = {row: state for row, state in states.items() if state.changed}
    if not changed:
        return table
    columns = {name: table[name].to_pylist() for name in _CHANGING}
    for row, state in changed.items():
        columns["text"][row] = None if state.dropped_by else state.doc.text
        columns["license"][row], columns["license_evidence"][row] = state.doc.license, state.doc.license_evidence
        columns["notes"][row] = list(state.doc.notes.items())
        columns["dropped_by"][row], columns["reason"][row] = state.dropped_by, state.reason
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, type=table.schema.field(at).type))
    return table
