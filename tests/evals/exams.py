"""Evaluations as their option files make them, over a small benchmark of our own or the real ones."""

from __future__ import annotations

import copy
import functools
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from minisc import app
from minisc.core.document import Doc
from minisc.evals.base import Scores, Subject
from minisc.evals.exercises import Exercises, Item
from minisc.model.base import LoadedModel
from minisc.runner.shelf import CONF
from minisc.sandbox.base import Outcome
from tests.generation import small
from tests.silent import Silent
from tests.test_conf import option


def real_folder() -> Path:
    """The folder of real benchmark files, or a skip that says how to name it."""
    folder = os.environ.get("MINISC_BENCHMARKS")
    if not folder:
        pytest.skip("the real benchmarks are wanted: set MINISC_BENCHMARKS to the folder of their files")
    return Path(folder)


def written(folder: Path, name: str, rows: Iterable[dict[str, Any]], *, packed: bool = False) -> dict[str, Any]:
    """Write a benchmark file; what an option says of it."""
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = folder / (f"{name}.jsonl.gz" if packed else f"{name}.jsonl")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return {
        "_target_": "minisc.evals.benchmark.Benchmark", "name": name, "sha256": hashlib.sha256(raw).hexdigest(), "source": "this test",
        "hub": None, "rows_sha256": None,
    }  # fmt: skip


@functools.cache
def _node(name: str) -> dict[str, Any]:
    return option(CONF / "evals" / f"{name}.yaml")[0]


def built(name: str, change: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """The evaluation as `evals=[name]` makes it, after `change` had its way with the plain values; one worker."""
    node = copy.deepcopy(_node(name))
    node["sandbox"]["workers"] = 1
    if change:
        change(node)
    return app.build(node, f"evals.{name}")


def judged(exam: Exercises, items: Sequence[Item], completion: Callable[[Item], str]) -> dict[str, Outcome]:
    with exam.sandbox.open() as pool:
        outcomes = pool.run_many(item.program(exam.ended(completion(item), "stop")) for item in items)
        return dict(zip((item.name for item in items), outcomes, strict=True))


def all_references_pass_and_no_stub_does(name: str, count: int) -> None:
    """With every core and the option's own values, on the real benchmark."""
    exam = built(name, lambda node: node["sandbox"].update(workers=None))
    items = exam.items(real_folder())
    assert len(items) == count
    passed = judged(exam, items, lambda item: item.reference)
    assert {name: outcome for name, outcome in passed.items() if not outcome.passed} == {}
    stubs = judged(exam, items, lambda item: "\n    pass\n")
    assert [name for name, outcome in stubs.items() if outcome.passed] == []


def scored(exam: Exercises, folder: Path, scratch: Path, documents: Sequence[Doc] = (), texts: Sequence[str] | None = None) -> Scores:
    """`texts`: completions as a run that was killed after its first chunk would have left them; else a tiny network writes."""
    scratch.mkdir(exist_ok=True)
    if texts is not None:
        (scratch / f"{exam.name}-000000.json").write_text(json.dumps([[text, "stop"] for text in texts]), encoding="utf-8")
    module = small.network(max_positions=256)
    model = LoadedModel(module, module.spec, small.tokenizer().vocab_size)  # type: ignore[arg-type]
    subject = Subject(
        model=model,
        tokenizer=small.tokenizer(),
        documents=lambda split: iter(documents),
        scratch=scratch,
        speak=Silent(),
        benchmarks=folder,
    )
    return exam.score(subject)
