"""How much memory `near_dup` takes a document when it resolves, with signatures on disk. Run by hand:

    python -m tests.benchmarks.bench_near_dup_memory [documents, 1,000,000 by default]

Documents here are signatures alone (256 random minima; every hundredth is a near copy of the one before), as `sketch` would have written
them, in parts of 5,000 (64 MB of text at 13 kB a file); 1 kB of disk each. `resolve` runs in a process of its own for each size.
Printed: peak memory, the median of five processes, and the slope from the smallest size on, in bytes a document, beside the issue's 150. What grows with the corpus:
band hashes of one pass (48), labels and order of a band (24), uids (36), keeper columns while they are ranked.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from minisc.core.document import Doc
from minisc.core.parts import PartSketches
from minisc.filters.base import KEEPER_FIELDS, keeper_columns
from minisc.filters.near_dup import NearDup

PART, MINIMA = 5_000, 256
SIZES = (20_000, 60_000, 200_000)  # and the one asked for
RUNS = 5  # the allocator alone makes 10 MB of difference
WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa "


def write(folder: Path, documents: int) -> None:
    schema = pa.schema([*KEEPER_FIELDS, ("signature", pa.binary(4 * MINIMA))])
    for number, first in enumerate(range(0, documents, PART)):
        count = min(PART, documents - first)
        minima = np.random.default_rng(number).integers(0, 2**32, (count, MINIMA), np.uint32)
        minima[1::100] = minima[0::100][: len(minima[1::100])]
        docs = [Doc(uid=f"{first + at:032x}", text="", size=0) for at in range(count)]
        columns = {**keeper_columns(docs), "signature": [one.tobytes() for one in minima]}
        pq.write_table(pa.Table.from_pydict(columns, schema=schema), folder / f"part-{number:05}.parquet")


def texts(uids: Iterable[str]) -> Iterator[Doc]:
    """A text of its own for each pair, so that the pairs are verified and found different or alike as they may be."""
    for uid in uids:
        yield Doc(uid=uid, text=f"{WORDS * 3}{int(uid, 16) // 2}", size=0)


def child(folder: Path) -> None:
    stage = NearDup(threshold=0.7, num_perm=MINIMA, bands=42, expected_drop=1)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as found:
        stage.resolve(PartSketches(sorted(folder.iterdir())), texts, Path(found))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.perf_counter() - start)


def _run(folder: str) -> tuple[float, float]:
    """(peak bytes, seconds) of a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "--child", folder]
    peak, seconds = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    return peak, seconds


def main(documents: int) -> None:
    told: dict[int, float] = {}
    for count in sorted({*SIZES, documents}):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), count)
            runs = [_run(folder) for _ in range(RUNS)]
        peak, seconds = (statistics.median(values) for values in zip(*runs, strict=True))
        least = min(told, default=0)
        slope = f", {(peak - told[least]) / (count - least):.0f} bytes a document more than at {least:,} (150 wanted)" if told else ""
        told[count] = peak
        print(f"{count:>10,} documents: peak {peak / 1e6:,.0f} MB, {seconds:.1f} s{slope}", flush=True)


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(Path(sys.argv[-1]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
