"""Guesses are what followed before, no more than were right in a row, and never change what is written."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from minisc.generation.echo import GRAM, Echo


def test_a_new_text_is_not_guessed() -> None:
    echo = Echo(list(range(50)))
    assert echo.guess(10) == []


def test_a_loop_is_guessed_twice_as_far_each_time() -> None:
    echo, loop = Echo([1, 2, 3, 4, 5] * 2), [1, 2, 3, 4, 5] * 20
    echo, at, told = Echo([9, *loop[:9]]), 9, []
    while at < 60:
        guess = echo.guess(100)
        assert guess == loop[at : at + len(guess)]
        told.append(len(guess))
        for token in loop[at : at + len(guess) + 1]:
            echo.take(token)
        at += len(guess) + 1
    assert all(after == 2 * before + 1 for before, after in pairwise(told)) and told[-1] > 15


def test_one_wrong_guess_ends_the_row() -> None:
    echo = Echo([1, 2, 3, 4, 1, 2, 3, 4, 1, 2])
    assert echo.guess(9)
    echo.take(7)
    assert echo.guess(9) == []


@given(ids=st.lists(st.integers(0, 2), max_size=60), most=st.integers(-1, 9))
def test_a_guess_is_what_followed_the_same_ids(ids: list[int], most: int) -> None:
    guess = Echo(ids).guess(most)
    assert len(guess) <= max(most, 0)
    if guess:
        said = [*ids, *guess]
        last = tuple(ids[-GRAM:])
        followed = [tuple(said[at + GRAM : at + GRAM + len(guess)]) for at in range(len(ids) - GRAM) if tuple(ids[at : at + GRAM]) == last]
        assert tuple(guess) in followed
