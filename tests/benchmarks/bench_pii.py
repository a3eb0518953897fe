"""How fast `pii` is on real code, beside detect-secrets with the same 18 plugins and filters, in one run and one process.

    python tests/benchmarks/bench_pii.py [folder of sources] [megabytes]

Prints MB/s of CPU time of each, the ratio, the findings of detect-secrets that the filter leaves although nothing is spared
(it must be none), and a sample of the lines that it changes, for a look at its precision by eye.
"""

from __future__ import annotations

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
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else packages()
    files = sources(folder, float(sys.argv[2]) if len(sys.argv) > 2 else 20.0)
    size = sum(len(text) for _, text in files) / 1e6
    few = files[: max(1, len(files) // 4)]
    few_size = sum(len(text) for _, text in few) / 1e6
    seconds, texts, counts = ours(files)
    their_seconds, found = theirs(few)
    print(f"pii             {size / seconds:7.2f} MB/s of CPU time on {size:.1f} MB ({len(files)} files), all kinds: {dict(counts)}")
    print(
        f"detect-secrets  {few_size / their_seconds:7.2f} MB/s of CPU time on {few_size:.1f} MB of them, secrets only: {len(found)} findings"
    )
    print(f"ratio           {size / seconds / (few_size / their_seconds):7.1f}")
    bare = dict(zip([path for path, _ in few], ours(few, spare=[], names=False)[1], strict=True))
    missed = [(path.name, line, value) for path, line, value in found if value in bare[path].splitlines()[line - 1]]
    print(f"findings of detect-secrets still there with spare=[]: {missed}")
    lines = [
        (path.name, old.strip(), new.strip())
        for (path, text), after in zip(files, texts, strict=True)
        for old, new in zip(text.splitlines(), after.splitlines(), strict=False)
        if old != new
    ]
    for name, old, new in random.Random(0).sample(lines, min(60, len(lines))):
        print(f"  {name[:24]:24} - {old[:110]}\n{'':26} + {new[:110]}")


if __name__ == "__main__":
    main()
