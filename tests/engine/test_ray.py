"""The same parts through Ray: the same results, also when workers are killed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.test_local import die_once, square

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("default")]


def test_results_come_in_order_and_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    from minisc.engine.ray import Ray

    with Ray(address=None, workers=2).open() as engine:
        assert list(engine.map(square, list(range(12)))) == [n * n for n in range(12)]
        assert list(engine.map(square, [])) == []
        assert list(engine.map(die_once, [(str(tmp_path), n) for n in range(6)], max_workers=2)) == list(range(6))
    assert (tmp_path / "died").exists()
