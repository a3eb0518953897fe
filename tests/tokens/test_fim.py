from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.fim import SHORTEST, cut, whole_characters
from tests.tokenizer.small import TEXTS

WORD = st.integers(0, (1 << 64) - 1)


def texts() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=4).map("".join)


@settings(deadline=None, max_examples=200)
@given(text=texts(), fixed=st.integers(0, 3), dice=st.tuples(WORD, WORD, WORD), data=st.data())
def test_no_byte_is_lost_wherever_a_piece_begins_and_ends(
    tokenizer: Tokenizer, text: str, fixed: int, dice: tuple[int, int, int], data: st.DataObject
) -> None:
    ids = tokenizer.encode(text)
    begin = data.draw(st.integers(0, len(ids)))
    end = data.draw(st.integers(begin, len(ids)))
    path = tokenizer.encode("a.py\n")[:fixed]
    piece = path + ids[begin:end]
    made = cut(piece, len(path), tokenizer, dice, 0.5)
    if made is None:
        return
    assert tokenizer.decode_bytes(made.prefix + made.middle + made.suffix) == tokenizer.decode_bytes(piece)
    assert made.prefix[: len(path)] == path
    tokenizer.decode_bytes(made.middle).decode("utf-8")  # strictly: both its ends lie between characters
    assert made.growth(len(piece)) == len(made.told(tokenizer.special)) - len(piece)


@settings(deadline=None, max_examples=300)
@given(text=st.text(st.sampled_from("ab\u00e9\u4f60\U0001f600"), max_size=12), data=st.data())
def test_whole_characters_against_trying_every_border(text: str, data: st.DataObject) -> None:
    """Cut the bytes into tokens anywhere, take a stretch of them: the answer is the widest stretch that decodes."""
    raw = text.encode()
    borders = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
    tokens = [raw[low:high] for low, high in itertools.pairwise(borders)]
    begin = data.draw(st.integers(0, len(tokens)))
    stretch = tokens[begin : data.draw(st.integers(begin, len(tokens)))]

    def decodes(first: int, last: int) -> bool:
        try:
            b"".join(stretch[first:last]).decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    first, last = whole_characters(stretch)
    widest = max(high - low for low in range(len(stretch) + 1) for high in range(low, len(stretch) + 1) if decodes(low, high))
    assert decodes(first, last)
    assert last - first == widest


def test_both_forms_with_their_sentinels(tokenizer: Tokenizer) -> None:
    text = "abcdef"
    quarter, half = 1 << 62, 1 << 63  # 7 borders: below() gives 1 and 3
    psm = cut(tokenizer.encode(text), 0, tokenizer, (half, quarter, half), 0.5)
    spm = cut(tokenizer.encode(text), 0, tokenizer, (half - 1, half, quarter), 0.5)
    assert psm is not None
    assert spm is not None
    assert psm.told(tokenizer.special) == tokenizer.render("\0<fim_prefix>\0a\0<fim_suffix>\0def\0<fim_middle>\0bc")
    assert spm.told(tokenizer.special) == [
        *tokenizer.render("\0<fim_prefix>\0\0<fim_suffix>\0def\0<fim_middle>\0a"),
        *tokenizer.encode("bc"),
    ]


def test_what_is_too_short_to_cut_stays(tokenizer: Tokenizer) -> None:
    assert cut(tokenizer.encode("ab"), 0, tokenizer, (0, 0, 0), 0.5) is None
    assert cut(tokenizer.encode("\U0001f680\U0001f680\U0001f680")[1:], 0, tokenizer, (0, 0, 0), 0.5) is None
    assert cut(tokenizer.encode("abc"), 0, tokenizer, (0, 0, 0), 0.5) is not None
    assert SHORTEST == 3


def test_any_part_may_be_empty(tokenizer: Tokenizer) -> None:
    top = (1 << 64) - 1
    made = cut(tokenizer.encode("abcdef"), 0, tokenizer, (top, 0, top), 0.5)
    assert made is not None
    assert (made.prefix, tokenizer.decode(made.middle), made.suffix) == ([], "abcdef", [])
