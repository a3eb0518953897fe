"""The whole curation over the installed packages: speed of each stage and of all, peak memory. Run by hand:

    python -m tests.benchmarks.bench_curate [megabytes] [stage,stage,…]

Files are the installed packages' (every n-th of those up to 1 MB, so that there are about `megabytes`, 60 by default); a repository is a
top folder. Stages come from their option files with the values that stand there; all of `CHAIN` by default.
Two measures, one process, one core:

    each stage    processor seconds of what it is given (what the stages before it have kept): sketch + resolve + judging, or judging
    the whole     the passes as `steps=[curate]` runs them, with Parquet written and read between them

Compared with: the issue's reach of 3 MB/s for the chain, and StarCoder2's own tools as they were measured on such files (detect-secrets
alone 0.88 MB/s, BigCode's MinHash 7.9 MB/s). Peak memory is that of the process (VmHWM), over what it held before the first stage.
"""

from __future__ import annotations

import hashlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from minisc.app import build
from minisc.core.document import docs_of, slices, table_of
from minisc.core.parts import PartTexts, part_name, regroup, write_part
from minisc.core.passes import run_passes
from minisc.core.stage import GlobalStage, Stage, apply
from tests.benchmarks.real_code import packages
from tests.silent import Silent

CONF = Path(__file__).resolve().parents[2] / "conf" / "filters"
CHAIN = ("optout", "license", "malware", "quality", "syntax", "tree_dup", "exact_dup", "decontaminate", "near_dup", "pii")  # curate_full
REACH = 3.0  # MB/s, the whole chain
PART = 8_000_000  # bytes of text in a part


class OneByOne:
    """An engine of one process."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], *, max_workers: int | None = None) -> Iterator[Any]:
        return map(function, items)


def stage_of(name: str) -> Stage:
    """With the values of its option file; `decontaminate` takes the folder that MINISC_BENCHMARKS names."""
    node = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))[name]
    if name == "decontaminate":
        node["folder"] = os.environ["MINISC_BENCHMARKS"]
    stage = build(node, f"filters.{name}")
    assert isinstance(stage, Stage)
    return stage


def corpus(megabytes: float) -> list[list[dict[str, Any]]]:
    """Parts of rows."""
    root = packages()
    paths = sorted(path for path in root.rglob("*.py") if 0 < path.stat().st_size < 1_000_000)
    every = max(1, int(sum(path.stat().st_size for path in paths) / 1e6 / megabytes))
    parts: list[list[dict[str, Any]]] = [[]]
    held = 0
    for path in paths[::every]:
        text = path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
        name = str(path.relative_to(root))
        if held + len(text) > PART:
            parts.append([])
            held = 0
        held += len(text)
        parts[-1].append({
            "uid": hashlib.sha256(name.encode()).hexdigest()[:32], "text": text, "size": len(text.encode()), "kind": "code", "source": "bench",
            "repo": name.partition("/")[0], "path": name.encode(), "path_text": name, "license": "MIT", "split": "train",
        })  # fmt: skip
    return parts


def one_stage(name: str, stage: Stage, paths: Sequence[Path], folder: Path) -> tuple[list[Path], float, float]:
    """(parts after the stage, megabytes in, processor seconds); reading and writing are not counted."""
    found, out = folder / "found", folder / "out"
    found.mkdir(parents=True)
    tables = [pq.read_table(path) for path in paths]
    size = sum(text.nbytes for table in tables for text in [table["text"]]) / 1e6
    start = time.process_time()
    if isinstance(stage, GlobalStage):
        sketches = [stage.sketch(docs_of(piece)) for table in tables for piece in slices(table, 1024, 8 << 20)]
        stage.resolve(sketches, PartTexts(paths), found)
    with stage.open(found if isinstance(stage, GlobalStage) else None) as judge:
        judged = [apply([(name, stage, judge)], table) for table in tables]
    seconds = time.process_time() - start
    kept = [table.filter(pa.compute.is_null(table["dropped_by"])) for table in judged]
    for number, table in enumerate(kept):
        write_part(out / part_name(number), regroup([table]))
    return sorted(out.iterdir()), size, seconds


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(megabytes: float, names: Sequence[str]) -> None:
    stages = {name: stage_of(name) for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        paths = []
        for number, rows in enumerate(corpus(megabytes)):
            paths.append(root / "in" / part_name(number))
            write_part(paths[-1], regroup([table_of(rows)]))
        documents, before = sum(pq.read_metadata(path).num_rows for path in paths), peak()
        size = sum(pq.read_table(path, columns=["text"]).nbytes for path in paths) / 1e6
        print(f"{documents:,} files, {size:.1f} MB in {len(paths)} parts; one core\n")
        start = time.process_time()
        last = run_passes(stages, [(path,) for path in paths], root / "work", OneByOne(), Silent())
        seconds = time.process_time() - start
        left = sum(pq.read_metadata(path).num_rows for path in sorted((last / "kept").iterdir()))
        whole = f"{size / seconds:.2f} MB/s"
        print(
            f"the whole chain: {whole} of {REACH} wanted ({size / seconds / REACH:.2f}x), {documents - left:,} dropped; {seconds:.1f} s of processor time"
        )
        print(f"peak memory: {peak():,.0f} MB, of which {before:,.0f} MB were there before (interpreter, the corpus being written)\n")
        print(f"{'stage':14} {'MB in':>8} {'MB/s':>8} {'share of the time':>18} {'dropped':>8}")
        rows, current = [], paths
        for name, stage in stages.items():
            count = sum(pq.read_metadata(path).num_rows for path in current)
            current, own, took = one_stage(name, stage, current, root / f"alone-{name}")
            rows.append((name, own, took, count - sum(pq.read_metadata(path).num_rows for path in current)))
        total = sum(took for _, _, took, _ in rows)
        for name, own, took, gone in rows:
            print(f"{name:14} {own:8.1f} {own / max(took, 1e-9):8.1f} {took / total:18.0%} {gone:8,}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, sys.argv[2].split(",") if len(sys.argv) > 2 else CHAIN)
