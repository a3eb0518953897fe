"""Foreign text in a card is only text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.release.markdown import LONGEST, fenced, front_matter, megabytes, plain, share, table

HOSTILE = ["[click](javascript:alert(1))", "<script>alert(1)</script>", "![x](http://evil.example/p.png)", "a | b", "# heading", "line\nbreak", "`code`", "http://evil.example"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_only_text(name: str) -> None:
    told = plain(name)
    assert not set(told) & set("<>[]()`|!*_\n")
    assert "://" not in told
    assert ".example" not in told


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=())))
def test_a_cell_stays_one_cell(name: str) -> None:
    told = table(["name", ">n"], [[plain(name), "1"]])
    lines = told.splitlines()
    assert len(lines) == 3
    assert lines[2].count("|") == 3
    told.encode()  # no lone surrogate is left


def test_what_hides_is_shown_by_its_code_point() -> None:
    assert plain("a\u202eb\x1b[31m") == "aU&#43;202E bU&#43;001B &#91;31m"
    assert len(plain("x" * 5000)) == LONGEST


def test_code_cannot_end_its_block() -> None:
    assert fenced("a\n````\nb", "py").startswith("`````py\n")
    assert fenced("x\x1b").splitlines()[1] == "xU+001B"


def test_the_front_matter_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    values = {"license": "no: [way]\n---\nx: 1", "tags": ["a", "\u202e"], "absent": None, "inference": False}
    told = front_matter(values)
    assert told.count("\n---\n") == 1
    assert yaml.safe_load(told.split("---\n")[1]) == {key: value for key, value in values.items() if value is not None}
    assert json.dumps("\u202e") in told


def test_small_is_not_nothing() -> None:
    assert (share(1, 10**6), share(0, 5), share(1, 0), megabytes(1234)) == ("< 0.1 %", "0.0 %", "0.0 %", "0.0012")
