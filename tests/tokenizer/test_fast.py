"""tiktoken's ids are those of `tokenizers`: on much text, on every character, on hostile text, and provably."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.tokenizer import fast
from minisc.tokenizer.base import Tokenizer
from minisc.tokenizer.bpe import SMALLEST, Bpe
from tests.silent import Silent
from tests.tokenizer.small import trained, written

STDLIB = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
GPT2 = [
    {"type": "Digits", "individual_digits": True},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
]


def read(paths: list[Path]) -> list[str]:
    return [path.read_text(encoding="utf-8", errors="ignore") for path in paths]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """2,000 ids learned from a tenth of the standard library."""
    folder = tmp_path_factory.mktemp("stdlib")
    Bpe(vocab_size=2000, train_bytes=1 << 21, min_frequency=2, shrink=False, seed=0).train(read(STDLIB[::10]), folder, Silent())
    return Tokenizer.load(folder)


@pytest.fixture(scope="module")
def defining(tokenizer: Tokenizer) -> tokenizers.Tokenizer:
    loaded = tokenizers.Tokenizer.from_file(str(tokenizer.path))
    loaded.encode_special_tokens = True
    return loaded


def test_the_standard_library(tokenizer: Tokenizer, defining: tokenizers.Tokenizer) -> None:
    texts = read(STDLIB[1::10])
    assert sum(map(len, texts)) > 200_000
    for text, told in zip(texts, defining.encode_batch_fast(texts), strict=True):
        assert tokenizer.encode(text) == told.ids


def test_every_character_in_every_place(tokenizer: Tokenizer, defining: tokenizers.Tokenizer) -> None:
    """Two regex engines with Unicode tables of their own: letters, digits and white space must be the same to both.

    Planes 0 and 1, where all but ideographs are; the other fifteen were tried by hand with tiktoken 0.14 and tokenizers 0.23.
    """
    for low in range(0, 0x20000, 0x400):
        codes = [code for code in range(low, low + 0x400) if not 0xD800 <= code < 0xE000]
        text = "".join(f"a{chr(code)} {chr(code)}1" for code in codes)
        if tokenizer.encode(text) != defining.encode(text).ids:
            alone = ((hex(code), f"a{chr(code)} {chr(code)}1") for code in codes)
            pytest.fail(f"cut differently: {[name for name, text in alone if tokenizer.encode(text) != defining.encode(text).ids]}")


@settings(deadline=None, max_examples=200)
@given(text=st.text(st.sampled_from("ab_. \t\n\r=-#(0\u00e9\u4f60"), max_size=200))
def test_runs_and_overlaps(tokenizer: Tokenizer, defining: tokenizers.Tokenizer, text: str) -> None:
    assert tokenizer.encode(text) == defining.encode(text).ids


@pytest.mark.parametrize("unit", [" ", "\n", " \n", "=", "a", "\U0001f600", "\t x", "1"])
def test_a_long_line_of_anything_is_survived(tokenizer: Tokenizer, defining: tokenizers.Tokenizer, unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert tokenizer.encode(text) == defining.encode(text).ids


def test_every_token_alone_is_itself(tokenizer: Tokenizer, defining: tokenizers.Tokenizer) -> None:
    """The second half of the argument in `fast`, which holds for whatever training by counting gives."""
    model = defining.model
    letters = {byte: letter for letter, byte in fast._letters().items()}
    for index in range(SMALLEST, tokenizer.vocab_size):
        word = "".join(letters[byte] for byte in tokenizer.token_bytes[index])
        assert [token.id for token in model.tokenize(word)] == [index]


def test_a_tokenizer_on_which_both_disagree_is_refused(tmp_path: Path) -> None:
    """abc is made of ab and c, but bc is merged before ab: `tokenizers` never finds abc, tiktoken does."""
    path = written(tmp_path, [("b", "c"), ("a", "b"), ("ab", "c")])
    with pytest.raises(UserError, match="disagrees with `tokenizers`") as caught:
        Tokenizer.load(path).encode("abc")
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("merges", "changes"),
    [
        ([("a", "b"), ("ab", "c")], {"pre_tokenizer": {"type": "Sequence", "pretokenizers": GPT2}}),
        ([("a", "b"), ("b", "c"), ("ab", "c"), ("a", "bc")], {}),
    ],
    ids=["StarCoder2's pre-tokenizer", "a token made in two ways"],
)
def test_what_is_not_provably_alike_is_left_to_tokenizers(
    tmp_path: Path, merges: list[tuple[str, str]], changes: dict[str, object]
) -> None:
    path = written(tmp_path, merges[:3], **changes)
    if len(merges) > 3:
        told = path.read_text().replace('["ab", "c"]]', '["ab", "c"], ["a", "bc"]]')
        path.write_text(told)
    loaded = tokenizers.Tokenizer.from_file(str(path))
    for text in ("abc ab bc  12\n  abcabc", "xabcx", " " * 1000 + "x"):
        assert Tokenizer.load(path).encode(text) == loaded.encode(text, add_special_tokens=False).ids


def test_trained_ones_take_the_fast_way(tmp_path: Path) -> None:
    encode = trained(tmp_path)._encode
    assert type(getattr(encode, "__self__", None)).__module__.startswith("tiktoken")
