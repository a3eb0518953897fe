"""Passes: a list of stages, run over the parts of a corpus.

In: parts, an ordered mapping name -> stage. Out: parts of the same numbers, kept and dropped rows apart, with samples.
A list of stages is cut at its global stages; what lies between is one fused pass over every part:

    license syntax exact_dup near_dup   ->   [license syntax | sketch exact_dup] [judge exact_dup | sketch near_dup] [judge near_dup]

A global stage that `compares` also sees the corpora of `against`: sketched part by part like the own one, never judged, never counted.
Guarantees: a part's result depends on that part and on what global stages found, so passes can be killed anywhere and run
again; what is there is not made again. Price: one rewrite of the rows a pass (zstd, about 100 MB/s a core).
"""

from __future__ import annotations

import atexit
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable, mirror
from minisc.core.document import Doc, docs_of, uid_elsewhere
from minisc.core.fingerprint import describe, fingerprint
from minisc.core.ledger import Samples
from minisc.core.parts import PartSketches, PartTexts, part_name, read_tables, regroup, write_part
from minisc.core.stage import GlobalStage, Opened, Stage, apply
from minisc.core.step import Mapper, Speaker

FINISHED = "finished.json"


@dataclass(frozen=True)
class Pass:
    """One fused pass: the stages to judge by, and the global stage to sketch for at its end."""

    judges: tuple[tuple[str, Stage], ...]
    sketch: tuple[str, GlobalStage] | None

    @property
    def max_workers(self) -> int | None:
        limits = [stage.max_workers for _, stage in self.judges if stage.max_workers is not None]
        return min(limits) if limits else None


def passes_of(stages: Mapping[str, Stage]) -> list[Pass]:
    """Cut a list of stages at its global ones."""
    out: list[Pass] = []
    judges: list[tuple[str, Stage]] = []
    for name, stage in stages.items():
        if isinstance(stage, GlobalStage):
            out.append(Pass(tuple(judges), (name, stage)))
            judges = []
        judges.append((name, stage))
    return [*out, Pass(tuple(judges), None)]


@dataclass(frozen=True)
class Corpus:
    """A finished corpus that the documents are compared with: the kept parts of an artifact."""

    fingerprint: str
    parts: tuple[Path, ...]


@dataclass(frozen=True)
class PartTask:
    """One part on its way through one pass; picklable."""

    number: int
    inputs: tuple[Path, ...]  # kept and dropped rows of the part before
    plan: Pass
    found: Path  # what global stages found, a folder each
    folder: Path  # where the pass writes: kept/ dropped/ samples/ tokens/ sketches/


@dataclass(frozen=True)
class AgainstTask:
    """One part of another corpus, to be sketched; picklable."""

    stage: GlobalStage
    fingerprint: str
    part: Path
    target: Path


def run_passes(
    stages: Mapping[str, Stage],
    parts: Sequence[tuple[Path, ...]],
    scratch: Path,
    engine: Mapper,
    speak: Speaker,
    against: Sequence[Corpus] = (),
) -> Path:
    """Run all stages over all parts. Returns the folder of the last pass: kept/, dropped/, samples/; `found/` lies in `scratch`."""
    plans = passes_of(stages)
    folders = [scratch / f"pass-{at}" for at in range(len(plans))]
    for at, (plan, folder) in enumerate(zip(plans, folders, strict=True)):
        if not any((later / FINISHED).exists() for later in folders[at:]):
            _run_pass(plan, parts, folder, scratch / "found", engine, speak, against)
        if at:  # the pass before was needed until now; its samples stay
            for name in ("kept", "dropped", "sketches", "against"):
                mirror.remove(folders[at - 1] / name)
        parts = [(folder / "kept" / part_name(number), folder / "dropped" / part_name(number)) for number in range(len(parts))]
    mirror.fetch(scratch)
    return folders[-1]


def _run_pass(
    plan: Pass, parts: Sequence[tuple[Path, ...]], folder: Path, found: Path, engine: Mapper, speak: Speaker, against: Sequence[Corpus]
) -> None:
    tasks = [PartTask(number, paths, plan, found, folder) for number, paths in enumerate(parts)]
    with speak.progress(_label(plan), len(tasks), "parts") as bar:
        for _ in engine.map(run_part, tasks, max_workers=plan.max_workers):
            bar.advance()
    if plan.sketch:
        others = against if plan.sketch[1].compares else ()
        _sketch_others(plan.sketch, others, folder, engine, speak)
        _resolve(plan.sketch, folder, len(tasks), others, found, speak)
    durable.write_json(folder / FINISHED, {"parts": len(tasks)})


def _label(plan: Pass) -> str:
    return " ".join([*(name for name, _ in plan.judges), *([f"({plan.sketch[0]}: sketch)"] if plan.sketch else [])]) or "reading"


def run_part(task: PartTask) -> None:
    """Judge one part; a finished part is left alone. `kept` is written last, so its existence says that all is there."""
    name = part_name(task.number)
    done = task.folder / "kept" / name
    if mirror.exists(done):
        return
    samples = Samples(frozenset(name for name, stage in task.plan.judges if stage.private))
    opened = _opened(task)
    tables = [apply(opened, table, samples.see) for path in task.inputs for table in read_tables(path)]
    if task.plan.sketch:
        _write_sketches(task.plan.sketch[1], tables, task.folder / "sketches" / name)
    durable.write_json(task.folder / "samples" / f"{name}.json", samples.as_dict())
    durable.write_json(task.folder / "tokens" / f"{name}.json", dict(sorted(samples.tokens.items())))
    kept_at = [pc.is_null(table["dropped_by"]) for table in tables]
    dropped = (table.filter(pc.invert(mask)) for table, mask in zip(tables, kept_at, strict=True))
    write_part(task.folder / "dropped" / name, regroup(table for table in dropped if len(table)))
    kept = (table.filter(mask) for table, mask in zip(tables, kept_at, strict=True))
    write_part(done, regroup(table for table in kept if len(table)))


def _write_sketches(stage: GlobalStage, tables: Iterable[pa.Table], target: Path, fingerprint: str = "") -> None:
    """`fingerprint`: of the corpus that the tables are from, if it is another one."""
    sketches = []
    for table in tables:
        docs = [doc for doc in docs_of(table) if not stage.kinds or doc.kind in stage.kinds]
        if fingerprint:
            docs = [replace(doc, uid=uid_elsewhere(fingerprint, doc.uid)) for doc in docs]
        if docs:
            sketches.append(stage.sketch(docs))
    sketches = sketches or [stage.sketch([])]
    with durable.write(target) as temporary:
        pq.write_table(pa.concat_tables(sketches), temporary)


def sketch_other(task: AgainstTask) -> None:
    """Sketch one part of another corpus; a finished one is left alone."""
    if not mirror.exists(task.target):
        _write_sketches(task.stage, read_tables(task.part), task.target, task.fingerprint)


def _others(folder: Path, against: Sequence[Corpus]) -> list[tuple[Corpus, Path, Path]]:
    """(corpus, its part, where its sketch lies), in the order of the sketches."""
    return [
        (corpus, part, folder / "against" / f"{at:03d}-{corpus.fingerprint}" / part.name)
        for at, corpus in enumerate(against)
        for part in corpus.parts
    ]


def _sketch_others(sketch: tuple[str, GlobalStage], against: Sequence[Corpus], folder: Path, engine: Mapper, speak: Speaker) -> None:
    name, stage = sketch
    tasks = [AgainstTask(stage, corpus.fingerprint, part, target) for corpus, part, target in _others(folder, against)]
    if tasks:
        with speak.progress(f"{name}: sketch what it compares with", len(tasks), "parts") as bar:
            for _ in engine.map(sketch_other, tasks, max_workers=stage.max_workers):
                bar.advance()


class _Texts:
    """`core.stage.Texts` over the other corpora and the own one, one after the other."""

    def __init__(self, corpora: Sequence[PartTexts]) -> None:
        self._corpora = corpora

    def __call__(self, uids: Iterable[str]) -> Iterator[Doc]:
        wanted = list(uids)
        return chain.from_iterable(texts(wanted) for texts in self._corpora)


def _resolve(sketch: tuple[str, GlobalStage], folder: Path, parts: int, against: Sequence[Corpus], found: Path, speak: Speaker) -> None:
    """Run `resolve` into a folder of its own and rename it into place; that it is whole says the pass's `finished.json`."""
    name, stage = sketch
    writing = found / f"{name}{durable.TEMPORARY}"
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(parents=True)
    names = [part_name(number) for number in range(parts)]
    sketches = PartSketches([*(target for _, _, target in _others(folder, against)), *(folder / "sketches" / part for part in names)])
    others = [PartTexts(corpus.parts, corpus.fingerprint) for corpus in against]
    with speak.progress(f"{name}: resolve", None):
        stage.resolve(sketches, _Texts([*others, PartTexts([folder / "kept" / part for part in names])]), writing)
    for path in sorted(writing.iterdir()):
        durable.sync(path)
    shutil.rmtree(found / name, ignore_errors=True)  # of a run that was killed just here
    writing.replace(found / name)
    durable.sync(found)
    mirror.send(found / name)


class _Judges:
    """The judges that this process has open, for one pass at a time."""

    def __init__(self) -> None:
        self._key, self._stack = "", ExitStack()
        self._opened: Opened = ()

    def get(self, task: PartTask) -> Opened:
        key = fingerprint([str(task.found), [[name, describe(stage)] for name, stage in task.plan.judges]])
        if key != self._key:
            self._stack.close()
            self._key, self._stack = key, ExitStack()
            self._opened = tuple(
                (name, stage, self._stack.enter_context(stage.open(_found(task, name, stage)))) for name, stage in task.plan.judges
            )
        return self._opened

    def close(self) -> None:
        self._stack.close()


def _found(task: PartTask, name: str, stage: Stage) -> Path | None:
    return mirror.fetch(task.found / name) if isinstance(stage, GlobalStage) else None


_judges = _Judges()  # of this worker process: what open() loads is loaded once, not once a part
atexit.register(_judges.close)  # while there still is an interpreter to close files with


def _opened(task: PartTask) -> Opened:
    return _judges.get(task)


def merged_samples(scratch: Path, before: Mapping[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
    """The samples of all parts and passes as one; `before`: those of earlier steps."""
    samples = Samples(frozenset())
    samples.add(before)
    for path in sorted(scratch.glob("pass-*/samples/*.json")):
        samples.add(json.loads(path.read_text(encoding="utf-8")))
    return samples.as_dict()


def merged_tokens(scratch: Path, before: Mapping[str, int]) -> dict[str, int]:
    """The estimated tokens of what all parts and passes dropped, by "stage/reason"; `before`: those of earlier steps."""
    total = Counter(before)
    for path in sorted(scratch.glob("pass-*/tokens/*.json")):
        total.update(json.loads(path.read_text(encoding="utf-8")))
    return dict(total)
