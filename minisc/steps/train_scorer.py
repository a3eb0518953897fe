"""train_scorer: a cheap classifier that learns what somebody dear thinks of code, from scores in a file.

In: documents, and `labels`: JSON lines with `uid` or `sha1_git`, and `score` from 0 to 10, for instance what a large model said of a
sample of the corpus. Out: a `scorer` artifact: weights, settings, and the predictions for the labelled documents that were held back.
`filters.learned_score.scorer=<its folder>` then scores a whole corpus by it.
A tenth of the labelled texts (by a hash of the text's sha1_git, or uid) is held back and never learned from; what is stored is the model
that was measured on it: mean absolute error, beside that of always saying the mean, and the correlation.
Guarantees: the same documents, labels and settings give the same bytes. Several labels of one text count as their mean. Memory: the labels,
and 4 bytes an n-gram of the labelled texts. Price: one pass over the documents at reading speed.
Not for: telling good from bad by itself; it repeats its teacher, at a millionth of the price and with a larger error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.document import Doc
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.parts import read_docs
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.text.scorer import HIGHEST, LOWEST, Buckets, Scorer, Shape, fit

LEAST = 20  # labelled documents to learn from
_HELD_BACK = 10  # one of so many
_KEYS = ("uid", "sha1_git")


@dataclass(frozen=True, kw_only=True)
class TrainScorer(Step):
    """Raises UserError for settings that make no sense, BadInput for labels that cannot be read or fit too few documents."""

    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("scorer",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    labels: str | None = free()  # leaves() has its content
    ngram: int
    bits: int
    characters: int
    ridge: float
    rounds: int

    def __post_init__(self) -> None:
        if not self.labels:
            raise UserError("which labels?", where="labels=null", do="labels=<file.jsonl> with uid or sha1_git, and score, on each line")
        for name, least, most in (
            ("ngram", 1, 5),
            ("bits", 8, 26),
            ("characters", 100, 10**8),
            ("ridge", 1e-9, 1e9),
            ("rounds", 1, 10_000),
        ):
            if not least <= getattr(self, name) <= most:
                where = f"steps.train_scorer.{name}"
                raise UserError(f"{name} lies between {least} and {most}", where=f"{where}={getattr(self, name)}", do=f"{where}={least}")

    @property
    def _file(self) -> Path:
        path = Path(str(self.labels)).expanduser()
        if not path.is_file():
            raise BadInput("the labels are missing", where=f"labels={path}", do="labels=<file.jsonl>")
        return path

    def leaves(self, context: Context) -> Mapping[str, Any]:
        return {"labels": context.hashes.of([self._file])[0]}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return Cost(seconds=inputs["documents"].get("bytes_kept", 0) / 100e6, disk_bytes=4 << self.bits)

    def run(self, work: Work, inputs: Inputs) -> Figures:
        labels = read_labels(self._file)
        shape = Shape(self.ngram, self.bits, self.characters)
        learned: tuple[list[Buckets], list[float]] = ([], [])
        asked: list[tuple[str, str, float]] = []
        used: set[str] = set()
        with work.context.speak.progress("reading labelled documents", None) as bar:
            for doc in read_docs(inputs["documents"].files("kept")):
                key = next((name for name in (doc.uid, doc.sha1_git) if name in labels), None)
                if key is None:
                    continue
                used.add(key)
                bar.say(f"{len(used):,} of {len(labels):,}")
                if _is_held_back(doc):
                    asked.append((doc.uid, doc.text, labels[key]))
                else:
                    learned[0].append(shape.buckets(doc.text))
                    learned[1].append(labels[key])
        if len(learned[0]) < LEAST or not asked:
            raise BadInput(
                f"{len(used):,} of {len(labels):,} labels are of documents of this corpus, too few to learn from",
                where=f"labels={self.labels}", do=f"label at least {LEAST * 2} of its documents, or inputs.documents=<the corpus that was labelled>",
            )  # fmt: skip
        with work.context.speak.progress("fitting", None):
            scorer = fit(shape, *learned, self.ridge, self.rounds)
        scorer.save(work.path)
        return {
            "labels": len(labels),
            "labels_used": len(used),
            "documents_learned": len(learned[0]),
            **_measured(scorer, asked, work.path),
        }

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        figures = artifact.figures
        context.speak.line(
            f"mean absolute error {figures['mean_absolute_error']:.2f} on {figures['documents_asked']:,} documents held back "
            f"(always the mean: {figures['baseline_mean_absolute_error']:.2f}), correlation {figures['correlation']:.2f}"
        )
        context.speak.line(f"to score by it: +filters=[learned_score] filters.learned_score.scorer={artifact.path}")
        context.speak.line("to drop by it: +filters=[learned_score,threshold] and filters.threshold.limits.learned_score.min=<score>")


def _is_held_back(doc: Doc) -> bool:
    """Copies of a text are on the same side."""
    return hashlib.sha256(f"scorer:{doc.sha1_git or doc.uid}".encode()).digest()[0] % _HELD_BACK == 0


def _measured(scorer: Scorer, asked: Sequence[tuple[str, str, float]], folder: Path) -> Figures:
    """How well the held-back documents are scored; each of them is in `held_back.jsonl`."""
    said = scorer.scores(text for _, text, _ in asked)
    rows = [{"uid": uid, "label": label, "score": score} for (uid, _, label), score in zip(asked, said, strict=True)]
    with durable.write(folder / "held_back.jsonl") as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    truth, told = np.array([label for _, _, label in asked]), np.array(said)
    varied = len(asked) > 1 and truth.std() > 0 and told.std() > 0
    return {
        "documents_asked": len(asked),
        "mean_absolute_error": round(float(np.abs(truth - told).mean()), 4),
        "baseline_mean_absolute_error": round(float(np.abs(truth - scorer.mean).mean()), 4),
        "correlation": round(float(np.corrcoef(truth, told)[0, 1]), 4) if varied else 0.0,
    }


def read_labels(path: Path) -> dict[str, float]:
    """uid or sha1_git -> mean score. Raises BadInput naming the line."""
    told: dict[str, list[float]] = {}
    for number, entry in _entries(path):
        key = next((entry[name] for name in _KEYS if entry.get(name)), None)
        score = entry.get("score")
        if not isinstance(key, str) or isinstance(score, bool) or not isinstance(score, (int, float)) or not LOWEST <= score <= HIGHEST:
            raise BadInput(
                "a label has a uid or sha1_git, and a score from 0 to 10", where=f"{path}, line {number}",
                do='{"uid": "<32 hex digits>", "score": 7}',
            )  # fmt: skip
        told.setdefault(key, []).append(float(score))
    return {key: sum(scores) / len(scores) for key, scores in told.items()}


def _entries(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                if not isinstance(entry, dict):
                    raise ValueError("no object")
            except (ValueError, RecursionError) as error:
                raise BadInput(
                    f"a label cannot be read: {error}", where=f"{path}, line {number}", do="one JSON object on each line"
                ) from error
            yield number, entry
