from __future__ import annotations

import numpy as np

from minisc.tokens.draws import BLOCK, Purpose, below, happen, happens, words


def test_golden_words() -> None:
    """What a seed means may never change: these are Philox 4x64's words for this key and counter."""
    assert words(1, Purpose.PIECES, 2, 5, window=3).tolist() == GOLDEN


GOLDEN = [10129270712904290299, 184857450559495587, 1238128474158198823, 14078810441322361739, 10321977423900911830]


def test_a_piece_owns_its_block_however_many_are_asked_for() -> None:
    many = words(0, Purpose.PIECES, 0, 40 * BLOCK, window=9)
    for piece in (1, 2, 40):
        assert words(0, Purpose.PIECES, 0, piece * BLOCK, window=9).tolist() == many[: piece * BLOCK].tolist()


def test_every_part_of_the_key_matters() -> None:
    drawn = {
        tuple(words(seed, purpose, epoch, 4, window=window).tolist())
        for seed in (0, 1, (1 << 64) - 1)
        for purpose in (Purpose.ORDER, Purpose.NAMES)
        for epoch in (0, 1)
        for window in (0, 1, 1 << 40)
    }
    assert len(drawn) == 3 * 2 * 2 * 3


def test_chances_are_what_they_say() -> None:
    drawn = words(5, Purpose.NAMES, 0, 20_000)
    for rate in (0.0, 0.25, 0.5, 1.0):
        share = happen(drawn, rate).mean()
        assert abs(share - rate) < 0.015
        assert abs(np.mean([happens(word, rate) for word in drawn.tolist()]) - share) < 1e-9
    assert happen(drawn, 1.0).all()
    assert not happen(drawn, 0.0).any()
    assert happens((1 << 64) - 1, 1.0)
    assert not happens(0, 0.0)


def test_below_reaches_both_ends_evenly() -> None:
    drawn = [below(word, 7) for word in words(5, Purpose.PIECES, 0, 14_000).tolist()]
    assert sorted(set(drawn)) == list(range(7))
    assert max(abs(drawn.count(value) - 2000) for value in range(7)) < 200
    assert below((1 << 64) - 1, 3) == 2
