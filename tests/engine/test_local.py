from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from minisc.core.errors import UserError
from minisc.engine.local import Local


def square(number: int) -> int:
    return number * number


def die_once(where: tuple[str, int]) -> int:
    """Kills its own worker the first time that it sees item 3."""
    folder, number = where
    mark = Path(folder) / "died"
    if number == 3 and not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 2, None])
def test_results_come_in_the_order_of_the_items(workers: int | None) -> None:
    with Local(workers=workers).open() as engine:
        assert list(engine.map(square, list(range(20)))) == [n * n for n in range(20)]
        assert list(engine.map(square, [], max_workers=1)) == []


def test_a_killed_worker_is_replaced_and_its_item_tried_again(tmp_path: Path) -> None:
    with Local(workers=2).open() as engine:
        assert list(engine.map(die_once, [(str(tmp_path), n) for n in range(8)])) == list(range(8))
    assert (tmp_path / "died").exists()


@pytest.mark.system
def test_a_worker_that_always_dies_is_an_error_in_three_parts() -> None:
    with Local(workers=2).open() as engine, pytest.raises(UserError, match="died 3 times in a row") as caught:
        list(engine.map(always_die, [1, 2, 3]))
    assert caught.value.do == "engine.workers=1 needs the least memory"


def test_no_workers_are_refused() -> None:
    with pytest.raises(UserError, match="at least one worker"):
        Local(workers=0)
