"""Evaluations while a model is trained: what `trainer.eval_every` asks for.

In: the evaluations of `evals=[…]`, each in the small form that its `glimpse` gives, and the corpus that the tokens were made
of, found through their manifest. Out: the function that the trainer calls at a step, which returns the figures.
The trainer knows no evaluation and an evaluation no trainer: they meet here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from minisc.core.artifact import Artifact, Work
from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.core.parts import read_docs
from minisc.core.silence import Silence
from minisc.core.step import Speaker
from minisc.evals.base import Eval, Subject
from minisc.release.provenance import lineage

if TYPE_CHECKING:
    from minisc.model.base import LoadedModel
    from minisc.tokenizer.base import Tokenizer
    from minisc.trainer.look import Looker


def looker(evals: Mapping[str, Eval], benchmarks: str | None, tokens: Sequence[Artifact], tokenizer: Tokenizer, work: Work) -> Looker:
    """Raises UserError where no evaluation was chosen."""
    if not evals:
        raise UserError(
            "evaluations are wanted during training, and none is chosen", where="trainer.eval_every, evals=[]", do="evals=[bits_per_byte]"
        )
    small = {name: one.glimpse() for name, one in evals.items()}
    folder = Path(benchmarks).expanduser() if benchmarks else None

    def figures(model: LoadedModel, step: int) -> dict[str, float]:
        scratch = work.scratch / "glimpse"
        shutil.rmtree(scratch, ignore_errors=True)  # what a killed look left there may be of other settings
        scratch.mkdir()
        subject = Subject(
            model=model, tokenizer=tokenizer, documents=lambda split: _documents(tokens, work.context.out, split), scratch=scratch,
            speak=_Quiet(work.context.speak), benchmarks=folder,
        )  # fmt: skip
        found: dict[str, float] = {}
        for one in small.values():
            found |= {name: value for name, value in one.score(subject).figures.items() if isinstance(value, (int, float))}
        shutil.rmtree(scratch)
        return found

    return figures


def _documents(tokens: Sequence[Artifact], out: Path, split: str) -> Iterator[Doc]:
    """The corpus behind the tokens: the last artifact of documents that each was made of."""
    for artifact in tokens:
        made = [one for one in lineage(artifact, out) if one.manifest and "documents" in one.manifest["kinds"]]
        if not made:
            raise UserError(
                "the corpus behind the tokens is no longer in the store, and an evaluation during training reads it",
                where=f"tokens {artifact.fingerprint}", do="trainer.eval_every=0, or evals=[syntax]",
            )  # fmt: skip
        yield from read_docs(Artifact(out / "store" / made[-1].step / made[-1].fingerprint).files("kept"), split)


class _Quiet(Silence):
    """A speaker beside the bar of the training: warnings pass, bars and lines do not."""

    def __init__(self, speak: Speaker) -> None:
        self._speak, self.warnings = speak, speak.warnings

    def warn(self, text: str) -> None:
        self._speak.warn(text)
