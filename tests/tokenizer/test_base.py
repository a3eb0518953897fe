from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import BadInput, UserError
from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from tests.tokenizer.small import TEXTS, trained, wide, written


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return trained(tmp_path_factory.mktemp("tokenizer"))


def texts() -> st.SearchStrategy[str]:
    """Any text without lone surrogates, with strings that look like special tokens in it."""
    plain = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
    return st.lists(plain | st.sampled_from(SPECIAL_TOKENS) | st.sampled_from(TEXTS), max_size=4).map("".join)


def test_special_tokens_are_starcoder2s_at_ids_0_to_37(tokenizer: Tokenizer) -> None:
    assert list(tokenizer.special.items()) == list(zip(SPECIAL_TOKENS, range(38), strict=True))
    assert tokenizer.eot == 0
    assert (SPECIAL_TOKENS[0], SPECIAL_TOKENS[6], SPECIAL_TOKENS[37]) == ("<|endoftext|>", "<file_sep>", "<PASSWORD>")


@settings(deadline=None, max_examples=150)
@given(text=texts())
def test_every_text_comes_back_and_holds_no_special_token(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(np.array(ids, np.int32)) == text.encode()
    assert all(38 <= index < tokenizer.vocab_size for index in ids)


def test_a_batch_is_its_texts_one_by_one(tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode_batch(TEXTS)
    assert [ids.tolist() for ids in batch] == [tokenizer.encode(text) for text in TEXTS]
    assert {ids.dtype for ids in batch} == {np.dtype(np.int32)}


def test_a_character_cut_in_two_is_told_as_such(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("\U0001f680")  # not in TEXTS: four tokens of a byte each, or pieces
    assert len(ids) > 1
    assert tokenizer.decode(ids[:-1]) == "\ufffd"


def test_render_tells_marked_tokens_from_text(tokenizer: Tokenizer) -> None:
    marked = "\0<fim_prefix>\0def f(<fim_suffix>\0<fim_suffix>\0\0<fim_middle>\0"
    assert tokenizer.render(marked) == [1, *tokenizer.encode("def f(<fim_suffix>"), 3, 2]
    assert tokenizer.render("") == []
    with pytest.raises(UserError, match="no special token '<fim_prefx>'") as caught:
        tokenizer.render("\0<fim_prefx>\0")
    assert caught.value.do == "did you mean '<fim_prefix>'?"
    with pytest.raises(UserError, match="marked on one side only"):
        tokenizer.render("a\0<fim_prefix>")


def test_pickles_as_its_path(tokenizer: Tokenizer) -> None:
    tokenizer.encode("loaded")
    data = pickle.dumps(tokenizer)
    again = pickle.loads(data)
    assert len(data) < 1000
    assert again == tokenizer
    assert again.encode(TEXTS[2]) == tokenizer.encode(TEXTS[2])


def test_equal_digests_mean_equal_ids_not_equal_bytes(tmp_path: Path, tokenizer: Tokenizer) -> None:
    other = tmp_path / "tokenizer.json"
    tokenizers.Tokenizer.from_file(str(tokenizer.path)).save(str(other), pretty=False)
    assert other.read_bytes() != tokenizer.path.read_bytes()
    assert Tokenizer.load(other).digest == tokenizer.digest
    assert trained(tmp_path / "larger", vocab_size=401).digest != tokenizer.digest


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"normalizer": {"type": "NFC"}}, "changes the text"),
        ({"added_tokens": []}, "special tokens"),
        ({"model": {"type": "WordPiece"}}, "is not a BPE"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "b": 99}, "merges": []}}, "its ids have holes"),
        ({"model": {"type": "BPE", "vocab": {name: index for index, name in enumerate(SPECIAL_TOKENS)}, "merges": []}}, "misses a byte"),
    ],
)
def test_another_kind_of_tokenizer_is_refused_by_name(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    path = written(tmp_path, [], **changes)
    with pytest.raises(BadInput, match=what) as caught:
        Tokenizer.load(path).encode("x")
    assert caught.value.where == str(path)


def test_what_is_missing_or_torn_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tokenizer here"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(BadInput, match="cannot be read"):
        _ = Tokenizer.load(tmp_path).vocab_size


def test_more_ids_than_16_bits(tmp_path: Path) -> None:
    tokenizer = wide(tmp_path)
    assert tokenizer.vocab_size == 65_830
    assert tokenizer.decode(tokenizer.encode("zw\u00f6lf")) == "zw\u00f6lf"
    assert tokenizer.encode("a\u6b6d")[-1] == 65_829  # the last two of its three bytes
