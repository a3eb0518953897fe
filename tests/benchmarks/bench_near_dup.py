"""near_dup beside datasketch and rensa on the same files, by speed and by what they find. Run by hand:

    python -m tests.benchmarks.bench_near_dup [files]

The files are the installed packages' (every n-th, so that there are `files` of them, 4,000 by default, up to 300 kB each).
The truth is brute force: the intersections of all pairs of shingle sets, by a sparse matrix product. Measures, of documents:

    required   how many must fall: in each group (connected by true Jaccard similarity >= 0.7) all that a greedy pass in order
               drops when it compares each document with every kept one
    recall     fallen / required, group by group, so that surplus in one group makes up for nothing in another
    precision  share of the fallen that have a twin at >= 0.7
    MB/s       text over processor seconds (one thread), from text to verdict

rensa is used if it is installed (`pip install rensa`).
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xxhash
from datasketch import MinHash, MinHashLSH
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from minisc.core.document import Doc
from minisc.filters.near_dup import NearDup
from minisc.text.shingles import shingles
from tests.benchmarks.real_code import packages

THRESHOLD = 0.7
WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")


def corpus(wanted: int) -> list[str]:
    paths = sorted(path for path in packages().rglob("*.py") if 0 < path.stat().st_size < 300_000)
    return [
        path.read_text(encoding="utf-8", errors="replace").replace("\0", "") for path in paths[:: max(1, len(paths) // wanted)][:wanted]
    ]


def neighbours(texts: list[str]) -> csr_matrix:
    """The pairs of documents whose true similarity reaches the threshold, as a matrix."""
    sets = shingles(texts)
    known, column = np.unique(np.concatenate(sets), return_inverse=True)
    starts = np.cumsum([0, *(len(one) for one in sets)])
    rows = csr_matrix((np.ones(len(column), np.int32), column, starts), shape=(len(texts), len(known)))
    shared = (rows @ rows.T).tocoo()
    sizes = np.diff(starts)
    similar = shared.data >= THRESHOLD * (sizes[shared.row] + sizes[shared.col] - shared.data)
    near = similar & (shared.row != shared.col)
    return csr_matrix((np.ones(int(near.sum()), bool), (shared.row[near], shared.col[near])), shape=(len(texts),) * 2)


def greedy(near: csr_matrix) -> set[int]:
    fallen: set[int] = set()
    for at in range(near.shape[0]):
        others = near.indices[near.indptr[at] : near.indptr[at + 1]]
        if any(other < at and other not in fallen for other in others.tolist()):
            fallen.add(at)
    return fallen


def recall_and_precision(near: csr_matrix, required: set[int], fallen: set[int]) -> tuple[float, float]:
    _, group = connected_components(near, directed=False)
    must, did = np.bincount(group[list(required)], minlength=len(group)), np.bincount(group[list(fallen)], minlength=len(group))
    with_twin = sum(near.indptr[at + 1] > near.indptr[at] for at in fallen)
    return float(np.minimum(must, did).sum() / must.sum()), with_twin / max(1, len(fallen))


def ours(texts: list[str]) -> set[int]:
    """Sketch, resolve, verdicts; the documents exist already, as they do for the others."""
    stage = NearDup(threshold=THRESHOLD, num_perm=256, bands=42, expected_drop=1)
    docs = [Doc(uid=f"{at:08}", text=text, size=len(text)) for at, text in enumerate(texts)]
    by_uid = {doc.uid: doc for doc in docs}
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder)
        sketches = [stage.sketch(docs[at : at + BATCH]) for at in range(0, len(docs), BATCH)]
        stage.resolve(sketches, lambda uids: (by_uid[uid] for uid in sorted(uids)), found)
        with stage.open(found) as judge:
            return {at for at, verdict in enumerate(judge(docs)) if verdict.drop}


BATCH = 1024


def python_shingles(text: str) -> list[bytes]:
    """Plain Python at its fastest."""
    words = WORD.findall(text.encode())
    return list(map(b" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


def with_datasketch(texts: list[str]) -> set[int]:
    """32 bands of 8, xxh32, each proposed pair verified: what a user of datasketch would write with care."""
    first = MinHash(num_perm=256, hashfunc=xxhash.xxh32_intdigest)
    index = MinHashLSH(num_perm=256, params=(32, 8))
    sets: dict[int, set[bytes]] = {}
    fallen = set()
    for at, text in enumerate(texts):
        own = set(python_shingles(text))
        if not own:
            continue
        sketch = MinHash(num_perm=256, hashfunc=first.hashfunc, permutations=first.permutations, scheme=first.scheme)
        sketch.update_batch(own)
        if any(len(own & sets[other]) >= THRESHOLD * len(own | sets[other]) for other in index.query(sketch)):
            fallen.add(at)
        else:
            index.insert(at, sketch, check_duplication=False)
            sets[at] = own
    return fallen


def with_rensa(texts: list[str]) -> set[int]:
    """Its inline deduper with 32 bands, which goes by the estimated similarity."""
    from rensa import RMinHash, RMinHashDeduplicator

    kept = RMinHashDeduplicator(THRESHOLD, 256, True, 32)
    fallen = set()
    for at, text in enumerate(texts):
        if own := python_shingles(text):
            sketch = RMinHash(256, 42)
            sketch.update(own)
            if not kept.add(str(at), sketch):
                fallen.add(at)
    return fallen


def main(wanted: int) -> None:
    texts = corpus(wanted)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    near = neighbours(texts)
    required = greedy(near)
    print(
        f"{len(texts):,} files, {megabytes:.1f} MB; brute force: {near.nnz // 2:,} pairs at >= {THRESHOLD}, {len(required)} documents must fall\n"
    )
    ways: dict[str, Callable[[list[str]], set[int]]] = {"near_dup (42 x 6, verified)": ours, "datasketch 32 x 8, verified": with_datasketch}
    if importlib.util.find_spec("rensa"):
        ways["rensa inline deduper, 32 bands"] = with_rensa
    print(f"{'':32} {'MB/s':>7} {'ratio':>6} {'fallen':>7} {'recall':>7} {'precision':>9}")
    base = 0.0
    for name, way in ways.items():
        way(texts[:50])
        start = time.process_time()
        fallen = way(texts)
        speed = megabytes / (time.process_time() - start)
        base = base or speed
        recall, precision = recall_and_precision(near, required, fallen)
        print(f"{name:32} {speed:7.1f} {base / speed:5.2f}x {len(fallen):7} {recall:7.3f} {precision:9.3f}")
    print("\nratio: how many times faster near_dup is")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
