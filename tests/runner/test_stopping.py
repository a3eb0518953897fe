from __future__ import annotations

import signal

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
