"""Programs under other names."""

from __future__ import annotations

import keyword
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.renaming import renames, tokens_of

PROGRAM = "def f(a, b):\n    c = 'x'  # d\n    return [a + b * 2 for b in c if not a]\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (PROGRAM, True),
        ("def g(u,v):\n  w='another'\n  return [u+v*2 for v in w if not u]", True),
        ("def a(b, f):\n    c = ''\n    return [b + f * 2 for f in c if not b]\n", True),
        ("def g(u, u):\n    w = ''\n    return [u + u * 2 for u in w if not u]\n", False),  # two names became one
        ("def g(u, v):\n    w = ''\n    return [u + x * 2 for v in w if not u]\n", False),  # one name became two
        (PROGRAM.replace("2", "3"), False),
        (PROGRAM.replace("+", "-"), False),
        (PROGRAM.replace("not ", ""), False),
    ],
)
def test_renames(other: str, same: bool) -> None:
    assert renames(tokens_of(other), 0, tokens_of(PROGRAM)) is same


@given(st.permutations(["f", "a", "b", "c"]), st.lists(st.sampled_from(["x = 1", "# y", "for q in r: pass"]), max_size=3))
@settings(deadline=None, max_examples=50)
def test_any_renaming_is_found_behind_anything(names: list[str], before: list[str]) -> None:
    table = dict(zip(["f", "a", "b", "c"], names, strict=True))
    renamed = re.sub(r"\b[fabc]\b", lambda name: table[name[0]], PROGRAM)
    head = "".join(line + "\n" for line in before)
    assert renames(tokens_of(head + renamed), len(tokens_of(head).texts), tokens_of(PROGRAM))


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=100)
def test_any_text_has_tokens(text: str) -> None:
    tokens = tokens_of(text)
    assert len(tokens.codes) == len(tokens.texts) and renames(tokens, 0, tokens)


def test_keywords_are_no_names() -> None:
    assert len({int(tokens_of(word).codes[0]) for word in keyword.kwlist}) == len(keyword.kwlist)
