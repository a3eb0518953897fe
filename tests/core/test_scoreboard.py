"""What stands beside a score: interval, of how many, how much of it was seen."""

from __future__ import annotations

from typing import Any

import pytest

from minisc.core.scoreboard import HEAD, entries, rows

BITS = {
    "bits_per_byte": 2.0,
    "bits_per_byte_error": 0.1,
    "bits_per_byte_error_over_repos": 0.2,
    "documents_scored": 1200,
    "repos_scored": 4,
}
PASSED = {"humaneval_pass_at_1": 0.25, "humaneval_pass_at_1_low": 0.1, "humaneval_pass_at_1_high": 0.4, "humaneval_items": 164}


def told(name: str, figures: dict[str, Any]) -> list[list[str]]:
    return rows({name: {"figures": figures}})


def test_bits_per_byte_stands_with_its_error_over_repositories() -> None:
    assert told("bits_per_byte", BITS) == [["bits per byte", "2.000", "1.608 to 2.392", "1,200 files, 4 repos", "held out"]]
    assert len(HEAD) == len(told("bits_per_byte", BITS)[0])


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({}, "not checked"),
        ({"humaneval_items_seen": 0, "humaneval_pass_at_1_unseen": 0.25}, "0 of 164"),
        ({"humaneval_items_seen": 3, "humaneval_pass_at_1_unseen": 0.2}, "3 of 164; without them 20.0 %"),
        ({"humaneval_items_seen": 164}, "164 of 164"),
    ],
)
def test_a_score_never_stands_without_what_was_seen(more: dict[str, Any], seen: str) -> None:
    assert told("humaneval", PASSED | more) == [["humaneval pass at 1", "25.0 %", "10.0 % to 40.0 %", "164 items", seen]]


def test_a_group_of_items_has_its_own_count() -> None:
    figures = {
        "infilling_single_line_exact_match": 0.5,
        "infilling_single_line_exact_match_low": 0.4,
        "infilling_single_line_exact_match_high": 0.6,
    }
    figures |= {"infilling_single_line_items": 1033, "infilling_items": 8488, "infilling_items_seen": 7}
    assert [row[3:] for row in told("infilling", figures)] == [["1,033 items", "7 of 8,488"]]


@pytest.mark.parametrize("figures", [{}, {"x": 1.0}, {"x": True, "x_low": 0.0, "x_high": 1.0}, {"x": "1", "x_error": 1.0}, {"x_low": 0.0}])
def test_what_has_no_interval_is_no_entry(figures: dict[str, Any]) -> None:
    assert entries({"e": {"figures": figures}}) == entries({"e": {}}) == []
