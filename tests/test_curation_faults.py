"""Curation under faults and hostile input, from the command line: workers and runs killed while a filter resolves; files that no filter likes.

The moment of a kill is not drawn but held: an audit hook in the run stops the whole process (SIGSTOP) as soon as it begins a `resolve`, is in
the middle of it, or has written everything and is about to rename it into place; then who is to die is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from minisc.core.durable import TEMPORARY
from tests import road, small_corpus

pytestmark = pytest.mark.system

STEPS = "steps=[collect,curate]"
BENCHMARK = Path(__file__).parent / "corpus"
OWN = (
    f"benchmarks={BENCHMARK}", "~filters.decontaminate.benchmarks",
    "+filters.decontaminate.benchmarks={own: {file: benchmark.jsonl, id: task_id, prompt: [prompt], solution: [solution]}}",
)  # fmt: skip
CHAIN = ("filters=[license,syntax,exact_dup,decontaminate,near_dup]", *OWN)
HOOK = """
import os, signal, sys
event, ending = {moment!r}
def stop(happened, words):
    global ending
    if ending and happened == event and words and str(words[0]).endswith(ending):
        ending = ""
        os.kill(os.getpid(), signal.SIGSTOP)
sys.addaudithook(stop)
"""


@pytest.fixture(scope="module")
def leaky(corpus: Path) -> Path:
    """The small corpus with a file that holds a benchmark's solution."""
    small_corpus.write(corpus / "project2" / "src" / "leak.py", json.loads((BENCHMARK / "benchmark.jsonl").read_text())["solution"])
    return corpus


@pytest.fixture(scope="module")
def whole(leaky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    road.run(leaky, out, STEPS, *CHAIN)
    fates = Counter(fates_of(out).values())
    assert fates["exact_dup/duplicate"] == fates["decontaminate/solution"] == fates["near_dup/near_duplicate"] == 1
    return out


def fates_of(out: Path) -> dict[str, str]:
    """repository/path -> stage/reason or `kept`, of the one curated corpus; it must count as its waterfall does."""
    (curated,) = out.glob("store/curate/*/manifest.json")
    tables = [pq.read_table(path) for kind in ("kept", "dropped") for path in sorted((curated.parent / kind).glob("*.parquet"))]
    rows = [row for table in tables for row in table.select(["uid", "repo", "path_text", "dropped_by", "reason", "text"]).to_pylist()]
    assert len({row["uid"] for row in rows}) == len(rows)
    assert all((row["text"] is None) == (row["dropped_by"] is not None) for row in rows)
    fates = {f"{row['repo']}/{row['path_text']}": f"{row['dropped_by']}/{row['reason']}" if row["dropped_by"] else "kept" for row in rows}
    stages = json.loads((curated.parent / "waterfall.json").read_text())["stages"]
    assert all(row["seen"] == row["kept"] + row["dropped"] for row in stages) and stages[0]["seen"] == len(fates)
    told = {f"{row['stage']}/{reason}": count["documents"] for row in stages for reason, count in row["reasons"].items()}
    assert Counter(fates.values()) == {**told, "kept": stages[-1]["kept"]}
    return fates


def stopped(leaky: Path, out: Path, hooks: Path, moment: tuple[str, str]) -> subprocess.Popen[str]:
    """A run that stands still at (audit event, ending of its first argument)."""
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK.format(moment=moment))
    process = subprocess.Popen(
        road.command(leaky, out, STEPS, *CHAIN), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**road.environment(), "PYTHONPATH": str(hooks)}, start_new_session=True,
    )  # fmt: skip
    while state(process.pid) != "T":
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    return process


def state(pid: int) -> str:
    """R, S, T for stopped, Z for dead."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def workers_of(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


RESOLVING = ("exact_dup", "decontaminate", "near_dup")
MOMENTS = {
    **{f"{stage} begins": ("os.mkdir", f"found/{stage}{TEMPORARY}") for stage in RESOLVING},
    "near_dup is at it": ("import", "datasketch"),
    **{f"{stage} has written": ("os.rename", f"found/{stage}{TEMPORARY}") for stage in RESOLVING},
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("run_too", [False, True], ids=["workers", "workers and the run"])
def test_killed_while_a_filter_resolves(leaky: Path, whole: Path, tmp_path: Path, moment: str, run_too: bool) -> None:
    out = tmp_path / "out"
    process = stopped(leaky, out, tmp_path / "hooks", MOMENTS[moment])
    workers = workers_of(process.pid)
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    if run_too:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not any(out.glob("store/curate/*/manifest.json"))
        road.run(leaky, out, STEPS, *CHAIN)
    else:
        os.kill(process.pid, signal.SIGCONT)
        told, _ = process.communicate(timeout=200)
        assert process.returncode == 0 and "Traceback" not in told, told
    assert road.contents(out) == road.contents(whole) and fates_of(out) == fates_of(whole)
    assert not any(out.rglob(f"*{TEMPORARY}*"))


def program(size: int, seed: int) -> str:
    """Functions that are all different, some `size` characters of them."""
    chance, out, held = random.Random(seed), [], 0
    while held < size:
        one, other, number = chance.randrange(5000), chance.randrange(5000), chance.randrange(10**6)
        out.append(f"def name_{one}_{len(out)}(rows, name_{other}):\n    total = [row * {number} + name_{other} for row in rows]\n")
        out.append(f"    return total[:{len(out)}] or name_{other}\n\n\n")
        held += len(out[-2]) + len(out[-1])
    return "".join(out)


MB, COPIES = 1_000_000, 10_000
HOSTILE = {
    "big/fifty.py": lambda: program(50 * MB, 1).encode(),
    "big/numbers.py": lambda: b"x = [" + b"1234567, " * (10 * MB // 9) + b"]\n",
    "big/string.py": lambda: b"x = '" + b"a" * (10 * MB) + b"'\n",
    "big/hexadecimal.py": lambda: b"x = '" + random.Random(2).randbytes(5 * MB).hex().encode() + b"'\n",
    "big/ats.py": lambda: b"# " + b"a@" * (5 * MB) + b"\nx = 1\n",
    "big/notices.py": lambda: b"# " + b"copyright (c) " * (5 * MB // 7) + b"\nx = 1\n",
    "big/brackets.py": lambda: b"(" * (10 * MB),
    "big/line_ends.py": lambda: b"\n" * (10 * MB),
    "odd/empty.py": lambda: b"",
    "odd/nul.py": lambda: b"x = 1\n" * 100 + b"\0",
    "odd/random.py": lambda: random.Random(3).randbytes(100_000),
    "odd/utf16.py": lambda: program(300, 4).encode("utf-16"),
    "odd/surrogate.py": lambda: b'x = "\xed\xa0\x80"\n',
    "odd/surrogate_escape.py": lambda: program(300, 5).encode() + b'x = "\\ud800"\n',
    "odd/mixed.py": lambda: program(300, 6).encode() + "# \N{CYRILLIC SMALL LETTER ZHE}\n".encode() + "# Jos\xe9\n".encode("latin-1"),
    "odd/koi8.py": lambda: b"# -*- coding: koi8-r -*-\n" + ("# \N{CYRILLIC SMALL LETTER ZHE}\n" + program(300, 7)).encode("koi8-r"),
    "odd/deep.py": lambda: b"x = " + b"-" * 900 + b"1\n" + b"y = " + b"(" * 300 + b"1" + b")" * 300 + b"\n" + program(3000, 8).encode(),
}  # fmt: skip
FATES = {
    "big/fifty.py": "malware/unscanned",
    **{f"big/{name}.py": "quality/long_lines" for name in ("numbers", "string", "hexadecimal", "ats", "notices", "brackets")},
    "big/line_ends.py": "collect/empty", "odd/empty.py": "collect/empty", "odd/nul.py": "collect/holds_nul",
    "odd/random.py": "collect/holds_nul", "odd/utf16.py": "collect/holds_nul", "odd/surrogate.py": "collect/not_text",
    "odd/surrogate_escape.py": "kept", "odd/mixed.py": "kept", "odd/koi8.py": "kept", "odd/deep.py": "syntax/too_deep",
}  # fmt: skip
UNLIMITED = (
    "filters.malware.max_bytes=64_000_000", "filters.quality.max_line=64_000_000", "filters.quality.max_line_mean=64_000_000",
    "filters.quality.max_encoded=64_000_000", "filters.quality.max_encoded_share=1", "filters.quality.min_letters=0",
)  # fmt: skip
FATES_UNLIMITED = FATES | {
    "big/fifty.py": "quality/too_many_lines", "big/brackets.py": "syntax/too_deep",
    **{f"big/{name}.py": "kept" for name in ("numbers", "string", "hexadecimal", "ats", "notices")},
}  # fmt: skip

MEASURED = (  # runs a command; the last word on stderr is the peak memory, in kB
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, content in HOSTILE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content())
    same = program(600, 9)
    for number in range(COPIES):
        (folder / f"copies{number % 7}").mkdir(exist_ok=True)
        (folder / f"copies{number % 7}" / f"{number}.py").write_text(same, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("words", "fates", "seconds", "megabytes"),
    [((), FATES, 90, 1500), (UNLIMITED, FATES_UNLIMITED, 300, 3000)],
    ids=["as it stands", "its limits lifted"],
)
def test_hostile_files_have_a_reason_each_in_bounded_time_and_memory(
    hostile: Path, tmp_path: Path, words: Sequence[str], fates: dict[str, str], seconds: int, megabytes: int
) -> None:
    """`curate_full` on one core; the limits are a few times what it took when this was written, so that only another order of growth breaks them."""
    chosen = (
        "+recipe=curate_full",
        "source=local",
        f"source.path={hostile}",
        f"out={tmp_path / 'out'}",
        "source.max_file_bytes=64_000_000",
    )
    words = (*road.command(hostile, tmp_path)[:3], *chosen, *OWN, *words, "engine.workers=1")
    start = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], capture_output=True, text=True, env=road.environment(), timeout=3 * seconds
    )
    took, peak = time.monotonic() - start, int(told.stderr.split()[-1]) / 1000
    assert told.returncode == 0 and "Traceback" not in told.stdout + told.stderr, told.stdout + told.stderr
    found = {name.removeprefix(f"{hostile.name}/"): fate for name, fate in fates_of(tmp_path / "out").items()}
    copies = Counter(fate for name, fate in found.items() if name.startswith("copies"))
    assert copies == {"kept": 1, "exact_dup/duplicate": COPIES - 1}
    assert {name: fate for name, fate in found.items() if not name.startswith("copies")} == fates
    assert took < seconds and peak < megabytes, f"{took:.0f} s, {peak:,.0f} MB"
