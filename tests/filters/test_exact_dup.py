"""Exact duplicates: one stays, and it is the right one."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.filters.exact_dup import ExactDup, token_text
from tests.support import notes, reasons, row, rows_of, run_stage

PLAIN = ExactDup(normalized=False, expected_drop=1)
NORMALIZED = ExactDup(normalized=True, expected_drop=1)


def kept(stage: ExactDup, rows: list[dict[str, Any]]) -> list[str]:
    return [uid for uid, reason in reasons(run_stage(stage, rows)).items() if not reason]


def test_equal_texts_fall_and_name_the_kept_one() -> None:
    table = run_stage(PLAIN, rows_of(["x = 1\n", "y = 2\n", "x = 1\n", "x = 1 \n"]))
    assert reasons(table) == {"uid-0": "", "uid-1": "", "uid-2": "duplicate", "uid-3": ""}
    assert {key: json.loads(value) for key, value in notes(table)["uid-2"].items()} == {"of": "uid-0"}


NEW, OLD = datetime(2024, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
BETTER_FIRST = [
    {"license": "MIT", "stars": 9, "date": NEW, "uid": "a"},
    {"license": "MIT", "stars": 9, "date": NEW, "uid": "b"},
    {"license": "Apache-2.0", "stars": 9, "date": OLD, "uid": "0"},
    {"license": "MIT", "stars": 9, "date": None, "uid": "1"},
    {"license": "MIT", "stars": 0, "date": NEW, "uid": "2"},
    {"license": "MIT", "stars": None, "date": NEW, "uid": "3"},
    {"license": None, "stars": 999, "date": NEW, "uid": "4"},
    {"license": "GPL-3.0-only", "stars": 9999, "date": NEW, "uid": "5"},
]


@pytest.mark.parametrize("place", range(len(BETTER_FIRST) - 1))
def test_the_keeper(place: int) -> None:
    rows = [row("x = 1\n", **fields) for fields in BETTER_FIRST[place:]]
    random.Random(place).shuffle(rows)
    assert kept(PLAIN, rows) == [BETTER_FIRST[place]["uid"]]


def test_many_copies_leave_one() -> None:
    table = run_stage(PLAIN, rows_of(["x = 1\n"] * 3000 + ["y = 1\n"]), batch=100)
    assert [uid for uid, reason in reasons(table).items() if not reason] == ["uid-0", "uid-3000"]


def test_the_batch_size_does_not_matter() -> None:
    rows = rows_of(random.Random(1).choices(["a", "b", "c", "d"], k=60))
    assert run_stage(PLAIN, rows, batch=7) == run_stage(PLAIN, rows, batch=1000)


def test_what_another_corpus_has_falls_whatever_its_license_and_stars() -> None:
    rows = [
        row("x = 1\n", uid="a", license="MIT", stars=99),
        row("x = 1\n", uid="aaaa/a", license="GPL-3.0-only"),
        row("x = 1\n", uid="aaaa/b", license=None),
        row("y = 1\n", uid="c"),
        row("y = 1\n", uid="b"),
    ]
    table = run_stage(PLAIN, rows)
    assert reasons(table) == {"a": "duplicate", "aaaa/a": "", "aaaa/b": "", "c": "duplicate", "b": ""}
    assert [json.loads(notes(table)[uid]["of"]) for uid in ("a", "c")] == ["aaaa/b", "b"]


def test_an_empty_corpus() -> None:
    assert len(run_stage(PLAIN, [])) == 0


SAME = [
    "def f(a, b):\n    return a + b  # the sum\n",
    "def f(a,b):\n  return a+b\n",
    "# a head\n\ndef f(a,\n      b):\n\n\treturn (a + b)\n".replace("(a + b)", "a + b"),
]


def test_normalized_texts_are_compared_by_tokens() -> None:
    assert kept(NORMALIZED, rows_of(SAME)) == ["uid-0"]
    assert kept(PLAIN, rows_of(SAME)) == ["uid-0", "uid-1", "uid-2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("if a:\n    b\n    c\n", "if a:\n    b\nc\n"),
        ("x = 'a b'\n", "x = 'ab'\n"),
        ("x = 1\ny = 2\n", "x = 1; y = 2\n"),
        ("x = 'a # b'\n", "x = 'a '\n"),
        ("a b", "ab"),
    ],
)
def test_what_means_something_else_stays(one: str, other: str) -> None:
    assert token_text(one) != token_text(other)
    assert kept(NORMALIZED, rows_of([one, other])) == ["uid-0", "uid-1"]


def test_what_does_not_tokenize_is_compared_as_it_is() -> None:
    assert token_text("x = (\n") == "x = (\n"
    assert kept(NORMALIZED, rows_of(["x = (\n", "x = (\n", "x  = (\n"])) == ["uid-0", "uid-2"]


def test_other_kinds_are_never_normalized() -> None:
    assert kept(NORMALIZED, rows_of(["a  # b\n", "a\n"], kind="text")) == ["uid-0", "uid-1"]


def test_bad_values_are_refused_when_built() -> None:
    with pytest.raises(UserError):
        ExactDup(normalized=False, expected_drop=1.5)
