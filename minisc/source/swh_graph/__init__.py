"""Software Heritage's graph: which files there are, chosen and listed without downloading one.

In: an export of the archive's graph (`2019-01-28-popular-3k-python` and its like, Parquet or ORC). Out: a row for every wanted
file of one revision of every repository, `text` null: the step `download` fills it in.

    export.py  columns.py      the tables, streamed, whatever types they are in
    visits.py  branches.py  versions.py  choose.py      one root directory for each origin
    walk.py  (arrays.py, relational.py: the two layouts)  graph.py  ids.py  keys.py      everything that the roots reach, each directory once
    proof.py                   directory ids recomputed from what was read
    expand.py  names.py  part.py  rows.py      paths and rows, part by part, anywhere
    tables.py                  the listing, its unique contents and the counts, for people

Guarantees: every origin is accounted for (chosen, or a reason); so is every file with a wanted name. Bounded memory whatever
the data. The same export and settings give the same rows in the same order.
Price: each needed column of the export is read once; see `tests/benchmarks/bench_swh_graph.py` for seconds and memory.
Not covered: history (one revision a repository), submodules (counted, not followed), pull requests.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from minisc.core.document import PART_BYTES
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe, fingerprint, free
from minisc.core.remember import Hashes
from minisc.source.base import Listing, Source
from minisc.source.files import batched
from minisc.source.swh_graph import part as parts
from minisc.source.swh_graph.choose import Chosen, Fates, Policy, choose
from minisc.source.swh_graph.expand import Bounds
from minisc.source.swh_graph.export import Export
from minisc.source.swh_graph.graph import Graph
from minisc.source.swh_graph.ids import IdIndex
from minisc.source.swh_graph.names import NONE, roles
from minisc.source.swh_graph.part import Part, Rules
from minisc.source.swh_graph.proof import failures, lowest
from minisc.source.swh_graph.rows import rows_of
from minisc.source.swh_graph.tables import write_counts, write_tables
from minisc.source.swh_graph.walk import read_graph

ARRAYS = (
    "origin",
    "origin_visit",
    "snapshot_branches",
    "snapshot_branch",
    "revision",
    "directory",
    "directory_entry_dir",
    "directory_entry_file",
    "content",
)
RELATIONAL = ("origin", "origin_visit", "origin_visit_status", "snapshot_branch", "revision", "directory", "directory_entry", "content")
OPTIONAL = ("release", "snapshot", "directory_entry_rev", "skipped_content")
_remembered: dict[str, Listing] = {}  # the last listing of this process: a run asks for the same one several times


@dataclass(frozen=True, kw_only=True)
class SwhGraph(Source):
    """See the package. Raises UserError for values out of range, BadInput for an export that cannot be read."""

    version: ClassVar[int] = 2  # 2: tables beside the documents

    path: str | None = free()  # a location is no part of the result: what lies there is
    endpoint: str = free()
    region: str = free()
    kinds: Sequence[str]
    branches: Sequence[str]
    keep: Sequence[str]
    license_files: bool
    max_bytes: int
    max_depth: int
    max_files: int
    repositories: int | None
    proof_sample: int
    proof_tolerance: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_depth", "max_files"):
            if getattr(self, name) < 1:
                raise UserError(
                    "a bound must be at least 1", where=f"source.{name}={getattr(self, name)}", do=f"leave source.{name} as it is"
                )
        if not self.branches or not self.keep:
            raise UserError(
                "nothing would be listed",
                where=f"source.branches={list(self.branches)} source.keep={list(self.keep)}",
                do="source.branches=[main,master] 'source.keep=[*.py]'",
            )
        if not 0 <= self.proof_tolerance < 1 or self.proof_sample < 0:
            raise UserError(
                "the share of failed proofs lies between 0 and 1",
                where=f"source.proof_tolerance={self.proof_tolerance}",
                do="source.proof_tolerance=0.01",
            )
        if self.repositories is not None and self.repositories < 1:
            raise UserError(
                "at least one repository is needed",
                where=f"source.repositories={self.repositories}",
                do="source.repositories=50, or null for all",
            )

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        if self.path is None:
            return Listing(parts=(), identity={}, documents=0, bytes=0, remark="no export named", refusal=UserError(
                "the source needs an export of Software Heritage's graph", where="source.path", do="source.path=<folder>; +recipe=fetch_swh downloads one",
            ))  # fmt: skip
        export = Export(path=self.path, endpoint=self.endpoint, region=self.region)
        leaves = _leaves(export, hashes)
        key = fingerprint([describe(self), self.path, dict(leaves), wanted])
        if key not in _remembered:
            _remembered.clear()
            _remembered[key] = self._listed(export, leaves, wanted)
        return _remembered[key]

    def tables(self, part: Part) -> Iterator[pa.Table]:
        yield from batched(rows_of(part, self._rules()))

    def beside(self, told: Listing, parts: Sequence[tuple[Path, Path]], folder: Path) -> Mapping[str, int]:
        write_counts({"origins": told.remark, **told.ignored}, folder)
        return write_tables(parts, folder)

    def _rules(self) -> Rules:
        bounds = Bounds(max_depth=self.max_depth, max_files=self.max_files, max_path=4096)  # Linux' PATH_MAX: no checkout can hold longer
        return Rules(bounds=bounds, keep=tuple(self.keep), license_files=self.license_files, max_bytes=self.max_bytes)

    def _listed(self, export: Export, leaves: Mapping[str, str], wanted: int | None) -> Listing:
        chosen, fates = choose(export, Policy(branches=self.branches, kinds=self.kinds))
        if not chosen:
            raise BadInput(
                f"none of the {sum(fates.values())} origins has a wanted branch: {_told(fates)}",
                where=f"source.path={self.path}",
                do="source=swh_graph_all takes every kind of origin and every branch",
            )
        chosen = _drawn(chosen, self.seed)[: self.repositories]
        graph, roots = self._graph(export, chosen)
        rules = self._rules()
        if wanted is not None:
            enough = int(np.searchsorted(np.cumsum(parts.repo_sizes(graph, roots, rules)), wanted)) + 1
            chosen, roots = chosen[:enough], roots[:enough]
        order = sorted(range(len(chosen)), key=lambda at: chosen[at].url)
        chosen, roots = [chosen[at] for at in order], roots[order]
        cut = tuple(parts.cut(graph, chosen, roots, rules, PART_BYTES))
        counts = parts.tally(graph, roots, rules)
        identity = {
            **leaves,
            "repositories": hashlib.sha256("\n".join(one.url for one in chosen).encode("utf-8", "surrogatepass")).hexdigest(),
        }
        return Listing(
            parts=cut, identity=identity, documents=counts["documents"], bytes=counts["bytes"], ignored=_ignored(graph, fates, counts),
            remark=f"{len(chosen):,} repositories, {counts['files']:,} files, {counts['documents']:,} wanted; origins: {_told(fates)}",
            figures={"files": counts["files"]},
        )  # fmt: skip

    def _graph(self, export: Export, chosen: Sequence[Chosen]) -> tuple[Graph, np.ndarray]:
        """The graph below the roots, proved on a sample, and the directory of each root."""
        ids = np.frombuffer(b"".join(one.root for one in chosen), np.uint8).reshape(-1, 20)
        graph, proofs = read_graph(
            export, ids, lambda names: roles(names, self.keep, self.license_files)[0] != NONE, lowest(self.proof_sample)
        )
        wrong = failures(proofs)
        if len(wrong) > self.proof_tolerance * len(proofs.directories):
            raise BadInput(
                f"{len(wrong)} of {len(proofs.directories)} directories have other ids than their entries give: the export is not what it seems to be",
                where=f"directory {wrong[0]}", do="fetch the export again; source.proof_tolerance=… accepts a larger share",
            )  # fmt: skip
        graph.counts["directories_proved"], graph.counts["directories_damaged"] = len(proofs.directories) - len(wrong), len(wrong)
        return graph, IdIndex(graph.ids).find(ids)


def _leaves(export: Export, hashes: Hashes) -> dict[str, str]:
    """Names, sizes and content hashes of the files that are read; sizes alone where the export lies elsewhere."""
    names = RELATIONAL if export.relational else ARRAYS
    tables = (*names, *(name for name in OPTIONAL if export.has(name)))
    digest, total = hashlib.sha256(), 0
    infos = [(table, info) for table in tables for info in export.files(table)]
    local = export.local_paths(tables)
    prints = hashes.of(local) if local is not None else [""] * len(infos)
    for (table, info), print_ in zip(infos, prints, strict=True):
        digest.update(f"{table}\0{info.base_name}\0{info.size}\0{print_}\n".encode())
        total += info.size or 0
    return {"files": str(len(infos)), "bytes": str(total), "sha256": digest.hexdigest()}


def _drawn(chosen: Sequence[Chosen], seed: int) -> list[Chosen]:
    """Repositories in seeded order: any beginning of it is a fair sample."""
    return sorted(chosen, key=lambda one: hashlib.sha256(f"{seed}\0{one.url}".encode("utf-8", "surrogatepass")).digest())


def _told(fates: Fates) -> str:
    """`git 812 of 1131 (no_wanted_branch 300, same_root 19); pypi 0 of 1000 (…)`"""
    said = []
    for kind in sorted({kind for kind, _ in fates}):
        own = {reason: number for (of, reason), number in fates.items() if of == kind}
        lost = ", ".join(f"{reason} {number}" for reason, number in sorted(own.items()) if reason != "chosen")
        said.append(f"{kind or '?'} {own.get('chosen', 0)} of {sum(own.values())}" + (f" ({lost})" if lost else ""))
    return "; ".join(said)


def _ignored(graph: Graph, fates: Fates, counts: Counter[str]) -> dict[str, int]:
    """Everything that has no row, by reason."""
    origins = {f"origin_{kind or 'unknown'}_{reason}": number for (kind, reason), number in sorted(fates.items()) if reason != "chosen"}
    others = {name: number for name, number in sorted((graph.counts + counts).items()) if name not in ("documents", "bytes", "levels")}
    return {**origins, **others}
