"""EvalPlus' rules of comparison, each beside an answer that it must refuse."""

from __future__ import annotations

from typing import Any

import pytest

from minisc.evals import differential as d


@pytest.mark.parametrize(
    "answer,expected,tolerance,right",
    [
        (1, 1, 0, True),
        (1.0, 1, 0, True),  # equal is equal
        (1.0 + 1e-7, 1.0, 0, True),  # floats have a tolerance of their own
        (1.0 + 1e-5, 1.0, 0, False),
        (1.0 + 1e-5, 1.0, 1e-4, True),
        (1e20 * (1 + 1e-8), 1e20, 0, True),  # and a relative one
        ([1.0, 2.0 + 1e-7], [1.0, 2.0], 0, True),
        ((1.0, 2.0 + 1e-7), [1.0, 2.0], 0, False),  # the type is part of the answer
        ([1.0], [1.0, 2.0], 0, False),
        ([1, 2.0 + 1e-7], [1, 2.0], 0, False),  # not all floats: no tolerance
        ("1", 1, 1, False),
        (None, 1.0, 1, False),
        ([[1.0 + 1e-5]], [[1.0]], 1e-4, True),
        ([["a"]], [["b"]], 1e-4, False),
        (float("inf"), float("inf"), 0, True),
        (float("nan"), 1.0, 1, False),
    ],
)
def test_same(answer: Any, expected: Any, tolerance: float, right: bool) -> None:
    assert d.same(answer, expected, [], tolerance) is right


def test_the_rules_of_single_tasks() -> None:
    assert d.same_set([3, 1, 1], (1, 3), [], 0) and not d.same_set([1], (1, 3), [], 0)
    assert d.found(True, object(), [], 0) and d.found("text", object(), [], 0) and d.found(None, None, [], 0)
    assert not d.found(None, object(), [], 0) and not d.found(False, object(), [], 0) and not d.found("x", None, [], 0)
    assert d.root(2.0, None, [[-4, 0, 1]], 1e-4) and d.root(-2.0, None, [[-4, 0, 1]], 1e-4) and not d.root(1.9, None, [[-4, 0, 1]], 1e-4)
    assert d.surface(33, 33, [3, 4], 0) and d.surface(35, 33, [3, 4], 0) and not d.surface(34, 33, [3, 4], 0)
    assert d.digits(7, 7, [123, 256], 0) and d.digits(8, 9, [7, 10], 0) and not d.digits(1, 6, [23, 56], 0)


class Candidate:
    """Answers with a function, as the sandbox's `Remote` does."""

    def __init__(self, function: Any) -> None:
        self.function, self.rounds = function, []

    def each(self, asked: list[list[Any]], expected: list[Any], seconds: float) -> list[Any]:
        assert len(asked) == len(expected) and seconds >= d.PATIENCE[0]
        self.rounds.append(len(asked))
        return [self.function(*given) for given in asked]


def test_rounds_grow_and_cover_every_input_once() -> None:
    candidate = Candidate(lambda x: x + 1)
    d.compare(candidate, lambda x: x + 1, [[at] for at in range(200)], "same", 0)
    assert sum(candidate.rounds) >= 200 and candidate.rounds[0] == 1 and max(candidate.rounds) <= d.AT_ONCE


def test_the_first_difference_is_named() -> None:
    with pytest.raises(AssertionError, match=r"\[7\]: 0, expected 8"):
        d.compare(Candidate(lambda x: x + 1 if x < 7 else 0), lambda x: x + 1, [[at] for at in range(9)], "same", 0)


def test_a_reference_that_changes_its_input_spoils_nothing() -> None:
    inputs = [[[3, 1, 2]]]
    d.compare(Candidate(sorted), lambda x: (x.sort(), x)[1], inputs, "same", 0)
    assert inputs == [[[3, 1, 2]]]
