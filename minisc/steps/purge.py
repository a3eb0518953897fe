"""purge: a finished corpus without what its owners want out of it, made without running anything again.

In: documents, and a filter that says who goes: the opt-out lists. Out: documents: the listed ones as dropped rows (`dropped_by` is
`optout`, text gone), all other rows as they were; the waterfall, the attribution and the samples made anew; the tables of the filters as
they were (they hold uids, no texts).
Guarantees: a part in which nobody is listed is copied byte by byte; the waterfall is held against the number of rows; no sample keeps the
text of a listed document, whoever dropped it. The corpus before is not touched: `steps=[prune]` takes it when no run needs it any more.
Price: one pass over the columns, texts only where a part changes. Not for: getting back what fell as a duplicate of a purged document (run
the curation again for that).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from minisc.core import durable, ledger, mirror
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.attribution import write_attribution
from minisc.core.document import docs_of
from minisc.core.errors import UserError
from minisc.core.parts import part_name, read_tables, regroup, write_part
from minisc.core.stage import GlobalStage, Judge, Stage, apply
from minisc.core.step import Context, Cost, Inputs, Need, Step

NAME = "optout"  # who dropped them, as in a curation with this filter
BYTES_PER_SECOND = 100e6  # of text: reading, writing and hashing, zstd


@dataclass(frozen=True, kw_only=True)
class Purge(Step):
    """Raises UserError for a filter that has to see everything, and where nothing is listed."""

    version: ClassVar[int] = 2
    makes: ClassVar[tuple[str, ...]] = ("documents",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    optout: Stage

    def __post_init__(self) -> None:
        assert not isinstance(self.optout, GlobalStage), "a purge judges documents one by one"
        if not getattr(self.optout, "lists", True):
            raise UserError("which opt-outs?", where="steps.purge.optout.lists=[]", do="steps.purge.optout.lists=[<file>]")

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        told = inputs["documents"]
        size = told.get("bytes_kept", 0)
        return Cost(
            seconds=size / BYTES_PER_SECOND,
            disk_bytes=round(size * 0.3),
            expect={name: told[name] for name in told if name.endswith("_kept")},
        )

    def run(self, work: Work, inputs: Inputs) -> Figures:
        before: Artifact = inputs["documents"]
        kept, dropped = before.files("kept"), before.files("dropped")
        samples = json.loads(before.file("samples.json").read_text(encoding="utf-8"))
        shown = frozenset(sample["uid"] for told in samples.values() for sample in told)
        tasks = [
            _Part(self.optout, number, one, other, work.path, shown) for number, (one, other) in enumerate(zip(kept, dropped, strict=True))
        ]
        purged, listed = 0, set()
        tokens = Counter(ledger.dropped_tokens(json.loads(before.file("waterfall.json").read_text(encoding="utf-8"))))
        with work.context.speak.progress("purging", len(tasks), "parts") as bar:
            for fact in work.context.engine.map(purge_part, tasks, max_workers=self.optout.max_workers):
                purged += fact["purged"]
                listed |= set(fact["listed"])
                tokens.update(fact["tokens"])
                bar.advance()
        _copy_tables(before, work.path)
        left = {reason: [sample for sample in told if sample["uid"] not in listed] for reason, told in samples.items()}
        durable.write_json(work.path / "samples.json", {reason: told for reason, told in left.items() if told})
        return self._account(work, before, ledger.rows_in([*kept, *dropped]), tokens) | {"documents_purged": purged}

    def _account(self, work: Work, before: Artifact, rows: int, tokens: Mapping[str, int]) -> Figures:
        kept, dropped = work.files("kept"), work.files("dropped")
        earlier = [row["stage"] for row in json.loads(before.file("waterfall.json").read_text(encoding="utf-8"))["stages"]]
        fall = ledger.waterfall(kept, dropped, [*earlier, *([] if NAME in earlier else [NAME])])
        ledger.check(fall, rows)
        if not fall["stages"][-1]["kept"]:
            raise UserError("nothing is left of this corpus", where="steps.purge.optout.lists", do="look at the lists: they name all of it")
        lines, left = ledger.lines_and_tokens(kept)
        fall = ledger.with_tokens(fall, tokens, left)
        durable.write_json(work.path / "waterfall.json", fall)
        write_attribution(kept, work.path / "attribution.parquet")
        return ledger.figures_of(fall) | {"lines_kept": lines}

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        figures = artifact.figures
        context.speak.line(f"{figures['documents_purged']:,} documents purged, {figures['documents_kept']:,} are left")


@dataclass(frozen=True)
class _Part:
    """One part to purge; picklable."""

    stage: Stage
    number: int
    kept: Path
    dropped: Path
    target: Path  # the artifact
    shown: frozenset[str]  # uids whose texts are samples


def purge_part(task: _Part) -> dict[str, Any]:
    """Purge one part, `kept` last; returns {purged: documents, listed: uids of samples whose documents are listed}."""
    done = task.target / "scratch" / "purged" / f"{part_name(task.number)}.json"
    if mirror.exists(done):
        return dict(json.loads(mirror.fetch(done).read_text(encoding="utf-8")))
    with task.stage.open() as judge:
        listed = [uid for table in read_tables(task.dropped) for uid in _listed(table, judge, task.shown)]
        samples = ledger.Samples(frozenset((NAME,)))
        tables = [apply([(NAME, task.stage, judge)], table, samples.see) for table in read_tables(task.kept)]
    marks = [pc.is_null(table["dropped_by"]) for table in tables]
    gone = [table.filter(pc.invert(mask)) for table, mask in zip(tables, marks, strict=True)]
    purged = sum(map(len, gone))
    kept, dropped = task.target / "kept" / part_name(task.number), task.target / "dropped" / part_name(task.number)
    if purged:
        write_part(dropped, regroup(table for table in [*read_tables(task.dropped), *gone] if len(table)))
        write_part(kept, regroup(table.filter(mask) for table, mask in zip(tables, marks, strict=True) if pc.any(mask).as_py()))
    else:
        durable.copy(mirror.fetch(task.dropped), dropped)
        durable.copy(mirror.fetch(task.kept), kept)
    fact = {"purged": purged, "listed": sorted(listed), "tokens": dict(samples.tokens)}
    durable.write_json(done, fact)
    return fact


def _listed(dropped: pa.Table, judge: Judge, shown: frozenset[str]) -> Sequence[str]:
    """Of rows that were dropped before, and whose texts are samples, the uids of those that the lists name."""
    told = dropped.filter(pc.is_in(dropped["uid"], value_set=pa.array(sorted(shown), pa.string())))
    at = told.schema.get_field_index("dropped_by")
    docs = docs_of(told.set_column(at, told.schema.field(at), pa.nulls(len(told), pa.string())))
    return [doc.uid for doc, verdict in zip(docs, judge(docs), strict=True) if verdict.drop]


def _copy_tables(before: Artifact, target: Path) -> None:
    for entry in before.manifest["files"]:
        if entry["name"].startswith("tables/"):
            durable.copy(before.file(entry["name"]), target / entry["name"])
