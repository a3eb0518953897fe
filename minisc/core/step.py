"""The step: a verb of the road. It reads finished artifacts and commits one new artifact.

A step is a frozen dataclass of settings. It declares what kind of artifact it `makes` and what it `needs`, as named roles;
the runner fills each role from the nearest earlier step that makes the kind, or from `inputs.<role>=…`. An artifact may
provide several kinds: a model carries its tokenizer.

    makes    documents, tokenizer, tokens, model, evaluation, samples, export, index, scorer
    needs    {"documents": Need("documents"), "tokenizer": Need("tokenizer", optional=True)}

A step with `stored = False` (report, compare, prune) makes nothing for the store: it runs every time and writes into the
run's own folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from minisc.core.artifact import Artifact, Figures, Work

if TYPE_CHECKING:
    from minisc.core.remember import Hashes

T = TypeVar("T")
R = TypeVar("R")
KINDS = ("documents", "tokenizer", "tokens", "model", "evaluation", "samples", "export", "index", "scorer")
Inputs = Mapping[str, Any]  # role -> Artifact, None (optional and absent) or list of Artifact (many)


@dataclass(frozen=True, slots=True)
class Need:
    """One role of a step: an artifact of a kind; `many` takes all that earlier steps made of it; `given` only what `inputs.<role>=…` names.

    `told_as`: another role; what is given under that name serves where nothing is given under the own one, if it holds the kind.
    """

    kind: str
    optional: bool = False
    many: bool = False
    given: bool = False
    told_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a step will spend, said before it is spent, and the figures that it expects to commit."""

    seconds: float | None = None
    download_bytes: int = 0
    disk_bytes: int = 0
    requests: int = 0
    flops: float = 0.0
    tokens: int = 0
    expect: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""


class Mapper(Protocol):
    """What a step needs of an engine: results in the order of the items, each item one part of work."""

    def map(self, function: Callable[[T], R], items: Sequence[T], *, max_workers: int | None = None) -> Iterator[R]: ...


class Bar(Protocol):
    """A progress display: `advance` in the unit that it was opened with, `say` a short state beside it."""

    def advance(self, amount: float = 1) -> None: ...
    def say(self, text: str) -> None: ...
    def __enter__(self) -> Bar: ...
    def __exit__(self, *error: object) -> None: ...


class Speaker(Protocol):
    """How steps speak to people; the log keeps everything."""

    @property
    def warnings(self) -> Sequence[str]: ...  # what was warned of so far, for the report

    def progress(self, label: str, total: float | None, unit: str = "") -> Bar: ...
    def line(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None: ...  # ">name": to the right


@dataclass(frozen=True)
class Context:
    """What a run lends to its steps. Nothing in it can change a result."""

    out: Path  # root of store and runs
    run: Path  # the run's own folder: resolved config, log, TensorBoard events, report
    engine: Mapper
    speak: Speaker
    hashes: Hashes  # content hashes of input files, remembered by size and mtime
    name: str = "run"  # of the run, readable: <recipe>/<date_time>
    memory: dict[str, Any] = field(default_factory=dict)  # what is dear to find out and asked for again within a run


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    makes: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Mapping[str, Need]] = {}
    version: ClassVar[int]
    stored: ClassVar[bool] = True

    def leaves(self, context: Context) -> Mapping[str, Any]:
        """What lies outside our settings and inputs (the data that a source reads), for the fingerprint."""
        return {}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        """From the figures of the inputs, real or expected (role -> figures)."""
        return Cost()

    @abstractmethod
    def run(self, work: Work, inputs: Inputs) -> Figures:
        """Fill `work.path`, return the figures. May be killed anywhere and called again on the same folder."""

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        """Show the result in this run. `cached`: it was taken from the store, so what would have been shown live is shown now."""
        return


@dataclass(frozen=True)
class Done:
    """One finished step of a run, as `run.json` lists it."""

    step: str
    artifact: Artifact | None
    cached: bool
    seconds: float
    figures: Figures
    cost: Cost | None = None  # what the plan said that it would cost


@dataclass(frozen=True, kw_only=True)
class Closing(Step):
    """A step that looks back on a run (report, compare): it makes no artifact and always runs."""

    stored: ClassVar[bool] = False

    def run(self, work: Work, inputs: Inputs) -> Figures:
        raise AssertionError("a closing step is closed with look(), not run")

    @abstractmethod
    def look(self, done: Sequence[Done], context: Context) -> Figures:
        """Write into `context.run`; return the figures for `run.json`."""
