"""Every window once a step, whatever the ranks and micro batches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.trainer.batches import Loader, plan
from tests.trainer.made import Counting


@settings(deadline=None, max_examples=60)
@given(ranks=st.integers(1, 4), each=st.integers(1, 9), micro=st.integers(1, 12), steps=st.integers(1, 4))
def test_shares_cover_the_windows_in_order(ranks: int, each: int, micro: int, steps: int) -> None:
    cut = plan(
        seq_len=8, batch_tokens=8 * ranks * each, budget_tokens=8 * ranks * each * steps, micro_batch=micro, ranks=ranks, vocab_size=9
    )
    assert (cut.steps, cut.windows) == (steps, ranks * each)
    for step in range(steps):
        seen = []
        for rank in range(ranks):
            for index in range(cut.micro_batches):
                first, count = cut.share(step * cut.micro_batches + index, rank)
                assert 1 <= count <= micro
                seen += range(first, first + count)
        assert seen == list(range(step * cut.windows, (step + 1) * cut.windows))


def test_budgets_are_rounded_up_to_whole_steps() -> None:
    cut = plan(seq_len=100, batch_tokens=250, budget_tokens=401, micro_batch=1, ranks=1, vocab_size=9)
    assert (cut.windows, cut.tokens_per_step, cut.steps) == (2, 200, 3)
    assert plan(seq_len=100, batch_tokens=10, budget_tokens=1, micro_batch=1, ranks=1, vocab_size=9).windows == 1


def test_windows_that_cannot_be_divided_among_devices() -> None:
    with pytest.raises(UserError) as caught:
        plan(seq_len=100, batch_tokens=500, budget_tokens=1, micro_batch=1, ranks=2, vocab_size=9)
    assert caught.value.do == "trainer.batch_tokens=600"


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # of a machine with one core
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.system)])
def test_the_loader_begins_at_any_step(workers: int) -> None:
    cut = plan(seq_len=16, batch_tokens=16 * 5, budget_tokens=16 * 5 * 4, micro_batch=2, ranks=1, vocab_size=64)
    whole, late = (list(Loader(Counting(), cut, first_step=step, rank=0, workers=workers, pinned=False)) for step in (0, 2))
    assert len(whole) == 4 * 3
    assert [len(batch["ids"]) for batch in whole[:3]] == [1, 2, 2]
    for first, second in zip(whole[6:], late, strict=True):
        assert all((first[name] == second[name]).all() for name in ("ids", "targets", "segments"))


def test_the_loader_tells_how_long_it_was_waited_for() -> None:
    cut = plan(seq_len=16, batch_tokens=16, budget_tokens=64, micro_batch=1, ranks=1, vocab_size=64)
    loader = Loader(Counting(), cut, first_step=0, rank=0, workers=0, pinned=False)
    assert loader.waited == 0.0
    assert len(list(loader)) == len(loader) == 4
    assert loader.waited > 0.0
