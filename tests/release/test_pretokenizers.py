"""The name under which llama.cpp cuts text, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minisc.core.errors import UserError
from minisc.release.pretokenizers import NAMED, agreement, name_for
from minisc.tokenizer.bpe import WORDS
from tests import small_corpus
from tests.release import learned

STARCODER = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ],
}


def test_only_starcoders_own_is_exact() -> None:
    assert name_for({"pre_tokenizer": STARCODER}, "nearest") == ("starcoder", True)
    assert name_for({"pre_tokenizer": STARCODER}, "superbpe") == ("superbpe", False)
    ours = {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}]}
    assert name_for({"pre_tokenizer": ours}, "nearest") == ("superbpe", False)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match="'superbep' is not among those") as caught:
        name_for({}, "superbep")
    assert caught.value.do == "did you mean 'superbpe'?"


def test_the_nearest_is_the_nearest(tmp_path: Path) -> None:
    tokenizer = learned.tokenizer(tmp_path)
    texts = [small_corpus.module(9, number) + "\nvalue_1 = ((x_y, 'a'), [[0]])\n" for number in range(6)]
    shares = {name: agreement(tokenizer, name, texts) for name in NAMED}
    assert max(shares, key=lambda name: shares[name][0]) == "superbpe"
    assert shares["superbpe"][0] > 0.9
    assert shares["starcoder"][0] < 0.9
    assert len({looked for _, looked in shares.values()}) == 1


def test_a_tokenizer_agrees_with_its_own_cut(tmp_path: Path) -> None:
    path = learned.tokenizer(tmp_path)
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "pre_tokenizer": STARCODER}))
    assert agreement(path, "starcoder", ["def f_1(x):\n    return 42 # don't\n"])[0] == 1.0
    assert agreement(path, "starcoder", []) == (1.0, 0)
