"""Pieces put together are the text, wherever tokens, characters and stop strings are cut."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.generation.writing import Writing


def written(pieces: list[bytes], stop: tuple[str, ...]) -> tuple[Writing, str]:
    writing = Writing(stop=stop, ends={0: "<|endoftext|>"}, limit=10_000, context=10_000)
    shown = ""
    for at, piece in enumerate(pieces):
        writing.take(at + 1, piece)
        shown += writing.fresh()
        if writing.ending:
            return writing, shown
    writing.take(0, b"")
    return writing, shown + writing.fresh()


@given(
    text=st.text(alphabet="ab\n\u00e9\u03bb\U0001f600", max_size=60),
    cuts=st.lists(st.integers(0, 200), max_size=20),
    stop=st.lists(st.text(alphabet="ab\n\u03bb", min_size=1, max_size=4), max_size=3),
)
@settings(deadline=None, max_examples=300)
def test_any_cut_into_tokens_gives_the_same_text(text: str, cuts: list[int], stop: list[str]) -> None:
    raw = text.encode()
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    writing, shown = written([raw[a:b] for a, b in itertools.pairwise(edges)], tuple(stop))
    found = [(at + len(one.encode()), at, one) for one in stop if (at := raw.find(one.encode())) >= 0]
    assert writing.text == shown
    if found:
        _, at, first = min(found)  # the occurrence that is complete first
        assert (writing.ending, writing.text) == ("stop", raw[:at].decode())
        assert writing.ended_by == first
    else:
        assert (writing.ending, writing.text) == ("end", text)


@given(raw=st.binary(max_size=40), cuts=st.lists(st.integers(0, 100), max_size=10))
@settings(deadline=None, max_examples=200)
def test_bytes_that_are_no_text_are_shown_alike_in_pieces_and_at_once(raw: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    writing, shown = written([raw[a:b] for a, b in itertools.pairwise(edges)], ())
    assert writing.text == shown == raw.decode("utf-8", "replace")


def test_the_beginning_of_a_stop_string_is_held_back_until_it_is_none() -> None:
    writing = Writing(stop=("\nclass ",), ends={}, limit=100, context=100)
    told = []
    for piece in (b"x\n", b"cl", b"ose", b"\nclass", b" A"):
        writing.take(1, piece)
        told.append(writing.fresh())
    assert told == ["x", "", "\nclose", "", ""]
    assert (writing.text, writing.ending, writing.ended_by) == ("x\nclose", "stop", "\nclass ")


def test_limits_end_a_text_with_their_own_names() -> None:
    short = Writing(stop=(), ends={}, limit=1, context=5)
    short.take(7, b"a")
    full = Writing(stop=(), ends={}, limit=5, context=1)
    full.take(7, b"a")
    assert (short.ending, full.ending) == ("length", "context")


def test_half_a_character_at_the_end_is_shown_as_missing() -> None:
    writing = Writing(stop=(), ends={}, limit=1, context=9)
    writing.take(7, "\u03bb".encode()[:1])
    assert writing.text == "\ufffd" == writing.fresh()
