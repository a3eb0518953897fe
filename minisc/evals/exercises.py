"""The road that all evaluations by exercises share: prompts, completions, programs, outcomes, pass@k.

In: a subject, and the items of a benchmark, each with its prompt and the program that judges a completion. Out: pass@k with
its interval, what became of the samples, and a row an item with its first completion and its overlap with the training corpus.
Completions are kept in `scratch` chunk by chunk, and a run that is killed goes on with the next chunk; item i's sample j has
the random numbers (seed, i * samples + j), so chunks, batches and order change nothing. Judging is not kept: it is fast.
A sample is drawn from the model once; programs run in `minisc.sandbox`, and what the program says of itself is no evidence.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.document import TRAIN
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.evals.base import Effort, Eval, Scores, Subject
from minisc.evals.contamination import SEEN, Overlap, overlaps
from minisc.evals.pass_at_k import Share, pass_at_k, share
from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt
from minisc.generation.sampling import Sampling
from minisc.sandbox.base import PASSED, Outcome, Program
from minisc.sandbox.isolated import Sandbox

CHUNK = 64  # prompts that are completed, and kept, at once
SHOWN = 2000  # characters of a completion in the table
DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Item:
    """One exercise. `program(completion)` is what judges; `reference` is the benchmark's own completion, and `text` all of it."""

    name: str
    prompt: str
    reference: str
    program: Callable[[str], Program]
    suffix: str | None = None
    group: str = ""

    @property
    def text(self) -> str:
        return self.prompt + self.reference + (self.suffix or "")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A completion and what came of it."""

    text: str
    finish_reason: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Exercises(Eval):
    """Settings that all evaluations by exercises have; what they mean stands in the option files."""

    name: ClassVar[str]

    samples: int
    k: Sequence[int]
    temperature: float
    top_p: float
    top_k: int
    max_new_tokens: int
    stops: Sequence[str]
    limit: int | None
    contamination: bool
    seed: int
    sandbox: Sandbox
    glimpse_items: int = free()

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", tuple(self.k))
        object.__setattr__(self, "stops", tuple(self.stops))
        for name, right, rule in (
            ("samples", self.samples >= 1, "is at least 1"),
            ("k", self.k and all(1 <= k <= self.samples for k in self.k), f"lies between 1 and samples={self.samples}"),
            ("glimpse_items", self.glimpse_items >= 1, "is at least 1"),
            ("limit", self.limit is None or self.limit >= 1, "is null (all items) or at least 1"),
            ("samples", self.temperature > 0 or self.samples == 1, "is 1 where temperature is 0: greedy completions are all alike"),
        ):
            if not right:
                where = f"evals.{self.name}.{name}={getattr(self, name)}"
                raise UserError(f"{name} {rule}", where=where, do=f"give another evals.{self.name}.{name}")
        self._sampling()

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        return (TRAIN,) if self.contamination else ()

    def glimpse(self) -> Exercises:
        items = self.glimpse_items if self.limit is None else min(self.limit, self.glimpse_items)
        return replace(self, limit=items, samples=1, k=(1,), temperature=0.0, contamination=False)

    def effort(self, benchmarks: Path | None, held_out_bytes: float, bytes_per_token: float) -> Effort:
        items = drawn(self.items(benchmarks), self.limit, self.seed)
        read = sum(len(item.prompt) + len(item.suffix or "") for item in items) / bytes_per_token
        programs = len(items) * self.samples
        return Effort(tokens_read=self.samples * read, tokens_written=programs * self.max_new_tokens, programs=programs)

    @abstractmethod
    def items(self, folder: Path | None) -> list[Item]:
        """All items of the benchmark, in its order. Raises UserError for a file that is not to be had or is another one."""

    @abstractmethod
    def protocol(self) -> str:
        """How it is measured, in a sentence or two: prompt, end, extraction."""

    def ended(self, text: str, finish_reason: str) -> str:
        """The part of a completion that is judged."""
        return text

    def further(self, items: Sequence[Item], samples: Sequence[Sequence[Sample]]) -> Mapping[str, Any]:
        """Figures that only this evaluation has."""
        return {}

    def marks(self, item: Item, samples: Sequence[Sample]) -> Mapping[str, Any]:
        """What only this evaluation says of an item."""
        return {}

    def score(self, subject: Subject) -> Scores:
        items = drawn(self.items(subject.benchmarks), self.limit, self.seed)
        with self.sandbox.open() as pool:  # before anything is written: a machine that gives no such level says so at once
            texts = self._completions(subject, items)
            judged = pool.run_many(item.program(self.ended(*told)) for item, told in zip(_each(items, self.samples), texts, strict=True))
            flat = []
            with subject.speak.progress(f"{self.name}: judging", len(texts), "samples") as bar:
                for (text, reason), outcome in zip(texts, judged, strict=True):
                    flat.append(Sample(text=text, finish_reason=reason, outcome=outcome))
                    bar.advance()
            level = pool.level
        samples = [flat[at : at + self.samples] for at in range(0, len(flat), self.samples)]
        seen = overlaps({item.name: item.text for item in items}, subject.documents(TRAIN)) if self.contamination else {}
        return Scores(
            figures={**self._figures(items, samples, seen), **self.further(items, samples)},
            tables={
                "outcomes": _outcomes(flat),
                "items": [{**_row(item, own, seen), **self.marks(item, own)} for item, own in zip(items, samples, strict=True)],
            },
            about=f"{self.protocol()} {self._said()} Judged in a sandbox of level {level!r}.",
        )

    def _sampling(self) -> Sampling:
        return Sampling(
            max_new_tokens=self.max_new_tokens, temperature=self.temperature, top_p=self.top_p, top_k=self.top_k, stop=tuple(self.stops),
            seed=self.seed, long_prompt="cut",
        )  # fmt: skip

    def _completions(self, subject: Subject, items: Sequence[Item]) -> list[tuple[str, str]]:
        """(text, finish reason) of every sample, item by item."""
        generator = Generator(subject.model.module, subject.tokenizer)
        prompts = [
            Prompt(text=item.prompt, suffix=item.suffix, name=item.name, key=key) for key, item in enumerate(_each(items, self.samples))
        ]
        out: list[tuple[str, str]] = []
        with subject.speak.progress(f"{self.name}: completing", len(prompts), "samples") as bar:
            for start in range(0, len(prompts), CHUNK):
                kept = subject.scratch / f"{self.name}-{start:06d}.json"
                if not kept.exists():
                    done = generator.complete(prompts[start : start + CHUNK], self._sampling())
                    durable.write_json(kept, [[one.text.encode("utf-8", "replace").decode(), one.finish_reason] for one in done])
                out += [(text, reason) for text, reason in json.loads(kept.read_text(encoding="utf-8"))]
                bar.advance(len(out) - start)
        return out

    def _figures(self, items: Sequence[Item], samples: Sequence[Sequence[Sample]], seen: Mapping[str, Overlap]) -> dict[str, Any]:
        """Of each group of items by itself; what is in no group has the evaluation's own name."""
        figures: dict[str, Any] = {}
        for group in dict.fromkeys(item.group for item in items):
            own = [(item.name, taken) for item, taken in zip(items, samples, strict=True) if item.group == group]
            figures |= self._of_group(f"{self.name}_{group}" if group else self.name, own, seen)
        return {**figures, f"{self.name}_items": len(items), f"{self.name}_samples": self.samples}

    def _of_group(self, name: str, own: Sequence[tuple[str, Sequence[Sample]]], seen: Mapping[str, Overlap]) -> dict[str, Any]:
        passed = [sum(sample.outcome.passed for sample in taken) for _, taken in own]
        figures: dict[str, Any] = {}
        for k in self.k:
            values = [pass_at_k(self.samples, count, k) for count in passed]
            figures |= told(f"{name}_pass_at_{k}", share(values))
            clean = [value for (item, _), value in zip(own, values, strict=True) if item in seen and seen[item].share < SEEN]
            if clean:
                figures[f"{name}_pass_at_{k}_unseen"] = share(clean).value
        if seen:
            figures[f"{name}_items_seen"] = sum(seen[item].share >= SEEN for item, _ in own)
        return {**figures, f"{name}_items": len(own)}

    def _said(self) -> str:
        how = "greedily" if self.temperature == 0 else f"at temperature {self.temperature:g}, top-p {self.top_p:g}, top-k {self.top_k}"
        part = "" if self.limit is None else f" Items: {self.limit} of them at most, drawn by a seeded hash of their names."
        return f"{self.samples} sample(s) an item, drawn {how}, at most {self.max_new_tokens} tokens each.{part}"


def told(name: str, shared: Share) -> dict[str, float]:
    """A share as three figures: itself and the ends of its 95 % interval."""
    return {name: round(shared.value, DIGITS), f"{name}_low": round(shared.low, DIGITS), f"{name}_high": round(shared.high, DIGITS)}


def drawn(items: list[Item], limit: int | None, seed: int) -> list[Item]:
    """The `limit` items with the lowest hashes of (seed, name), in the benchmark's order."""
    if limit is None or limit >= len(items):
        return items
    chosen = sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item.name}".encode()).digest())[:limit]
    names = {item.name for item in chosen}
    return [item for item in items if item.name in names]


def _each(items: Sequence[Item], samples: int) -> Iterator[Item]:
    return (item for item in items for _ in range(samples))


def _outcomes(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    counts = Counter((sample.outcome.status, sample.finish_reason) for sample in samples)
    return [{"outcome": status, "ended_by": reason, "samples": count} for (status, reason), count in sorted(counts.items())]


def _row(item: Item, samples: Sequence[Sample], seen: Mapping[str, Overlap]) -> dict[str, Any]:
    first = samples[0]
    overlap = seen.get(item.name, Overlap())
    return {
        "item": item.name, "passed": sum(sample.outcome.status == PASSED for sample in samples), "samples": len(samples),
        "outcome": first.outcome.status, "detail": first.outcome.detail, "seen": round(overlap.share, 3), "seen_in": overlap.uid,
        "completion": first.text[:SHOWN],
    }  # fmt: skip
