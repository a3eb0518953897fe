"""One writer an artifact: on a machine, and among machines over a real S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minisc.core import durable, mirror
from minisc.runner.locks import LEASE, leased, one_writer
from tests.silent import Silent

FAST = {"beat": 0.1, "dead": 0.6, "settle": 0.1}  # seconds


def elsewhere(here: Path, tmp_path: Path) -> Path:
    """The same folder as another machine has it."""
    path = tmp_path / "two" / here.relative_to(tmp_path / "one")
    path.mkdir(parents=True)
    return path


def test_of_two_on_one_machine_the_second_waits(tmp_path: Path) -> None:
    code = "import sys, pathlib; from minisc.runner.locks import one_writer; from tests.silent import Silent\n"
    code += "with one_writer(pathlib.Path(sys.argv[1]), 'curate', Silent()): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        speak, order = Silent(), []

        def second() -> None:
            with one_writer(tmp_path, "curate", speak):
                order.append("second")

        waiting = threading.Thread(target=second)
        waiting.start()
        while not speak.lines:
            time.sleep(0.01)
        assert f"process {other.pid} on" in speak.lines[0] and not order
        other.kill()  # a dead owner holds nothing
        waiting.join(timeout=10)
        assert order == ["second"]


def test_among_machines_the_second_waits_while_the_first_is_heard_of(here: Path, tmp_path: Path) -> None:
    there, speak, order = elsewhere(here, tmp_path), Silent(), []

    def second() -> None:
        with leased(there, "curate", speak, **FAST):
            order.append("second")

    with leased(here, "curate", Silent(), **FAST):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(3 * FAST["dead"])  # longer than a dead owner's lease stands
        order.append("first")
    waiting.join(timeout=10)
    assert order == ["first", "second"]
    assert len(speak.lines) == 1 and "is making this artifact; waiting for it" in speak.lines[0]
    assert mirror.read(here / LEASE) is None


def test_who_is_not_heard_of_any_more_holds_nothing(here: Path) -> None:
    speak = Silent()
    durable.write_json(
        here / LEASE, {"owner": "process 7 on far, since yesterday", "machine": "far", "process": 7, "token": "t", "beat": 3}
    )
    start = time.monotonic()
    with leased(here, "curate", speak, **FAST):
        assert time.monotonic() - start > FAST["dead"]
        assert json.loads(mirror.read(here / LEASE) or b"")["token"] != "t"
    assert "nothing is heard of process 7 on far" in speak.lines[-1]


def test_a_process_of_this_machine_that_is_gone_holds_nothing_at_once(here: Path, tmp_path: Path) -> None:
    code = "import sys, os, pathlib; from minisc.runner.locks import leased; from tests.silent import Silent\n"
    code += "with leased(pathlib.Path(sys.argv[1]), 'curate', Silent(), settle=0.1): os._exit(0)"
    subprocess.run([sys.executable, "-c", code, str(here)], check=True)
    assert mirror.read(here / LEASE)
    start = time.monotonic()
    with leased(here, "curate", Silent(), settle=0.1):
        assert time.monotonic() - start < 5  # and not the minute of one that is on another machine


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b'{"process": "x"}'])
def test_what_is_no_lease_holds_up_nobody_for_long(here: Path, content: bytes) -> None:
    with durable.write(here / LEASE) as temporary:
        temporary.write_bytes(content)
    with leased(here, "curate", Silent(), **FAST):
        pass


def test_of_two_that_begin_at_once_one_waits(here: Path, tmp_path: Path) -> None:
    inside, most = [], []

    def work(path: Path) -> None:
        with leased(path, "curate", Silent(), beat=0.1, dead=5, settle=0.5):
            inside.append(path)
            time.sleep(0.3)
            most.append(len(inside))
            inside.remove(path)

    both = [threading.Thread(target=work, args=(path,)) for path in (here, elsewhere(here, tmp_path))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(timeout=30)
    assert most == [1, 1]
