"""What of a completion is judged."""

from __future__ import annotations

import ast

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.evals.extraction import reachable, stopped

BEGIN = "import os\nLIMIT = 3\n\ndef helper(x):\n    return x + LIMIT\n\n@staticmethod\ndef wanted(x):\n    return helper(x)\n"


def test_the_earliest_stop_wins() -> None:
    assert stopped("a\nclass B\ndef c", ["\ndef", "\nclass"]) == "a"
    assert stopped("nothing here", ["\ndef"]) == "nothing here"


def test_what_the_entry_point_needs_is_kept_and_nothing_else() -> None:
    kept = reachable(BEGIN + "\ndef other():\n    return 1\n\nprint(wanted(1))\nraise SystemExit\n", "wanted")
    assert ast.unparse(ast.parse(kept)) == ast.unparse(ast.parse(BEGIN))


def test_a_half_written_end_is_cut() -> None:
    assert "unfinished" not in reachable(BEGIN + "\ndef unfinished(x:\n    return", "wanted")
    assert "helper" in reachable(BEGIN + "\n'''open", "wanted")


def test_the_first_definition_of_a_name_counts() -> None:
    assert reachable("def f():\n    return 1\ndef f():\n    return 2\n", "f") == "def f():\n    return 1\n"


def test_without_the_entry_point_all_that_parses_is_kept() -> None:
    assert reachable("x = 1\ny = (", "f") == "x = 1"
    assert reachable("(((", "f") == "((("


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="def f():\n =x1(\0\ud800\u00e9'\"\t", max_size=60))
def test_any_text_gives_a_text(text: str) -> None:
    assert isinstance(reachable("def wanted():\n    return 1\n" + text, "wanted"), str)
