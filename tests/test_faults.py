"""What real machines do: full and read-only disks, two runs at once, Ctrl-C, moved stores, no hard links, unforeseen errors. Real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import road
from tests.evals.exams import written

pytestmark = pytest.mark.system
CURATE = "steps=[collect,curate,train_tokenizer,pack]"


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    road.run(corpus, out, CURATE)
    return out


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[tuple[Path, object]]:
    """An empty folder and a function that mounts a tmpfs of so many bytes on it, or changes its options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> None:
        told = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
        if told.returncode:
            pytest.skip(f"cannot mount: {told.stderr.strip()}")

    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    yield folder, mount
    while not subprocess.run(["umount", str(folder)], capture_output=True).returncode:
        pass


def start(corpus: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        road.command(corpus, out, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=road.environment(),
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str], seconds: float = 200) -> tuple[int, str]:
    told, _ = process.communicate(timeout=seconds)
    return process.returncode, told


def until(process: subprocess.Popen[str], out: Path, pattern: str) -> None:
    while process.poll() is None and not any(out.glob(pattern)):
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()[0]


@pytest.mark.parametrize("kilobytes", [200, 420])
def test_a_full_disk_is_said_and_room_lets_it_go_on(corpus: Path, whole: Path, mounted: tuple[Path, object], kilobytes: int) -> None:
    folder, mount = mounted
    mount(f"size={kilobytes}k")  # type: ignore[operator]
    told = road.run(corpus, folder / "out", CURATE, expect=2)
    assert "cannot write: no space left on device" in told and "out=<folder>" in told and "Traceback" not in told
    subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
    road.run(corpus, folder / "out", CURATE)
    assert road.contents(folder / "out") == road.contents(whole)


def test_a_read_only_store_is_said_and_can_be_read_from(corpus: Path, whole: Path, mounted: tuple[Path, object], tmp_path: Path) -> None:
    folder, mount = mounted
    mount("size=100m")  # type: ignore[operator]
    shutil.copytree(whole, folder / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    told = road.run(corpus, folder / "out", CURATE, expect=2)
    assert "cannot write: read-only file system" in told and "Traceback" not in told
    told = road.run(corpus, folder / "out", CURATE, f"hydra.run.dir={tmp_path / 'run'}")  # all of it is there
    assert told.count("in the store") == 4 and (tmp_path / "run" / "run.json").exists()
    told = road.run(corpus, folder / "out", CURATE, f"hydra.run.dir={tmp_path / 'run'}", "filters.near_dup.threshold=0.9", expect=2)
    assert "cannot write: read-only file system" in told and "curate" in told


def test_of_two_runs_at_once_one_waits_and_says_for_whom(corpus: Path, whole: Path, tmp_path: Path) -> None:
    first = start(corpus, tmp_path, CURATE)
    until(first, tmp_path, "store/curate/*/scratch/*")
    os.killpg(first.pid, signal.SIGSTOP)  # holds the lock as long as we like
    second = start(corpus, tmp_path, CURATE, f"hydra.run.dir={tmp_path / 'second'}")
    log = tmp_path / "second" / "minisc.log"
    while not log.exists() or "waiting for it" not in log.read_text():
        assert second.poll() is None, second.communicate()[0]
        time.sleep(0.05)
    assert f"process {first.pid} on" in log.read_text()
    os.killpg(first.pid, signal.SIGCONT)
    codes = [finished(process)[0] for process in (first, second)]
    assert codes == [0, 0] and road.contents(tmp_path) == road.contents(whole)


def test_the_lock_of_a_dead_owner_is_taken_over(corpus: Path, whole: Path, tmp_path: Path) -> None:
    first = start(corpus, tmp_path, CURATE)
    until(first, tmp_path, "store/curate/*/scratch/*")
    os.killpg(first.pid, signal.SIGSTOP)
    second = start(corpus, tmp_path, CURATE, f"hydra.run.dir={tmp_path / 'second'}")
    log = tmp_path / "second" / "minisc.log"
    while not log.exists() or "waiting for it" not in log.read_text():
        assert second.poll() is None, second.communicate()[0]
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    code, told = finished(second)
    assert code == 0, told
    assert road.contents(tmp_path) == road.contents(whole)


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that holds a model; and a benchmark of 100 items, two chunks of completions, beside it."""
    out = tmp_path_factory.mktemp("trained")
    road.run(corpus, out, "steps=[collect,curate,train_tokenizer,pack,pretrain]", "budget=8k")
    return next(out.glob("runs/*/*"))


def scoring(trained: Path, benchmark: Path, tokens: int) -> list[str]:
    test = "def check(candidate):\n    assert candidate(1) == 1\n"
    rows = [
        {
            "task_id": f"Many/{at}",
            "entry_point": "f",
            "prompt": f"def f(x):\n    # {at}\n",
            "canonical_solution": "    return x\n",
            "test": test,
        }
        for at in range(100)
    ]
    benchmark.mkdir()
    told = written(benchmark, "Many", rows)
    return [
        "steps=[evaluate]", "evals=[humaneval]", f"inputs.model={trained}", f"inputs.documents={trained}", f"benchmarks={benchmark}",
        "evals.humaneval.benchmark.name=Many", f"evals.humaneval.benchmark.sha256={told['sha256']}", f"evals.humaneval.max_new_tokens={tokens}",
        "evals.humaneval.stops=[]",
    ]  # fmt: skip


@pytest.mark.system
@pytest.mark.parametrize(("sign", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)])
def test_completions_are_kept_over_an_interruption(corpus: Path, trained: Path, tmp_path: Path, sign: signal.Signals, status: int) -> None:
    words = scoring(trained, tmp_path / "benchmark", 100)
    process = start(corpus, tmp_path / "out", *words)
    until(process, tmp_path / "out", "store/evaluate/*/scratch/humaneval-000000.json")
    os.killpg(process.pid, sign)
    code, told = finished(process)
    assert code == status and "Traceback" not in told, told
    [kept] = (tmp_path / "out").glob("store/evaluate/*/scratch/humaneval-*.json")
    (text, reason), *rest = json.loads(kept.read_text())
    kept.write_text(json.dumps([["#" + text, reason], *rest]))  # a mark: what is taken from here is not written anew
    road.run(corpus, tmp_path / "out", *words)
    road.run(corpus, tmp_path / "whole", *words)
    ours, theirs = (
        json.loads(next((tmp_path / name).glob("store/evaluate/*/scores.json")).read_text())["humaneval"]["tables"]["items"]
        for name in ("out", "whole")
    )
    assert ours[0]["completion"] == "#" + theirs[0]["completion"] and [row["completion"] for row in ours[1:]] == [
        row["completion"] for row in theirs[1:]
    ]


@pytest.mark.system
@pytest.mark.parametrize("step", ["evaluate", "export"])
def test_a_full_disk_while_scoring_and_exporting(
    corpus: Path, trained: Path, mounted: tuple[Path, object], tmp_path: Path, step: str
) -> None:
    folder, mount = mounted
    words = scoring(trained, tmp_path / "benchmark", 40) if step == "evaluate" else ["steps=[export]", f"inputs.model={trained}"]
    mount("size=100k")  # type: ignore[operator]
    told = road.run(corpus, folder / "out", *words, expect=2)
    assert "cannot write: no space left on device" in told and "Traceback" not in told, told
    assert not list(folder.glob("out/store/*/*/manifest.json"))
    subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
    road.run(corpus, folder / "out", *words)
    road.run(corpus, tmp_path / "whole", *words)
    ours, theirs = road.contents(folder / "out"), road.contents(tmp_path / "whole")
    cards = {name for name in ours if name.endswith("README.md")}  # it cites the command, and with it the folder
    assert {name: ours[name] for name in ours.keys() - cards} == {name: theirs[name] for name in theirs.keys() - cards}


MOMENTS = {
    "before the run": None, "collect": "store/collect/*/scratch/raw/*", "curate": "store/curate/*/scratch/*", "pack": "store/pack/*/tokens/*",
    "pretrain": "store/pretrain/*/scratch/*",
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("sign", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "asked to end")])
def test_a_signal_ends_it_with_a_clean_word(
    corpus: Path, tmp_path: Path, moment: str, sign: signal.Signals, status: int, word: str
) -> None:
    process = start(corpus, tmp_path, "steps=[collect,curate,train_tokenizer,pack,pretrain]", "budget=200k")
    if MOMENTS[moment]:
        until(process, tmp_path, str(MOMENTS[moment]))
    else:
        until(process, tmp_path, "runs/*/*/minisc.log")
    process.send_signal(sign)
    code, told = finished(process, seconds=60)
    assert code == status and f"{word}; the same line goes on where it stopped" in re.sub(r"\s+", " ", told), told
    assert "Traceback" not in told, told
    assert not any(
        f"PPid:\t{process.pid}\n" in path.read_text(errors="replace") for path in Path("/proc").glob("[0-9]*/status") if path.exists()
    )


def test_a_signal_while_it_imports_ends_it_without_a_traceback(corpus: Path, tmp_path: Path) -> None:
    process = start(corpus, tmp_path, CURATE)
    while "minisc" not in Path(f"/proc/{process.pid}/cmdline").read_text():
        time.sleep(0.005)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code, told = finished(process)
    assert code in (-signal.SIGINT, 130), told


def test_a_moved_store_gives_what_a_run_of_it_names(corpus: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "there")
    for manifest in whole.glob("store/*/*/manifest.json"):
        assert (tmp_path / "there" / manifest.relative_to(whole)).exists()
    run = next((tmp_path / "there").glob("runs/*/*"))
    story = (run / "run.json").read_text()
    (run / "run.json").write_text(story.replace(str(whole), "/nowhere"))  # as if the old place were gone
    words = ("steps=[train_tokenizer]", f"inputs.documents={run}", "plan_only=true")
    assert "in the store" in road.run(corpus, tmp_path / "there", *words)
    assert "train_tokenizer" in road.run(corpus, tmp_path / "elsewhere", *words)


def test_nothing_needs_hard_links(corpus: Path, whole: Path, tmp_path: Path) -> None:
    """An audit hook refuses them in every process, as a FAT or many a network file system does."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(
        "import sys\n"
        "def refuse(event, words):\n"
        "    if event == 'os.link':\n"
        "        raise PermissionError(1, 'Operation not permitted', str(words[0]))\n"
        "sys.addaudithook(refuse)\n"
    )
    environment = {**road.environment(), "PYTHONPATH": f"{tmp_path / 'hooks'}:{os.environ.get('PYTHONPATH', '')}"}
    probe = subprocess.run(
        [sys.executable, "-c", f"import os; os.link('{__file__}', '{tmp_path}/x')"], env=environment, capture_output=True, text=True
    )
    assert "Operation not permitted" in probe.stderr
    told = subprocess.run(road.command(corpus, tmp_path / "out", CURATE), env=environment, capture_output=True, text=True, timeout=200)
    assert told.returncode == 0, told.stdout + told.stderr
    assert road.contents(tmp_path / "out") == road.contents(whole)


def test_what_nobody_foresaw_is_a_short_word_and_a_traceback_in_the_log(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'minisc.tokenizer.bpe':\n"
        "            raise RuntimeError('the moon is full\\nand more')\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    environment = {**road.environment(), "PYTHONPATH": str(tmp_path / "hooks")}
    told = subprocess.run(road.command(corpus, tmp_path / "out", CURATE), env=environment, capture_output=True, text=True, timeout=200)
    assert told.returncode == 1 and "Traceback" not in told.stdout + told.stderr
    assert "did not foresee: RuntimeError: the moon is full" in told.stdout
    log = next((tmp_path / "out").glob("runs/*/*/minisc.log"))
    assert log.name in told.stdout and "Traceback" in log.read_text() and "the moon is full" in log.read_text()


def test_two_runs_of_one_second_do_not_share_a_folder(corpus: Path, tmp_path: Path) -> None:
    first = start(corpus, tmp_path / "out", CURATE, f"hydra.run.dir={tmp_path / 'run'}")
    until(first, tmp_path / "out", "store/collect/*/scratch/*")
    told = road.run(corpus, tmp_path / "out", CURATE, f"hydra.run.dir={tmp_path / 'run'}", expect=2)
    assert "writes into this folder" in told
    assert finished(first)[0] == 0


def test_a_clock_that_jumps_changes_nothing(corpus: Path, whole: Path, tmp_path: Path) -> None:
    """Eleven years ahead, killed; back by a year in the middle of the next attempt; then all is in the store."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("needs libfaketime (Debian: faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+4000d\n")
    fake = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(
            road.command(corpus, tmp_path / "out", CURATE), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**road.environment(), **fake}, start_new_session=True,
        )  # fmt: skip

    first = begin()
    until(first, tmp_path / "out", "store/curate/*/scratch/*")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert any((tmp_path / "out" / "runs" / "pretrain_local").glob("2037-*")), "the clock was not moved"
    second = begin()
    until(second, tmp_path / "out", "store/pack/*/tokens/*")
    clock.write_text("-365d\n")
    code, told = finished(second)
    assert code == 0 and "Traceback" not in told, told
    assert road.contents(tmp_path / "out") == road.contents(whole)
    assert road.run(corpus, tmp_path / "out", CURATE).count("in the store") == 4
