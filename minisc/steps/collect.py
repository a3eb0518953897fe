"""collect: documents with their provenance, from a source, split by repository.

In: a source. Out: a `documents` artifact: kept/ (text, `split` set), dropped/ (what the source could not use), waterfall.
Two phases, part by part: the source's rows as they come; then, when the bytes of every repository are known, the split.
A repository is held out as a whole (a split by document would let a model be tested on files whose siblings it has seen):
repositories in the order of a seeded hash are taken until `held_out` of the bytes is reached, among the small ones that together
hold twice as much: a score over five repositories is a score of those five, and of two if these are full of tables. So none is
half of the held-out bytes, and in a corpus of many repositories none is more than a tenth. Price: what is held out is more
like small projects than the corpus is. Where no repository is small enough, documents are held out by hash, and the figures say so.
Price: every row is written twice. Killed, it goes on at the part where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.core import durable, ledger, mirror
from minisc.core.artifact import Figures, Work
from minisc.core.budget import is_multiple, tokens_of
from minisc.core.document import HELD_OUT, SCHEMA, TRAIN
from minisc.core.errors import UserError
from minisc.core.parts import part_name, read_tables, regroup, write_part
from minisc.core.step import Context, Cost, Inputs, Step
from minisc.source.base import Listing, Source

# Bytes of raw text to ask a source for, per training token: 4 bytes a token (a 49k vocabulary on Python code gives 3.3 to
# 4.0), half of the bytes lost in curation, one epoch.
BYTES_PER_TOKEN = 8
DOWNLOAD_BYTES_PER_SECOND = 30e6  # to plan with: a line of 250 Mbit/s
MOST = 0.5  # of the held-out bytes may come from one repository
FEW = 0.1  # of them may always
CHOICE = 2  # times the held-out bytes: what the repositories to draw from hold together, else larger ones are among them


@dataclass(frozen=True, kw_only=True)
class Collect(Step):
    version: ClassVar[int] = 2  # 2: held out are small repositories
    makes: ClassVar[tuple[str, ...]] = ("documents",)

    source: Source
    seed: int
    held_out: float
    budget: str

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 0.5:
            raise UserError(
                "the held-out share must lie between 0 and 0.5",
                where=f"steps.collect.held_out={self.held_out}",
                do="steps.collect.held_out=0.03",
            )

    def listing(self, context: Context) -> Listing:
        """What the source would read; walked once a run."""
        wanted = None if is_multiple(self.budget) else BYTES_PER_TOKEN * tokens_of(self.budget, None)
        key = f"listing {wanted} {self.source!r}"
        if key not in context.memory:
            context.memory[key] = self.source.listing(wanted, context.hashes)
        return context.memory[key]

    def leaves(self, context: Context) -> Mapping[str, Any]:
        return dict(self.listing(context).identity)

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        told = self.listing(context)
        return Cost(
            seconds=told.bytes / 25e6 + told.download_bytes / DOWNLOAD_BYTES_PER_SECOND, download_bytes=told.download_bytes, requests=told.requests,
            disk_bytes=round(told.bytes * 0.35) + told.download_bytes,
            expect={"documents_kept": told.documents, "bytes_kept": told.bytes}, remark=told.remark,
        )  # fmt: skip

    def run(self, work: Work, inputs: Inputs) -> Figures:
        told = self.listing(work.context)
        if told.refusal is not None:
            raise told.refusal
        raw = work.scratch / "raw"
        with work.context.speak.progress("collecting", len(told.parts), "parts") as bar:
            tasks = [_Read(self.source, part, raw / part_name(number)) for number, part in enumerate(told.parts)]
            facts = []
            for fact in work.context.engine.map(_read, tasks):
                facts.append(fact)
                bar.advance()
        split, how = self._split(facts)
        again = _repeated([task.target for task in tasks])
        durable.write_json(work.scratch / "split.json", sorted(split))
        with work.context.speak.progress("splitting", len(tasks), "parts") as bar:
            writes = [
                _Write(task.target, work.path, split, how, self.seed, self.held_out, again.get(number, ()))
                for number, task in enumerate(tasks)
            ]
            for _ in work.context.engine.map(_write, writes):
                bar.advance()
        figures = self._figures(work, facts, how)
        parts = [(work.path / "kept" / task.target.name, work.path / "dropped" / task.target.name) for task in tasks]
        beside = {**told.figures, **self.source.beside(told, parts, work.path)}
        if beside:
            shown = {"repositories": figures["repositories"], **beside, "bytes": figures["bytes_kept"]}
            work.context.speak.line("listed: " + ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in shown.items()))
        return figures | beside

    def _split(self, facts: Sequence[Mapping[str, Any]]) -> tuple[frozenset[str], str]:
        """The repositories to hold out; empty with `how` = "document" where none is small enough."""
        sizes: dict[str, int] = {}
        for fact in facts:
            for repo, size in fact["repos"].items():
                sizes[repo] = sizes.get(repo, 0) + size
        wanted = self.held_out * sum(sizes.values())
        largest = _largest(sizes.values(), wanted)
        taken: list[str] = []
        held = 0
        for repo in sorted(sizes, key=lambda name: _drawn(self.seed, name)):
            if held >= wanted:
                break
            if sizes[repo] <= largest:
                taken.append(repo)
                held += sizes[repo]
        return (frozenset(taken), "repository") if held >= MOST * wanted and taken else (frozenset(), "document")

    def _figures(self, work: Work, facts: Sequence[Mapping[str, Any]], how: str) -> Figures:
        kept, dropped = work.files("kept"), work.files("dropped")
        fall = ledger.waterfall(kept, dropped, [])
        ledger.check(fall, sum(fact["rows"] for fact in facts))
        if not fall["stages"][0]["kept"]:
            raise UserError(
                "the source gave no usable document",
                where=f"{fall['stages'][0]['dropped']} dropped: {fall['stages'][0]['reasons']}",
                do="look at the source's settings: --cfg job --package source",
            )
        durable.write_json(work.path / "waterfall.json", fall)
        durable.write_json(work.path / "samples.json", {})
        return ledger.figures_of(fall) | {"split_by": how}


def _largest(sizes: Iterable[int], wanted: float) -> float:
    """Bytes of the largest repository that may be held out."""
    together = 0
    for size in sorted(sizes):
        together += size
        if together >= CHOICE * wanted:
            return min(max(size, FEW * wanted), MOST * wanted)
    return MOST * wanted


def _drawn(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"split:{seed}:{name}".encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class _Read:
    source: Source
    part: Any
    target: Path


def _read(task: _Read) -> dict[str, Any]:
    """Read one part of the source; returns {rows, repos: {name: bytes of usable text}}."""
    told = task.target.with_suffix(".json")
    if mirror.exists(told):
        return dict(json.loads(mirror.fetch(told).read_text(encoding="utf-8")))
    repos: dict[str, int] = {}
    rows = 0

    def counted(table: pa.Table) -> pa.Table:
        nonlocal rows
        rows += len(table)
        usable = table.filter(pc.is_null(table["dropped_by"]))
        for row in usable.group_by("repo").aggregate([("size", "sum")]).to_pylist():
            repos[row["repo"]] = repos.get(row["repo"], 0) + (row["size_sum"] or 0)
        return table.cast(SCHEMA)

    write_part(task.target, regroup(counted(table) for table in task.source.tables(task.part) if len(table)))
    fact = {"rows": rows, "repos": repos}
    durable.write_json(told, fact)  # last: says that the part is there
    return fact


def _repeated(parts: Sequence[Path]) -> dict[int, tuple[int, ...]]:
    """Rows whose uid was seen before: part -> row numbers. Verdicts are looked up by uid, so it must be unique.

    Memory: 24 bytes a document while sorting.
    """
    keys, at = [], []
    for number, path in enumerate(parts):
        uids = [uid for table in read_tables(path) for uid in table["uid"].to_pylist()]
        keys.append(np.frombuffer(bytes.fromhex("".join(uids)), dtype="V16"))
        at.append(np.stack([np.full(len(uids), number), np.arange(len(uids))], axis=1).astype(np.int64))
    if not keys:
        return {}
    flat, places = np.concatenate(keys).view("S16"), np.concatenate(at)
    order = np.argsort(flat, kind="stable")
    again = order[1:][flat[order[1:]] == flat[order[:-1]]]
    out: dict[int, list[int]] = {}
    for part, row in places[np.sort(again)].tolist():
        out.setdefault(part, []).append(row)
    return {part: tuple(rows) for part, rows in out.items()}


@dataclass(frozen=True)
class _Write:
    raw: Path
    target: Path  # the artifact
    held_out: frozenset[str]
    how: str
    seed: int
    share: float
    again: tuple[int, ...]  # rows whose uid stands earlier in the corpus


def _write(task: _Write) -> None:
    """Set the split of one part and put kept and dropped rows apart; `kept` last."""
    kept = task.target / "kept" / task.raw.name
    if mirror.exists(kept):
        return
    tables = []
    start = 0
    for table in read_tables(task.raw):
        again = [row - start for row in task.again if start <= row < start + len(table)]
        tables.append(_renamed(_with_split(table, task), again, f"{task.raw.stem}:{start}"))
        start += len(tables[-1])
    masks = [pc.is_null(table["dropped_by"]) for table in tables]
    write_part(
        task.target / "dropped" / task.raw.name,
        regroup(t.filter(pc.invert(mask)) for t, mask in zip(tables, masks, strict=True) if pc.any(pc.invert(mask)).as_py()),
    )
    write_part(kept, regroup(t.filter(mask) for t, mask in zip(tables, masks, strict=True) if pc.any(mask).as_py()))


def _with_split(table: pa.Table, task: _Write) -> pa.Table:
    if task.how == "repository":
        held = [repo in task.held_out for repo in table["repo"].to_pylist()]
    else:
        limit = int(task.share * 2**32)
        held = [int.from_bytes(_drawn(task.seed, uid)[:4], "big") < limit for uid in table["uid"].to_pylist()]
    splits = pa.array([HELD_OUT if yes else TRAIN for yes in held], type=pa.string())
    return table.set_column(table.schema.get_field_index("split"), "split", splits)


def _renamed(table: pa.Table, again: Sequence[int], place: str) -> pa.Table:
    """Rows that repeat an earlier one's uid get another, from the `place` where they stand, and are dropped as `repeated`."""
    if not again:
        return table
    columns = {name: table[name].to_pylist() for name in ("uid", "text", "dropped_by", "reason")}
    for row in again:
        columns["uid"][row] = hashlib.sha256(f"{columns['uid'][row]}:{place}:{row}".encode()).hexdigest()[:32]
        columns["text"][row] = None
        columns["dropped_by"][row], columns["reason"][row] = "collect", "repeated"
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, type=table.schema.field(at).type))
    return table
