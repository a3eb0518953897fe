"""Every token is scored once, with the context that it may have; batches change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.evals.likelihood import Window, nats, windows
from tests.generation.small import TEXTS, naive_logits, network, tokenizer


@given(length=st.integers(1, 300), context=st.integers(2, 60), jump=st.integers(1, 60))
@settings(deadline=None, max_examples=300)
def test_windows_score_every_input_once_with_the_promised_context(length: int, context: int, jump: int) -> None:
    jump = min(jump, context)
    told = windows(7, length, context, jump)
    assert [at for window in told for at in range(window.scored, window.end)] == list(range(length))
    for window in told:
        assert window.document == 7 and 0 <= window.start <= window.scored < window.end
        assert window.end - window.start == min(context, length)
        assert window.scored == 0 or window.scored - window.start >= context - jump


def test_windows_of_a_long_document() -> None:
    assert windows(0, 10, 4, 2) == [Window(0, 0, 0, 4), Window(0, 2, 4, 6), Window(0, 4, 6, 8), Window(0, 6, 8, 10)]
    assert windows(0, 9, 4, 2)[-1] == Window(0, 5, 8, 9)  # the last is full too


def naive(ids: list[int], context: int, jump: int) -> float:
    """Token by token, each from a text of its own: no batch, no window but the formula's."""
    module, stream, total = network(), [0, *ids, 0], 0.0
    for at in range(1, len(stream)):
        begin = 0
        if at > context:
            edge = min(context + jump * math.ceil((at - context) / jump), len(stream) - 1)
            begin = edge - context
        total -= float(torch.log_softmax(naive_logits(module, stream[begin:at]).double(), -1)[stream[at]])
    return total


@pytest.mark.parametrize(("context", "jump"), [(128, 64), (32, 16), (32, 32), (17, 5)])
@pytest.mark.parametrize("batch_tokens", [1, 100, 4096])
def test_it_is_the_naive_sum(context: int, jump: int, batch_tokens: int) -> None:
    ids = [tokenizer().encode(text) for text in ("", "x", TEXTS[0], TEXTS[1][:30], TEXTS[2])]
    expected = [naive(own, context, jump) for own in ids]
    told = nats(network(), ids, 0, context, jump, batch_tokens, lambda amount: None)
    assert np.allclose(told, expected, rtol=1e-5)


def test_progress_counts_every_token(ids: tuple[int, ...] = (50, 60, 70)) -> None:
    seen: list[float] = []
    nats(network(), [list(ids), [80]], 0, 32, 16, 64, seen.append)
    assert sum(seen) == len(ids) + 1 + 2
