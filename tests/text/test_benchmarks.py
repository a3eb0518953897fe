"""Benchmark files as items. Errors are tested with the filter that shows them (`tests/filters/test_decontaminate.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minisc.core.errors import BadInput
from minisc.text.benchmarks import PROMPT, SOLUTION, Benchmark, Item, docstring_of


def test_items_are_prompt_and_solution_of_each_row(tmp_path: Path) -> None:
    rows = [{"id": 7, "q": 'def f():\n    """Say it."""\n', "a": "one", "b": " two"}, {"id": 8, "q": "plain", "a": "", "b": ""}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    entry = {"file": "x.jsonl", "id": "id", "prompt": ["q"], "solution": ["a", "b"]}
    assert list(Benchmark.described("x", entry, "here").items(tmp_path)) == [
        Item("x", "7", PROMPT, "Say it."),
        Item("x", "7", SOLUTION, "one two"),
        Item("x", "8", PROMPT, "plain"),
    ]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("no quotes", "no quotes"),
        ('def f():\n  """short"""\n  """the longer one"""', "the longer one"),
        ("def f():\n  '''single'''", "single"),
        ('"""', '"""'),
        ('""""""', '""""""'),
    ],
)
def test_docstring_of(prompt: str, text: str) -> None:
    assert docstring_of(prompt) == text


def test_an_unfinished_file_gives_no_half_benchmark(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"q": "a"}\n{"q": ', encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be read"):
        list(Benchmark.described("x", {"file": "x.jsonl", "prompt": ["q"]}, "here").items(tmp_path))
