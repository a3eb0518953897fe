"""The estimate of tokens: near a real tokenizer's count on real code, cheap, and additive where texts are joined at line ends."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from minisc.core.token_estimate import estimated_tokens


def texts() -> list[str]:
    paths = [path for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")) if 2_000 < path.stat().st_size < 200_000]
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]


@pytest.mark.system
def test_it_is_near_what_a_tokenizer_of_the_same_kind_counts() -> None:
    """Trained here on half of the library, which cannot fill 49,152 ids, so its tokens are a little shorter than those of the fit."""
    learned, unseen = texts()[::2], texts()[1::2]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=49_114, min_frequency=2, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(learned, trainer)
    counted = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(unseen))
    assert 0.85 < sum(map(estimated_tokens, unseen)) / counted < 1.1


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("x", 1), ("1234", 4), ("a = 1\n", 4), ("é" * 10, 3)])
def test_small_texts(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_text_has_about_the_tokens_of_its_lines(one: str, other: str) -> None:
    assert abs(estimated_tokens(f"{one}\n{other}") - estimated_tokens(one) - estimated_tokens(other)) <= 3
