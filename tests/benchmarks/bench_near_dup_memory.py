"""How much memory `near_dup` takes a document when it resolves, with signatures on disk. Run by hand:

    python -m tests.benchmarks.bench_near_dup_memory [documents, 1,000,000 by default]

Documents here are signatures alone (256 random minima; every hundredth is a near copy of the one before), as `sketch` would have written
them, in parts of 50,000; 1 kB of disk each. `resolve` runs in a process of its own for 200,000 documents and for all of them.
Printed: peak memory of each process and the slope between them, in bytes a document, beside the issue's 150. What grows with the corpus:
band hashes of one pass (48), labels and order of a band (24), uids (36), keeper columns while they are ranked.
"""

from __future__ import annotations

import resource
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

PART, MINIMA, SMALL = 50_000, 256, 200_000
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


def main(documents: int) -> None:
    told = []
    for count in (SMALL, documents):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), count)
            out = subprocess.run(
                [sys.executable, "-m", __spec__.name, "--child", folder], capture_output=True, text=True, check=True
            ).stdout
        peak, seconds = map(float, out.split())
        told.append(peak)
        print(f"{count:>10,} documents: peak {peak / 1e6:,.0f} MB, {seconds:.1f} s")
    slope = (told[1] - told[0]) / (documents - SMALL)
    print(f"{slope:.0f} bytes a document of 150 wanted ({slope / 150:.2f}x)")


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(Path(sys.argv[-1]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
