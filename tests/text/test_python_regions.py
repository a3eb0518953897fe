"""Comments and strings by one expression, against CPython's tokenizer on its own library."""

from __future__ import annotations

import io
import itertools
import sys
import sysconfig
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.python_regions import Regions


def by_tokenize(text: str) -> list[tuple[int, int]]:
    lines = [0]
    for line in io.StringIO(text, newline=""):
        lines.append(lines[-1] + len(line))
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            start, end = lines[token.start[0] - 1] + token.start[1], lines[token.end[0] - 1] + token.end[1]
            prefix = 0 if token.type == tokenize.COMMENT else len(token.string) - len(token.string.lstrip("bBfFrRuU"))
            found.append((start + prefix, end))
    return found


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from 3.12 on tokenize takes f-strings apart")
def test_regions_are_those_of_tokenize() -> None:
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))[::60]
    compared = 0
    for path in paths:
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
        try:
            expected = by_tokenize(text)
        except (tokenize.TokenError, SyntaxError):
            continue
        assert Regions(text).spans == expected, path.name
        compared += 1
    assert compared > 20


def test_kinds() -> None:
    text = "x = rb'a' + f\"{b}\" + Rf'c'  # d\n"
    regions = Regions(text)
    assert {text[start:end]: regions.kind(start, end) for start, end in regions.spans} == {
        "'a'": "string",
        '"{b}"': "fstring",
        "'c'": "fstring",
        "# d": "comment",
    }


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("x = 'abc'", "b", "string"),
        ("x = abc", "b", ""),
        ("x = 'a' + b + 'c'", "b", ""),
        ("x = '''a\n'b' c'''", "c", "string"),
        ("x = r'\\' # b'", "b", "string"),
        ("x = 'a\\\nb'", "b", "string"),
        ("x = 1 # 'b", "b", "comment"),
        ("x = 'a\nb = 1", "b", ""),
    ],
)
def test_around(text: str, value: str, kind: str) -> None:
    at = text.index(value)
    assert Regions(text).around(at, at + len(value)) == kind


@given(st.text(st.sampled_from("'\"#\\\nabf"), max_size=60))
@settings(deadline=None, max_examples=200)
def test_regions_are_in_order_and_disjoint_whatever_the_text(text: str) -> None:
    spans = Regions(text).spans
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
