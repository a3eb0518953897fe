"""Words and signs as numbers: white space does not count, anything else does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from minisc.text.lexemes import BORDER, lexemes


def cut(*texts: str) -> list[list[str]]:
    read = lexemes([text.encode("utf-8", "surrogatepass") for text in texts])
    borders = read.borders.tolist()
    assert len(borders) == len(texts) + 1
    return [[read.text(at, at) for at in range(first + 1, last)] for first, last in pairwise(borders)]


def test_words_runs_of_one_sign_and_nothing_else() -> None:
    assert cut('self.x -= "é"  # ----\n\t((b))') == [
        ["self", ".", "x", "-", "=", '"', "é", '"', "#", "----", "((", "b", "))"],
    ]


def test_empty_texts_and_what_no_document_holds() -> None:
    assert cut("", " \n", "\ud800 \0\0 \x01\x02", "") == [[], [], ["\ud800", "\0\0", "\x01", "\x02"], []]


def test_equal_words_have_equal_numbers_wherever_they_stand() -> None:
    read = lexemes([b"alpha beta\n\n\n gamma", b"beta" + b" " * 3 + b"alphabet"])
    ids = read.ids.tolist()
    assert ids[2] == ids[5]
    assert len(set(ids)) == 5
    assert read.lines().tolist() == [0, 0, 0, 3, 0, 0, 0, 0]


@given(st.lists(st.text(max_size=60), max_size=4))
def test_texts_do_not_touch_each_other(texts: list[str]) -> None:
    assert cut(*texts) == [cut(text)[0] for text in texts]
    joined = lexemes([text.encode("utf-8", "surrogatepass") for text in texts]).ids.tolist()
    alone = [lexemes([text.encode("utf-8", "surrogatepass")]).ids.tolist()[1:] for text in texts]
    assert joined == [BORDER, *(number for each in alone for number in each)]


@given(st.text(max_size=80))
def test_white_space_is_all_that_is_lost(text: str) -> None:
    assert "".join(cut(text)[0]) == text.translate(dict.fromkeys(map(ord, " \t\n\r\f\v")))
