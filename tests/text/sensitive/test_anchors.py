"""Anchors: no match of a pattern without them, for every pattern of every plugin of detect-secrets."""

from __future__ import annotations

import re

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minisc.text.sensitive.anchors import Anchor, anchors_of, plain

PATTERNS = [
    (cls.__name__, pattern)
    for cls in get_mapping_from_secret_type_to_class().values()
    for pattern in getattr(cls, "denylist", ())
    if cls.__name__ not in ("IPPublicDetector", "KeywordDetector")
]


def holds(anchor: Anchor, text: str) -> bool:
    simple = plain(text)
    if anchor.literals:
        return any(literal in (simple.lower() if anchor.ignore_case else simple) for literal in anchor.literals)
    return bool(re.search(f"[{anchor.charset}]{{{anchor.length}}}", simple, re.IGNORECASE if anchor.ignore_case else 0))


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[f"{name}-{at}" for at, (name, _) in enumerate(PATTERNS)])
def test_every_match_holds_every_anchor(name: str, pattern: re.Pattern[str]) -> None:
    anchors = anchors_of(pattern)
    assert anchors, f"{name} has no anchor and would run on every line"

    @given(st.from_regex(pattern))
    @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
    def check(text: str) -> None:
        match = pattern.search(text)
        assert match is None or all(holds(anchor, match[0]) for anchor in anchors), (match[0], anchors)

    check()


@pytest.mark.parametrize(
    ("pattern", "anchors"),
    [
        (r"(?:AKIA|ASIA)[A-Z]{16}", [Anchor(literals=("AKIA", "ASIA"))]),
        (r"x[ab]c\d{30}", [Anchor(literals=("xac", "xbc")), Anchor(charset=r"\d", length=30)]),
        (r"(?i)Key=(\w{40})", [Anchor(literals=("key=",), ignore_case=True), Anchor(charset=r"\w", length=40, ignore_case=True)]),
        (r".*", []),
        (r"(?:abcd)?x", []),
    ],
)
def test_anchors_of(pattern: str, anchors: list[Anchor]) -> None:
    assert anchors_of(re.compile(pattern)) == anchors


@given(st.text(max_size=30))
def test_plain_keeps_the_length_even_in_lower_case(text: str) -> None:
    assert len(plain(text).lower()) == len(text)
