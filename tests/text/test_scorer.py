"""The learned score: features, the solver against a dense one, files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import BadInput
from minisc.text.scorer import SETTINGS, WEIGHTS, Scorer, Shape, fit

SHAPE = Shape(ngram=2, bits=10, characters=1000)
TEXTS = [f"def f{n}(x):\n    return x + {n}\n" if n % 2 else f"x{n} = {n}\nprint(x{n})\n" for n in range(40)]
SCORES = [9.0 if n % 2 else 1.0 for n in range(40)]


def fitted(shape: Shape = SHAPE, ridge: float = 0.1, rounds: int = 300) -> Scorer:
    return fit(shape, [shape.buckets(text) for text in TEXTS], SCORES, ridge, rounds)


def test_the_solver_agrees_with_a_dense_one() -> None:
    """numpy's own solver on the normal equations, which the conjugate gradients never write down."""
    matrix = np.zeros((len(TEXTS), 1 << SHAPE.bits))
    for row, text in enumerate(TEXTS):
        buckets = SHAPE.buckets(text)
        matrix[row, buckets] = 1 / np.sqrt(len(buckets))
    centred = np.array(SCORES) - np.mean(SCORES)
    exact = np.linalg.solve(matrix.T @ matrix + 0.1 * np.eye(1 << SHAPE.bits), matrix.T @ centred)
    np.testing.assert_allclose(fitted().weights, exact, atol=1e-4)


def test_it_learns_what_is_there_to_learn() -> None:
    good, bad, nothing = fitted().scores(["def g(x):\n    return x + 100\n", "y = 100\nprint(y)\n", ""])
    assert good > 8 and bad < 2
    assert nothing == 5.0  # the mean of the labels


def test_golden_numbers() -> None:
    """The same weights everywhere; a change here is a change of the component's version."""
    scorer = fitted()
    assert SHAPE.buckets("def f(x):\n    return x\n").tolist() == GOLDEN_BUCKETS
    assert hashlib.sha256(scorer.weights.tobytes()).hexdigest()[:16] == GOLDEN_WEIGHTS


GOLDEN_BUCKETS = [81, 99, 101, 143, 211, 220, 230, 234, 340, 408, 414, 435, 502, 683, 691, 836, 868, 968]
GOLDEN_WEIGHTS = "918f490c0b61bcb7"


def test_order_of_tokens_counts_only_with_longer_runs() -> None:
    one, two = Shape(1, 16, 100), Shape(2, 16, 100)
    assert one.buckets("a b").tolist() == one.buckets("b a").tolist()
    assert two.buckets("a b").tolist() != two.buckets("b a").tolist()


def test_only_the_beginning_is_looked_at() -> None:
    short = Shape(2, 16, 10)
    assert short.buckets("abcdefghij" + "k l m").tolist() == short.buckets("abcdefghij").tolist()


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.integers(1, 4))
def test_buckets_are_a_sorted_set_within_range(text: str, ngram: int) -> None:
    found = Shape(ngram, 9, 1000).buckets(text).tolist()
    assert found == sorted(set(found)) and all(0 <= bucket < 512 for bucket in found)
    assert 0 <= fitted(Shape(ngram, 9, 1000), rounds=3).scores([text])[0] <= 10


def test_saved_and_loaded_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fitted().save(tmp_path / name)
    for name in (SETTINGS, WEIGHTS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    again = Scorer.load(tmp_path / "one")
    assert again.shape == SHAPE and again.scores(TEXTS) == fitted().scores(TEXTS)


@pytest.mark.parametrize("damage", ["no folder", "no weights", "pickle", "too short", "other settings"])
def test_what_is_no_scorer_is_said_so(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "scorer"
    if damage != "no folder":
        fitted().save(folder)
    if damage == "no weights":
        (folder / WEIGHTS).unlink()
    if damage == "pickle":
        np.save(folder / WEIGHTS, np.array([{}], object), allow_pickle=True)
    if damage == "too short":
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:200])
    if damage == "other settings":
        (folder / SETTINGS).write_text('{"ngram": 2, "bits": 11, "characters": 9, "mean": 1}')
    with pytest.raises(BadInput, match="no scorer") as caught:
        Scorer.load(folder)
    assert caught.value.where == str(folder)


def test_hostile_texts_come_to_an_end() -> None:
    wide = Shape(2, 16, 10**7)
    for text in ("a" * 2_000_000, "\n" * 500_000, " " * 2_000_000, "1." * 500_000, "\ud800" * 1000):
        wide.buckets(text)
