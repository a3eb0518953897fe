"""The span engine, against a character-by-character one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.spans import Span, merge, replace

RANKS = ("a", "b", "c")
TEXT = st.text(max_size=30)


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(min_size=1, max_size=30))
    starts = draw(st.lists(st.integers(0, len(text) - 1), max_size=6))
    return text, [Span(start, draw(st.integers(start + 1, len(text))), draw(st.sampled_from(RANKS))) for start in starts]


@given(texts_with_spans(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_merged_spans_cover_the_same_characters_once_whatever_the_order(case: tuple[str, list[Span]], order: object) -> None:
    _text, spans = case
    merged = merge(spans, RANKS)
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert [at for span in merged for at in range(span.start, span.end)] == sorted(covered)
    shuffled = list(spans)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled, RANKS) == merged == merge(merged, RANKS)


@given(texts_with_spans())
@settings(deadline=None, max_examples=200)
def test_what_lies_outside_stays(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    merged = merge(spans, RANKS)
    assert replace(text, merged, lambda span, value: value) == text
    outside = "".join(character for at, character in enumerate(text) if not any(span.start <= at < span.end for span in spans))
    assert replace(text, merged, lambda span, value: "") == outside


def test_the_graver_kind_names_the_union() -> None:
    assert merge([Span(0, 4, "c"), Span(2, 6, "a"), Span(5, 8, "b")], RANKS) == [Span(0, 8, "a")]


def test_spans_that_touch_stay_two() -> None:
    assert merge([Span(0, 2, "a"), Span(2, 4, "a")], RANKS) == [Span(0, 2, "a"), Span(2, 4, "a")]


def test_an_empty_span_and_overlapping_replacements_are_our_mistake() -> None:
    with pytest.raises(AssertionError, match="empty"):
        Span(3, 3, "a")
    with pytest.raises(AssertionError, match="overlap"):
        replace("abcdef", [Span(0, 3, "a"), Span(2, 4, "a")], lambda span, value: "")
