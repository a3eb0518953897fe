"""Chance without state: numbers that are a pure function of what they are for.

In: a seed, a purpose, an epoch, perhaps a window. Out: 64-bit words, the same in any process, in any order of asking, in any
numpy (the raw stream of a bit generator is fixed; what `Generator` makes of it may change: NEP 19, and is not used).
The generator is Philox 4x64 (Salmon and others, SC 2011), counter-based: the block at counter (j, 0, window, epoch) holds words
4j to 4j+3 of that window, so that piece j of a window owns one block of its own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

BLOCK = 4  # words a block of the counter


class Purpose(IntEnum):
    """Second half of the key: what the numbers decide. Values are written into what a seed means: never change one."""

    ORDER = 1  # of repositories, or of documents
    ORDER_INSIDE = 2  # of files in a repository
    NAMES = 3  # whether a repository is told with its names
    FIM_GROUP = 4  # whether a repository's files may be transformed
    COPIES = 5  # of the fraction of a weight
    PIECES = 6  # choice, form and cuts of each piece of a window
    WINDOWS = 7  # in which order the windows of an epoch are told


def words(seed: int, purpose: Purpose, epoch: int, count: int, *, window: int = 0) -> np.ndarray:
    """uint64[count]."""
    generator = np.random.Philox(counter=np.array([0, 0, window, epoch], np.uint64), key=np.array([seed, purpose], np.uint64))
    return np.asarray(generator.random_raw(count), dtype=np.uint64)


def happens(word: int, rate: float) -> bool:
    """True with probability `rate`, from one word."""
    return word < int(rate * 2.0**64)


def happen(many: np.ndarray, rates: float | np.ndarray) -> np.ndarray:
    """Each word with its probability, as bool[]; compares 53 bits as float64, exact for every rate in 0 .. 1."""
    return np.asarray((many >> np.uint64(11)).astype(np.float64) * 2.0**-53 < rates)


def below(word: int, bound: int) -> int:
    """A whole number in 0 .. bound - 1, each alike to within bound / 2**64."""
    return (word * bound) >> 64
