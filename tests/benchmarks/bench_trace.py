"""How fast 1,000 samples are traced in about 100 MB of code, beside a suffix array and a set of n-grams.

    python -m tests.benchmarks.bench_trace [megabytes] [folder of sources]

The peers: `pydivsufsort` (libdivsufsort, a suffix array over bytes in memory; pip install pydivsufsort), where it is installed, on the first 20 MB;
and a dictionary of 16-grams of words in plain Python on the first 10 MB. Samples: half are 400 characters of the sources, half the same with every
fourth word renamed. Prints build MB/s, index bytes a token and a byte of text, seconds for all samples, peak memory of the build.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from minisc.core.document import table_of
from minisc.core.parts import write_part
from minisc.trace.origins import trace
from minisc.trace.part import PartTask, index_part
from minisc.trace.search import Rules
from tests import made

RULES = Rules(window=16, every=8, least=24, distinct=6, places=256)
PART = 60_000_000
WORD = re.compile(r"\w+|[^\w\s]")


def sources(folder: Path, megabytes: float) -> list[str]:
    texts, size = [], 0
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes().decode("utf-8", "replace").replace("\0", "")
        texts.append(text)
        size += len(text)
        if size > megabytes * 1e6:
            break
    return texts


def samples(texts: list[str]) -> list[str]:
    chance = random.Random(0)
    long = [text for text in texts if len(text) > 1000]
    out = []
    for number in range(1000):
        text = chance.choice(long)
        start = chance.randrange(len(text) - 400)
        cut = text[start : start + 400]
        out.append(cut if number % 2 else re.sub(r"\w+", lambda found: found[0] if chance.random() < 0.75 else f"{found[0]}_1", cut))
    return out


def ours(texts: list[str], asked: list[str], folder: Path) -> None:
    size, rows, parts = 0, [], []
    for number, text in enumerate(texts):
        rows.append(made.row("r", f"{number}.py", text, split="train"))
        size += len(text.encode())
        if sum(row["size"] for row in rows) > PART or number + 1 == len(texts):
            parts.append(folder / f"d{len(parts)}.parquet")
            write_part(parts[-1], [table_of(rows)])
            rows = []
    del rows
    (folder / "index").mkdir()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    told = [
        index_part(PartTask(documents=part, target=folder / "index" / f"part-{at:05d}", window=16, every=8))
        for at, part in enumerate(parts)
    ]
    built = time.perf_counter() - start
    tokens, held = sum(one["lexemes_indexed"] for one in told), sum(one["index_bytes"] for one in told)
    print(
        f"ours: {size / 1e6:.0f} MB, {tokens:,} tokens in {len(parts)} parts; built in {built:.1f} s, {size / 1e6 / built:.0f} MB/s on one core"
    )
    print(f"      {held / tokens:.2f} bytes a token, {held / size:.2f} a byte of text, {size / tokens:.2f} bytes of text a token")
    print(f"      peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB, {before / 1e3:.0f} before")
    start = time.perf_counter()
    found = list(trace(asked, folder / "index", RULES, 3, made.Inline(), folder))
    print(f"      1,000 samples in {time.perf_counter() - start:.2f} s, {sum(one.longest >= 24 for one in found)} repeat 24 tokens or more")
    few = list(trace(asked[:1], folder / "index", RULES, 3, made.Inline(), folder))
    assert few == found[:1]


def suffix_array(texts: list[str], asked: list[str]) -> None:
    try:
        import pydivsufsort
    except ModuleNotFoundError:
        print("pydivsufsort is not installed")
        return
    data = "\0".join(texts).encode()[:20_000_000]
    start = time.perf_counter()
    array = pydivsufsort.divsufsort(data)
    built = time.perf_counter() - start
    start, hits = time.perf_counter(), 0
    for text in asked:
        raw = text.encode()
        hits += any(pydivsufsort.sa_search(data, array, raw[at : at + 100])[0] for at in range(0, max(1, len(raw) - 100), 8))
    asked_in = time.perf_counter() - start
    print(
        f"pydivsufsort: {len(data) / 1e6:.0f} MB built in {built:.1f} s, {len(data) / 1e6 / built:.0f} MB/s, {array.nbytes / len(data) + 1:.0f} bytes a byte of text"
    )
    print(f"      is a piece of 100 bytes in it, at every 8th place of 1,000 samples: {asked_in:.2f} s, {hits} repeat")


def grams(texts: list[str], asked: list[str]) -> None:
    start, known, size = time.perf_counter(), {}, 0
    for number, text in enumerate(texts):
        words = WORD.findall(text)
        for gram in zip(*(words[at:] for at in range(16)), strict=False):
            known.setdefault(hash(gram), number)
        size += len(text)
        if size > 10_000_000:
            break
    built = time.perf_counter() - start
    start = time.perf_counter()
    hits = sum(any(hash(gram) in known for gram in zip(*(WORD.findall(text)[at:] for at in range(16)), strict=False)) for text in asked)
    held = sys.getsizeof(known) + 32 * len(known)
    print(
        f"dictionary of 16-grams: {size / 1e6:.0f} MB built in {built:.1f} s, {size / 1e6 / built:.1f} MB/s, {held / size:.1f} bytes a byte of text in memory"
    )
    print(f"      1,000 samples in {time.perf_counter() - start:.2f} s, {hits} share a 16-gram")


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 100.0
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(pa.__file__).parents[1]
    texts = sources(folder, megabytes)
    asked = samples(texts)
    with tempfile.TemporaryDirectory() as name:
        ours(texts, asked, Path(name))
    suffix_array(texts, asked)
    grams(texts, asked)


if __name__ == "__main__":
    main()
