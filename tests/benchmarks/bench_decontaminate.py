"""How fast `decontaminate` looks for all benchmarks at once, beside Python's `tokenize` and a set of 12-grams of words.

    MINISC_BENCHMARKS=<folder> python tests/benchmarks/bench_decontaminate.py [folder of sources] [megabytes]

The 12-grams are what datatrove does, in plain Python with a set: the floor that any n-gram decontamination by words pays.
Prints MB/s of CPU time, ratios, and every document of the folder that matches (real libraries hold none of the items).
"""

from __future__ import annotations

import io
import os
import sys
import time
import tokenize
from collections.abc import Callable
from pathlib import Path

import yaml

from minisc.core.document import Doc
from minisc.filters.decontaminate import Decontaminate
from tests.benchmarks.bench_pii import documents, sources
from tests.benchmarks.real_code import packages

OPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/filters/decontaminate.yaml").read_text(encoding="utf-8"))[
    "decontaminate"
]


def stage(renamed: bool) -> Decontaminate:
    settings = {key: value for key, value in OPTION.items() if key != "_target_"}
    return Decontaminate(**{**settings, "folder": os.environ["MINISC_BENCHMARKS"], "renamed": renamed})


def twelve_grams(docs: list[Doc], grams: set[tuple[str, ...]]) -> None:
    for doc in docs:
        words = doc.text.lower().split()
        any(gram in grams for gram in zip(*(words[at:] for at in range(12)), strict=False))


def tokenized(docs: list[Doc]) -> None:
    for doc in docs:
        try:
            for _ in tokenize.generate_tokens(io.StringIO(doc.text).readline):
                pass
        except (tokenize.TokenError, SyntaxError):
            continue


def rate(docs: list[Doc], work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return sum(doc.size for doc in docs) / 1e6 / (time.process_time() - start)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else packages()
    docs = documents(sources(folder, float(sys.argv[2]) if len(sys.argv) > 2 else 20.0))
    few = docs[: max(1, len(docs) // 5)]
    literal, renaming = stage(False), stage(True)
    for each in (literal, renaming):
        start = time.process_time()
        each.sketch([])
        print(f"index built in {time.process_time() - start:.2f} s")
    grams: set[tuple[str, ...]] = {("x",) * 12}
    base = {"12-grams of words": rate(docs, lambda: twelve_grams(docs, grams)), "tokenize": rate(few, lambda: tokenized(few))}
    ours = {"literal and overlap": rate(docs, lambda: literal.sketch(docs)), "with renaming": rate(docs, lambda: renaming.sketch(docs))}
    for name, speed in {**ours, **base}.items():
        print(f"{name:20} {speed:7.1f} MB/s of CPU time")
    print(
        f"literal / 12-grams {ours['literal and overlap'] / base['12-grams of words']:.1f}, renaming / tokenize {ours['with renaming'] / base['tokenize']:.1f}"
    )
    matched = [row["uid"] for row in renaming.sketch(docs).to_pylist() if row["pattern"]]
    print(f"{len(matched)} of {len(docs)} documents match: {[docs[int(uid)].path_text for uid in matched]}")


if __name__ == "__main__":
    main()
