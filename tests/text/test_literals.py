"""Many literals in one pass, against `str.find`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.literals import Literals

LETTERS = st.text(st.sampled_from("abéß😀"), min_size=1, max_size=3)


@given(st.text(st.sampled_from("abéß😀"), max_size=40), st.lists(LETTERS, min_size=1, max_size=8))
@settings(deadline=None, max_examples=200)
def test_places_are_those_of_find(text: str, literals: list[str]) -> None:
    expected = {literal: [at for at in range(len(text)) if text.startswith(literal, at)] for literal in literals}
    assert Literals(literals).places(text) == {literal: places for literal, places in expected.items() if places}
