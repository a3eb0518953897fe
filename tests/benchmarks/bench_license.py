"""License texts: our reading beside ScanCode's on the packages' license files, by speed and by answer. Run by hand:

    python -m tests.benchmarks.bench_license [folder of packages] [texts]

Texts are the files in `*.dist-info` that are made to hold a license, each unique text once (up to `texts`, 100 by default, every n-th).
ScanCode is asked if it is installed (`pip install scancode-toolkit-mini 'pluggy<1.6'`, best in an environment of its own; its index
takes a minute to load, which is not counted). Its detections are joined by AND, as it does for a file.

Printed: the time a text (mean, median, worst), the ratio of the means, how many answers are the same expression and how many the
same class (permissive, no_license, non_permissive), and both answers to every text where the expressions differ, those of another class first.
Differences that were seen, and why:

    LicenseRef-scancode-generic-cla, …-dco, …-warranty-disclaimer and the like
                             ScanCode's ids for clauses that are no license. The Stack v2 counts them as harmless; `license_class`
                             knows SPDX ids only and takes what it does not know as non_permissive. Ours never gives them.
    MIT AND fmt-exception    the exception only adds rights, ours says MIT; ScanCode gives it as a license of its own
    BSD-3-Clause-Open-MPI, Python-2.0.1, MPL-1.1
                             wordings of one license that ScanCode tells apart, or a license that the text of another one names
    OR and AND               "dual-licensed" in the text makes ours OR; the order of a choice is no difference
    collections (Pillow, NumPy, pyarrow, musl)
                             ScanCode lists every notice of every file, LGPL and GPL of xz's scripts in Pillow's among them, which makes another
                             class of it; ours takes what is granted in full or by name for a component
    GPL in Python's license  a mention ("GPL-compatible") that ScanCode takes as a clue; ours takes a grant or a full text
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from minisc.source.license_files import rank
from minisc.text.license_texts import identify, known
from minisc.text.licenses import license_class
from tests.benchmarks.real_code import packages

DEADLINE = 100  # seconds a text, as The Stack v2 gave it


def texts_of(folder: Path, wanted: int) -> list[tuple[str, str]]:
    """(name, text), each text once."""
    paths = (path for path in sorted(folder.glob("*.dist-info/**/*")) if path.is_file() and rank(path.name) == 1)
    unique = {path.read_text(encoding="utf-8", errors="replace"): str(path.relative_to(folder)) for path in paths}
    listed = sorted((name, text) for text, name in unique.items())
    return listed[:: max(1, len(listed) // wanted)][:wanted]


def with_scancode() -> Callable[[str], str | None] | None:
    try:
        from licensedcode.cache import get_index
        from licensedcode.detection import detect_licenses
    except ImportError:
        return None
    index = get_index()

    def answer(text: str) -> str | None:
        found = detect_licenses(query_string=text, index=index, deadline=time.time() + DEADLINE)
        named = list(dict.fromkeys(one.license_expression_spdx for one in found if one.license_expression_spdx))
        return " AND ".join(f"({one})" if " OR " in one else one for one in named) or None

    return answer


def timed(answer: Callable[[str], str | None], texts: list[tuple[str, str]]) -> tuple[list[str | None], list[float]]:
    answers, seconds = [], []
    for _, text in texts:
        start = time.process_time()
        answers.append(answer(text))
        seconds.append(time.process_time() - start)
    return answers, seconds


def told(name: str, seconds: list[float]) -> str:
    mean, median, worst = (1000 * one for one in (statistics.mean(seconds), statistics.median(seconds), max(seconds)))
    return f"{name:10} mean {mean:9.2f} ms   median {median:8.2f} ms   worst {worst:9.1f} ms"


def main(folder: Path, wanted: int) -> None:
    texts = texts_of(folder, wanted)
    print(f"{len(texts)} unique license texts, {sum(len(text) for _, text in texts) / 1e6:.2f} MB; processor time a text\n")
    known()  # loads the phrases
    ours, own_seconds = timed(identify, texts)
    print(told("ours", own_seconds))
    scancode = with_scancode()
    if scancode is None:
        print("ScanCode is not installed: nothing to compare with")
        return
    scancode("MIT License")
    theirs, their_seconds = timed(scancode, texts)
    print(told("ScanCode", their_seconds))
    print(f"\nratio of the means: ScanCode takes {statistics.mean(their_seconds) / statistics.mean(own_seconds):,.0f} times as long")
    same = sum(set((one or "").split()) == set((other or "").split()) for one, other in zip(ours, theirs, strict=True))
    classes = [(license_class(one), license_class(other)) for one, other in zip(ours, theirs, strict=True)]
    agree = sum(one == other for one, other in classes)
    print(f"same expression: {same} of {len(texts)}; same class: {agree} of {len(texts)}; the others:\n")
    listed = sorted(zip(texts, ours, theirs, classes, strict=True), key=lambda one: one[3][0] == one[3][1])
    for (name, _), one, other, (own_class, their_class) in listed:
        if set((one or "").split()) != set((other or "").split()):
            print(f"{name}\n  ours     {own_class:15} {one}\n  ScanCode {their_class:15} {other}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else packages()), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
