"""Batches, caches and orders change nothing; every ending is told; the naive loop gives the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
import torch

from minisc.core.errors import UserError
from minisc.generation.generator import Completion, Generator
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Sampling, draw, uniforms
from minisc.model.starcoder2_reading import Reading
from tests.generation.small import TEXTS, naive_logits, network, tokenizer

GREEDY = Sampling(max_new_tokens=24)
WARM = Sampling(max_new_tokens=24, temperature=0.9, top_p=0.95, top_k=50, seed=3)
LOOPING = Sampling(max_new_tokens=100)
PROMPTS = [Prompt(text=text[:cut]) for text in TEXTS[:3] for cut in (0, 1, 7, 20, 21, 40, 63)] + [
    Prompt(text="def f(", suffix="\n    return x\n")
]


def generator(rows: int = 32, **size: int | None) -> Generator:
    return Generator(network(**size), tokenizer(), rows=rows)


def naive(prompt: Prompt, settings: Sampling, key: int, **size: int | None) -> list[int]:
    """One prompt, the whole text anew for every token."""
    ids = encode(prompt, tokenizer(), 127, cut=False).ids
    ends = {
        tokenizer().special[name]
        for name in ("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
    }
    out: list[int] = []
    for uniform in uniforms(settings.seed, key, settings.max_new_tokens):
        logits = naive_logits(network(**size), ids + out)
        if settings.temperature:
            token = int(draw(logits[None] / settings.temperature, torch.tensor([uniform]), settings.top_k, settings.top_p))
        else:
            token = int(logits.argmax())
        if token in ends:
            break
        out.append(token)
    return out


@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
@pytest.mark.parametrize("window", [None, 16])
def test_it_writes_what_the_naive_loop_writes(settings: Sampling, window: int | None) -> None:
    told = generator(window=window).complete(PROMPTS, settings)
    assert [list(one.tokens) for one in told] == [naive(prompt, settings, at, window=window) for at, prompt in enumerate(PROMPTS)]


@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_neither_batch_size_nor_order_change_a_token(settings: Sampling) -> None:
    prompts = [Prompt(text=prompt.text, suffix=prompt.suffix, key=at) for at, prompt in enumerate(PROMPTS)]
    alone = generator(rows=1).complete(prompts, settings)
    for rows in (2, 5, 64):
        assert generator(rows=rows).complete(prompts, settings) == alone
    order = list(range(len(prompts)))
    random.Random(0).shuffle(order)
    shuffled = generator(rows=5).complete([prompts[at] for at in order], settings)
    assert shuffled == [alone[at] for at in order]


@pytest.mark.parametrize("window", [None, 16])
@pytest.mark.parametrize("settings", [LOOPING, WARM], ids=["greedy", "sampled"])
def test_guesses_change_the_speed_and_not_the_text(settings: Sampling, window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[int]()
    read = Reading.read

    def counted(self: Reading, ids: torch.Tensor, counts: Sequence[int], only: torch.Tensor | None = None) -> torch.Tensor:
        calls[at_once] += 1
        return read(self, ids, counts, only)

    monkeypatch.setattr(Reading, "read", counted)
    told = {}
    for at_once in (0, 3, 96):
        told[at_once] = Generator(network(window=window), tokenizer(), rows=1, at_once=at_once).complete(PROMPTS, settings)
    assert told[0] == told[3] == told[96]
    if settings is LOOPING:
        assert calls[96] < calls[3] < calls[0], calls


def test_another_seed_or_key_gives_another_text() -> None:
    prompt = [Prompt(text="def ")]
    texts = {generator().complete(prompt, Sampling(max_new_tokens=24, temperature=1.0, seed=seed))[0].text for seed in range(4)}
    keyed = {generator().complete([Prompt(text="def ", key=key)], WARM)[0].text for key in range(4)}
    assert len(texts) == 4 and len(keyed) == 4


@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_a_stream_is_the_completion_in_pieces(settings: Sampling) -> None:
    for prompt in PROMPTS[::3]:
        *pieces, last = generator().stream(prompt, settings)
        assert isinstance(last, Completion)
        assert "".join(str(piece) for piece in pieces) == last.text
        assert last == generator().complete([prompt], settings)[0]


def test_a_stop_string_ends_the_text_before_it() -> None:
    free = generator().complete(PROMPTS, GREEDY)
    at, whole = next((at, one) for at, one in enumerate(free) if len(one.text) > 8 and one.text.isascii())
    stop = whole.text[3:6]  # across the borders of tokens, wherever they are
    told = generator().complete([PROMPTS[at]], Sampling(max_new_tokens=24, stop=("never", stop)))[0]
    assert (told.text, told.finish_reason, told.ended_by) == (whole.text[: whole.text.index(stop)], "stop", stop)
    assert len(told.tokens) <= len(whole.tokens)


def test_every_text_has_one_of_four_endings() -> None:
    told = [
        one
        for seed in range(4)
        for one in generator().complete(PROMPTS, Sampling(max_new_tokens=300, temperature=1.0, seed=seed, stop=("print",)))
    ]
    assert {one.finish_reason for one in told} >= {"context", "end"}
    for one in told:
        assert one.finish_reason in ("end", "stop", "context")
        assert (one.finish_reason == "context") == (one.prompt_tokens + len(one.tokens) == 128 and not one.ended_by)


def test_a_prompt_longer_than_the_context_is_refused_or_cut() -> None:
    prompt = Prompt(text="x = 1\n" * 200, name="long one")
    with pytest.raises(UserError) as caught:
        generator().complete([prompt], GREEDY)
    assert "the model takes 127 before it writes" in caught.value.what
    assert caught.value.where == "long one" and "long_prompt=cut" in caught.value.do
    told = generator().complete([prompt], Sampling(max_new_tokens=24, long_prompt="cut"))[0]
    assert told.prompt_tokens == 128 - 24 and told.cut_tokens > 100


def test_a_tokenizer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="does not fit the model"):
        Generator(network(vocabulary=300), tokenizer())


def test_the_padding_of_an_imported_vocabulary_is_never_written() -> None:
    told = Generator(network(vocabulary=512), tokenizer()).complete([Prompt(text="a")], Sampling(max_new_tokens=60, temperature=3.0))[0]
    assert all(token < tokenizer().vocab_size for token in told.tokens)


def test_a_repetition_penalty_keeps_tokens_from_coming_again() -> None:
    plain = generator().complete([Prompt(text="def ")], Sampling(max_new_tokens=60))[0]
    punished = generator().complete([Prompt(text="def ")], Sampling(max_new_tokens=60, repetition_penalty=50.0))[0]
    assert len(set(punished.tokens)) == len(punished.tokens) > 5
    assert punished.tokens != plain.tokens
