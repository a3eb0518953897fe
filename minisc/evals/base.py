"""An evaluation scores a model: figures with plain names, and tables with a row for each thing that was scored.

In: a `Subject`: the model with its tokenizer, and what evaluations may use beside it. Out: `Scores`. The `evaluate` step
runs every evaluation of its list on one subject, keeps what they return, and the report and `compare` show it.
Guarantees to the step: `score` changes nothing outside `scratch`, is deterministic up to rounding for the same subject, and
may be killed and called again on the same `scratch`, where long evaluations keep what is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core.document import Doc
from minisc.core.step import Speaker

if TYPE_CHECKING:
    from minisc.model.base import LoadedModel
    from minisc.tokenizer.base import Tokenizer

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is scored, and what an evaluation may use."""

    model: LoadedModel
    tokenizer: Tokenizer
    documents: Callable[[str], Iterable[Doc]]  # split -> its kept documents, streamed anew at each call; for contamination: train
    scratch: Path  # kept over a kill, removed when the evaluation is committed
    speak: Speaker
    benchmarks: Path | None = None  # folder of benchmark files; None: from the hub


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`figures`: plain names that say their unit. `tables`: name -> rows of plain values, for the report and for `compare`."""

    figures: Mapping[str, float | int | str]
    tables: Mapping[str, Rows] = field(default_factory=dict)
    about: str = ""  # how it was measured, one or two sentences; empty: the report knows


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What a score takes: tokens that the model reads in large batches, tokens that it writes one after another, programs that are judged."""

    tokens_read: float = 0
    tokens_written: float = 0  # at most: a completion may end by itself
    programs: int = 0

    def seconds(self, parameters: float, flops_per_second: float) -> float:
        """With the speed that a device has in training. The shares are measured (recipes/README.md, 2026-11-25)."""
        passes = self.tokens_read + self.tokens_written / WRITING
        return 2 * parameters * passes / flops_per_second + self.programs / PROGRAMS_PER_SECOND


WRITING = 0.15  # of the speed of reading: a token at a time, 64 texts side by side
PROGRAMS_PER_SECOND = 40.0  # judged, most of them failing, on two cores


@dataclass(frozen=True, kw_only=True)
class Eval(ABC):
    """Subclasses are frozen dataclasses of settings."""

    version: ClassVar[int]
    reads: ClassVar[tuple[str, ...]] = ()  # splits of the documents that `score` streams; empty: it needs no documents

    def identity(self) -> Mapping[str, str]:
        """State outside our settings that changes a result (benchmark files, versions); enters the fingerprint."""
        return {}

    def glimpse(self) -> Eval:
        """The same evaluation on little, for a look during training; the option file says how little."""
        return self

    def effort(self, benchmarks: Path | None, held_out_bytes: float, bytes_per_token: float) -> Effort:
        """What `score` will spend at most; asked before a run's first step. Raises UserError when files that it needs are not there, or are other ones."""
        return Effort()

    @abstractmethod
    def score(self, subject: Subject) -> Scores:
        """Raises UserError when what it needs is not there."""
