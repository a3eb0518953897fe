"""How fast `pii` is on real code, beside detect-secrets with the same 18 plugins and filters, in one run and one process.

    python tests/benchmarks/bench_pii.py [folder of sources] [megabytes]

Prints MB/s of CPU time of each, the ratio, the findings of detect-secrets that the filter leaves although nothing is spared
(it must be none), and the precision of each kind: of up to 60 replacements a kind, drawn with a fixed seed from 180 MB, how many were
right. Labels were given by eye, a line each in `pii_labels.tsv`: a hash of kind, line and value, so that nobody's name stands there
again, the kind, and `right` or `wrong`. Right is what is somebody's name, mail, address or secret, be it an invented one in a test;
wrong are ids, hashes, versions, placeholders (`user:pass@`), addresses of documentation, names of organisations. What other versions
of the packages bring is drawn too, shown as unlabelled, and left out of the precision: `--label` prints lines to label.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections import Counter
from pathlib import Path

import yaml
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

from minisc.core.document import Doc
from minisc.filters.pii import Pii
from tests.benchmarks.real_code import packages

OPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf/filters/pii.yaml").read_text(encoding="utf-8"))["pii"]
SETTINGS = {key: value for key, value in OPTION.items() if key != "_target_"}


def sources(folder: Path, megabytes: float) -> list[tuple[Path, str]]:
    """A seeded draw of files below 300 kB."""
    paths = [path for path in sorted(folder.rglob("*.py")) if path.stat().st_size < 300_000]
    random.Random(0).shuffle(paths)
    taken, held = [], 0.0
    for path in paths:
        text = path.read_bytes().decode("utf-8", "ignore").replace("\0", "")
        taken.append((path, text))
        held += len(text) / 1e6
        if held >= megabytes:
            break
    return taken


def documents(files: list[tuple[Path, str]]) -> list[Doc]:
    return [Doc(uid=str(at), text=text, size=len(text), path_text=str(path), repo="bench") for at, (path, text) in enumerate(files)]


def ours(files: list[tuple[Path, str]], **changes: object) -> tuple[float, list[str], Counter[str]]:
    docs = documents(files)
    with Pii(**{**SETTINGS, **changes}).open() as judge:
        start = time.process_time()
        verdicts = judge(docs)
        seconds = time.process_time() - start
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts.update(dict(verdict.notes.get("pii", {})))
    return seconds, [doc.text if verdict.text is None else verdict.text for doc, verdict in zip(docs, verdicts, strict=True)], counts


def theirs(files: list[tuple[Path, str]]) -> tuple[float, list[tuple[Path, int, str]]]:
    reference = {
        "plugins_used": [{"name": name, **OPTION["plugins"][name]} for name in list(OPTION["plugins"])[:18]],
        "filters_used": [{"path": f"detect_secrets.filters.heuristic.{name}"} for name in OPTION["filters"]],
    }
    with transient_settings(reference):
        start = time.process_time()
        found = [(path, secret.line_number, str(secret.secret_value)) for path, _ in files for secret in scan_file(str(path))]
        return time.process_time() - start, found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] != "--label" else packages()
    files = sources(folder, float(sys.argv[2]) if len(sys.argv) > 2 else 20.0)
    size = sum(len(text) for _, text in files) / 1e6
    few = files[: max(1, len(files) // 4)]
    few_size = sum(len(text) for _, text in few) / 1e6
    seconds, _, counts = ours(files)
    their_seconds, found = theirs(few)
    print(f"pii             {size / seconds:7.2f} MB/s of CPU time on {size:.1f} MB ({len(files)} files), all kinds: {dict(counts)}")
    print(
        f"detect-secrets  {few_size / their_seconds:7.2f} MB/s of CPU time on {few_size:.1f} MB of them, secrets only: {len(found)} findings"
    )
    print(f"ratio           {size / seconds / (few_size / their_seconds):7.1f}")
    bare = dict(zip([path for path, _ in few], ours(few, spare=[], names=False)[1], strict=True))
    missed = [(path.name, line, value) for path, line, value in found if value in bare[path].splitlines()[line - 1]]
    print(f"findings of detect-secrets still there with spare=[]: {missed}")
    precision(sources(folder, 180.0), shown="--label" in sys.argv)


LABELS = Path(__file__).with_name("pii_labels.tsv")
DRAWN = 60  # replacements of a kind


def precision(files: list[tuple[Path, str]], *, shown: bool) -> None:
    labels = {mark: label for mark, _, label in (line.split("\t") for line in LABELS.read_text(encoding="utf-8").splitlines())}
    found: dict[str, list[tuple[str, str]]] = {}
    judge = Pii(**SETTINGS).judge()
    for doc in documents(files):
        for span in judge.spans(doc)[0]:
            begin, end = doc.text.rfind("\n", 0, span.start) + 1, doc.text.find("\n", span.end)
            line = doc.text[max(begin, span.start - 80) : min(end if end >= 0 else len(doc.text), span.end + 40)]
            value = doc.text[span.start : span.end]
            mark = hashlib.sha256(f"{span.kind}\0{line}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
            found.setdefault(span.kind, []).append(
                (
                    mark,
                    line.replace(
                        value, f"\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}{value[:60]}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
                    ),
                )
            )
    print(f"\nprecision of replacements in {sum(len(text) for _, text in files) / 1e6:.0f} MB:")
    for kind, spans in sorted(found.items()):
        drawn = random.Random(0).sample(sorted(spans), min(DRAWN, len(spans)))
        told = Counter(labels.get(mark, "unlabelled") for mark, _ in drawn)
        known = told["right"] + told["wrong"]
        print(
            f"  {kind:9} {told['right']:3} right of {known:3} labelled ({told['right'] / max(1, known):.3f}), {told['unlabelled']} unlabelled, {len(spans):,} in all"
        )
        for mark, line in drawn if shown else ():
            if mark not in labels:
                print(f"{mark}\t{kind}\t{' '.join(line.split())}")


if __name__ == "__main__":
    main()
