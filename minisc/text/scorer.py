"""A cheap learned score of code: which runs of tokens go with high scores, as one weight a hash.

In: texts with scores from 0 to 10, from whoever judged them. Out: a `Scorer`: a linear model over hashed token n-grams, which scores any
text; two files on disk, `scorer.json` (settings) and `weights.npy`.
A text is the set of its n-grams of up to `ngram` tokens (names, numbers, operators, comment words, line breaks with their indentation),
each hashed into one of 2**`bits` buckets; a feature is 1 / sqrt(number of buckets hit), so that long texts do not weigh more. Weights are
those of ridge regression, found by conjugate gradients.
Guarantees: the same texts, in the same order, give the same weights: nothing is drawn, nothing but +, *, / and square roots is used, which
IEEE 754 fixes, and no BLAS, whose sums depend on the machine. Memory: 4 bytes an n-gram of the texts that are learned from. Price: scoring
runs at about 14 MB/s a core (tests/benchmarks/bench_scores.py), nearly all of it in finding the tokens.
Rejected: fastText (a C++ compiler, random threads), scikit-learn (a large dependency for one solver), a small language model
(Seed-Coder's has 1.3B parameters).
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minisc.core import durable
from minisc.core.errors import BadInput

Buckets = npt.NDArray[np.int32]
Vector = npt.NDArray[np.float64]
LOWEST, HIGHEST = 0.0, 10.0
SETTINGS, WEIGHTS = "scorer.json", "weights.npy"
_TOKEN = re.compile(r"[^\W\d]\w{0,63}|\d[\w.]{0,31}|\n[ \t]{0,64}|[^\s\w]")
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)
_STEP = np.uint64(0x100000001B3)  # FNV's prime: tells `a b` from `b a`


@dataclass(frozen=True)
class Shape:
    """What a text is turned into: `ngram` tokens at most in one feature, 2**`bits` buckets, the first `characters` of a text."""

    ngram: int
    bits: int
    characters: int

    def buckets(self, text: str) -> Buckets:
        """The buckets that a text's n-grams fall into, each once, ascending."""
        tokens = _TOKEN.findall(text[: self.characters])
        known: dict[str, int] = {}
        codes = np.fromiter((known.get(token) or known.setdefault(token, _code(token)) for token in tokens), np.uint64, len(tokens))
        runs, grams = codes, []
        for length in range(1, self.ngram + 1):
            grams.append((runs * _SPREAD) >> np.uint64(64 - self.bits))
            runs = runs[:-1] * _STEP + codes[length:]
        return np.unique(np.concatenate(grams)).astype(np.int32)


def _code(token: str) -> int:
    return zlib.crc32(token.encode("utf-8", "surrogatepass")) + 1


@dataclass(frozen=True)
class Scorer:
    shape: Shape
    mean: float
    weights: npt.NDArray[np.float32]

    def scores(self, texts: Iterable[str]) -> list[float]:
        """From 0 to 10, two decimals; the mean of what was learned for a text without tokens."""
        return [self._score(self.shape.buckets(text)) for text in texts]

    def _score(self, buckets: Buckets) -> float:
        told = self.weights[buckets].astype(np.float64)
        score = self.mean + float(np.add.reduce(told)) / math.sqrt(max(1, len(told)))
        return round(min(HIGHEST, max(LOWEST, score)), 2)

    def save(self, folder: Path) -> None:
        with durable.write(folder / WEIGHTS) as temporary, temporary.open("wb") as file:
            np.save(file, self.weights, allow_pickle=False)
        told = {"ngram": self.shape.ngram, "bits": self.shape.bits, "characters": self.shape.characters, "mean": self.mean}
        durable.write_json(folder / SETTINGS, told)

    @classmethod
    def load(cls, folder: Path) -> Scorer:
        """Raises BadInput for a folder that holds no scorer."""
        try:
            told = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            shape = Shape(int(told["ngram"]), int(told["bits"]), int(told["characters"]))
            weights = np.load(folder / WEIGHTS, allow_pickle=False)
            if weights.shape != (1 << shape.bits,) or weights.dtype != np.float32:
                raise ValueError("the weights are not those of the settings")
            return cls(shape, float(told["mean"]), weights)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"this is no scorer: {error}", where=str(folder), do="name the folder of an artifact that steps=[train_scorer] made"
            ) from error


def fit(shape: Shape, texts: Sequence[Buckets], scores: Sequence[float], ridge: float, rounds: int) -> Scorer:
    """Ridge regression on texts that were turned into buckets: at most `rounds` steps of conjugate gradients.

    Minimises the sum of squared errors plus `ridge` times the squared weights (M. Hestenes and E. Stiefel, 1952).
    """
    rows = _Rows(texts, 1 << shape.bits)
    mean = float(np.add.reduce(np.asarray(scores, np.float64))) / len(scores)
    residual = rows.transposed(np.asarray(scores, np.float64) - mean)
    weights = np.zeros(rows.width)
    direction, size = residual.copy(), _dot(residual, residual)
    enough = 1e-16 * size
    for _ in range(rounds):
        if size <= enough:
            break
        curved = rows.transposed(rows.times(direction)) + ridge * direction
        step = size / _dot(direction, curved)
        weights += step * direction
        residual -= step * curved
        before, size = size, _dot(residual, residual)
        direction = residual + (size / before) * direction
    return Scorer(shape, mean, weights.astype(np.float32))


def _dot(one: Vector, other: Vector) -> float:
    return float(np.add.reduce(one * other))  # not np.dot: BLAS sums in an order of the machine's


class _Rows:
    """The features of all texts as a sparse matrix: a row a text, 1 / sqrt(buckets hit) at each of its buckets."""

    def __init__(self, texts: Sequence[Buckets], width: int) -> None:
        self.width = width
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self._columns = np.concatenate([*texts, np.empty(0, np.int32)])
        self._row = np.repeat(np.arange(len(texts)), lengths)
        self._count = len(texts)
        self._value = 1 / np.sqrt(np.maximum(lengths, 1).astype(np.float64))

    def times(self, vector: Vector) -> Vector:
        return np.bincount(self._row, vector[self._columns], self._count).astype(np.float64) * self._value

    def transposed(self, vector: Vector) -> Vector:
        return np.bincount(self._columns, (vector * self._value)[self._row], self.width).astype(np.float64)
