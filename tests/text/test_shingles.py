"""Sets of shingles against a plain implementation in Python, signatures against what they promise."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.shingles import WORDS, jaccard, mix, shingles, signature, signatures

WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")
SLOTS = 256


def plain(text: str) -> set[tuple[bytes, ...]]:
    words = WORD.findall(text.encode("utf-8", "surrogatepass"))
    return {tuple(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1)}


texts = st.lists(st.text(alphabet=st.sampled_from("ab_1 \n.(é字\ud800\U0001f40d"), max_size=120), max_size=12)


@settings(deadline=None, max_examples=150)
@given(texts)
def test_as_many_shingles_as_a_plain_implementation_finds(corpus: list[str]) -> None:
    assert [len(found) for found in shingles(corpus)] == [len(plain(text)) for text in corpus]


@settings(deadline=None, max_examples=100)
@given(texts, st.text(alphabet="ab ", max_size=60))
def test_a_text_has_the_same_shingles_in_every_company(corpus: list[str], text: str) -> None:
    (alone,) = shingles([text])
    assert np.array_equal(shingles([*corpus, text])[-1], alone)
    assert np.array_equal(shingles([text, *corpus])[0], alone)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 300, 5000])
def test_words_of_every_length_differ_in_every_byte(length: int) -> None:
    word = "x" * length
    others = [word[:at] + "y" + word[at + 1 :] for at in {0, length // 2, length - 1}] + [word + "x"]
    (own,) = shingles([f"a b c d {word}"])
    for other in others:
        (found,) = shingles([f"a b c d {other}"])
        assert jaccard(own, found) == 0.0


def test_the_jaccard_similarity_is_that_of_the_sets() -> None:
    rng = random.Random(7)
    for _ in range(50):
        one, other = (" ".join(rng.choices("abcd", k=rng.randrange(80))) for _ in range(2))
        left, right = plain(one), plain(other)
        expected = len(left & right) / len(left | right) if left | right else 0.0
        assert jaccard(*shingles([one, other])) == expected


def test_hashes_are_the_same_on_every_machine() -> None:
    (found,) = shingles(["def add(left, right): return left + right  # größer"])
    assert [int(value) for value in found] == GOLDEN
    assert [int(value) for value in signature(found, 16)] == GOLDEN_SIGNATURE


GOLDEN = [4568021516190563836, 4713599872233743442, 9576091585671201520, 16138462745463207593]
GOLDEN_SIGNATURE = [
    1376468160,
    312694488,
    675861230,
    4132304349,
    379658690,
    1038903186,
    1346024645,
    2804720204,
    1313982713,
    1645571017,
    2013506396,
    3584219183,
    946270533,
    4285883849,
    1513050538,
    1373290356,
]


def test_a_signature_depends_on_the_set_alone() -> None:
    rng = np.random.default_rng(3)
    for size in (1, 2, 5, 40, 300, 3000):
        hashes = mix(rng.integers(0, 1 << 63, size, dtype=np.uint64))
        own = signature(hashes, SLOTS)
        shuffled = rng.permutation(np.concatenate((hashes, hashes[: size // 2 + 1])))
        assert np.array_equal(signature(shuffled, SLOTS), own)


def test_signatures_of_texts_are_those_of_their_sets() -> None:
    rng = random.Random(5)
    corpus = [" ".join(rng.choices([f"w{n}" for n in range(400)], k=rng.choice([3, 4, 5, 6, 50, 4000]))) for _ in range(40)] + [
        "a " * 30_000
    ]
    for found, own in zip(signatures(corpus, SLOTS), shingles(corpus), strict=True):
        assert (found is None) == (len(own) == 0)
        assert found is None or np.array_equal(found, signature(own, SLOTS))


@pytest.mark.parametrize("size", [6, 30, 300, 5000])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_the_share_of_equal_minima_estimates_the_similarity(size: int, share: float) -> None:
    """Unbiased, and at most as scattered as MinHash with as many permutations: sqrt(J (1 - J) / 256)."""
    rng = np.random.default_rng(size)
    common = round(size * share)
    errors = []
    for _ in range(80):
        drawn = mix(rng.integers(0, 1 << 63, 2 * size - common, dtype=np.uint64))
        one, other = np.sort(drawn[:size]), np.sort(np.concatenate((drawn[:common], drawn[size:])))
        errors.append(float((signature(one, SLOTS) == signature(other, SLOTS)).mean()) - jaccard(one, other))
    true = common / (2 * size - common)
    spread = (true * (1 - true) / SLOTS) ** 0.5
    assert abs(np.mean(errors)) < 4 * spread / 80**0.5
    assert np.std(errors) < 1.35 * spread


def test_one_shingle_repeated_for_megabytes_costs_no_more_than_its_set() -> None:
    (long,) = signatures(["a " * 400_000], SLOTS)
    (short,) = signatures(["a a a a a"], SLOTS)
    assert long is not None and short is not None and np.array_equal(long, short)
