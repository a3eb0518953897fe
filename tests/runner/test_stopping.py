from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from minisc.runner.stopping import Stopped, behind


def test_a_stop_is_found_behind_what_a_library_made_of_it() -> None:
    """OmegaConf restores flags in a `finally`, and fails there when a signal comes while it copies."""
    try:
        try:
            raise Stopped(signal.SIGINT)
        finally:
            None._restore_flags()  # type: ignore[attr-defined]
    except AttributeError as error:
        found = behind(error)
    assert found is not None
    assert (found.status, found.word) == (130, "interrupted")


def test_any_other_error_hides_no_stop() -> None:
    assert behind(ValueError("a")) is None
    assert behind(None) is None


DROPPED = """
import signal, time
from minisc.runner import stopping
stopping.GRACE = 0.5
stopping.mind_signals()
stopping.watch()
class Dropper:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
Dropper()
print("went on", flush=True)
try:
    {next}
except stopping.Stopped as error:
    raise SystemExit(f"raised again: {error.word}")
"""


@pytest.mark.parametrize(
    ("next", "status", "says"),
    [
        ("stopping.mind_signals()", 1, "raised again: asked to end"),
        ("stopping.still_wanted()", 1, "raised again: asked to end"),
        ("time.sleep(20)", 143, "asked to end; the same line goes on where it stopped"),
    ],
)
def test_a_signal_that_was_dropped_on_the_way_is_not_lost(next: str, status: int, says: str) -> None:
    """Python drops what a `__del__` raises; the run stops at the next step, or when its time of grace is over, and says so."""
    told = subprocess.run([sys.executable, "-c", DROPPED.replace("{next}", next)], capture_output=True, text=True, timeout=15)
    assert told.stdout == "went on\n" and told.returncode == status and says in told.stderr, told.stderr
    assert "Traceback" not in told.stderr, told.stderr
