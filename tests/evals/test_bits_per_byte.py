"""The score, its sample, its rivals and its errors, each against a second way to the same number."""

from __future__ import annotations

import hashlib
import lzma
import math
import random
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import Doc
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe
from minisc.evals.base import Scores, Subject
from minisc.evals.bits_per_byte import BitsPerByte, sample, xz
from minisc.evals.jackknife import jackknife
from minisc.model.base import LoadedModel
from tests.generation.small import TEXTS, network, tokenizer
from tests.silent import Silent


def doc(at: int, text: str, repo: str = "r") -> Doc:
    return Doc(uid=f"{at:032x}", text=text, size=len(text.encode()), repo=repo, source="local", path=b"p", path_text=f"p{at}.py")


DOCS = [doc(at, TEXTS[at % 3] * (1 + at % 4) + f"# {at}\n", repo=f"repo{at % 5}") for at in range(12)] + [doc(99, "")]


def scored(documents: Iterable[Doc] = DOCS, scratch: Path = Path("never-used"), **changed: float) -> Scores:
    evaluation = BitsPerByte(
        **{"max_bytes": 10**9, "context": 64, "stride": 0.5, "seed": 0, "batch_tokens": 512, "glimpse_bytes": 50, **changed}
    )
    held = list(documents)
    module = network()
    subject = Subject(
        model=LoadedModel(module, module.spec, module.vocab_size),
        tokenizer=tokenizer(), documents=lambda split: held if split == "held_out" else [], scratch=scratch, speak=Silent(),
    )  # fmt: skip
    return evaluation.score(subject)


def naive_bits(text: str, context: int, jump: int) -> float:
    """One document at a time, one window at a time, probabilities from the plain forward pass."""
    stream = [0, *tokenizer().encode(text), 0]
    bits, done = 0.0, 0
    while done < len(stream) - 1:
        end = min(context if done == 0 else done + jump, len(stream) - 1)
        start = max(0, end - context)
        with torch.inference_mode():
            chances = torch.softmax(network()(torch.tensor([stream[start:end]]))[0].double(), -1).numpy()
        bits -= sum(math.log2(chances[at - start, stream[at + 1]]) for at in range(done, end))
        done = end
    return bits


def test_bits_per_byte_is_that_of_a_naive_implementation() -> None:
    docs = [*DOCS[:4], DOCS[-1]]
    told = scored(docs).figures
    size = sum(len(one.text.encode()) for one in docs)
    assert told["bits_per_byte"] == pytest.approx(sum(naive_bits(one.text, 64, 32) for one in docs) / size, rel=1e-5)
    assert (told["documents_scored"], told["bytes_scored"]) == (5, size)
    assert told["tokens_scored"] == sum(len(tokenizer().encode(one.text)) + 1 for one in docs)
    assert told["nats_per_token"] == pytest.approx(told["bits_per_byte"] * size * math.log(2) / told["tokens_scored"], rel=1e-5)


def test_compressors_see_each_file_alone_and_all_as_one_stream() -> None:
    told = scored().figures
    raw = [one.text.encode() for one in sorted(DOCS, key=lambda one: (one.repo, one.path_text))]
    size = sum(map(len, raw))
    assert told["zlib_bits_per_byte"] == round(8 * sum(len(zlib.compress(one, 9)) for one in raw) / size, 5)
    assert told["xz_bits_per_byte"] == round(8 * sum(len(lzma.compress(one, preset=9)) for one in raw) / size, 5)
    assert told["zlib_solid_bits_per_byte"] == round(8 * len(zlib.compress(b"".join(raw), 9)) / size, 5)
    assert told["xz_solid_bits_per_byte"] == round(8 * len(lzma.compress(b"".join(raw), preset=9)) / size, 5)
    assert told["xz_solid_bits_per_byte"] < told["xz_bits_per_byte"]


def test_tables_add_up_to_the_whole() -> None:
    told = scored(DOCS[:-1])
    assert [row["repo"] for row in told.tables["repos"]] == ["repo1", "repo2", "repo0", "repo3", "repo4"]  # by bytes
    assert [row["source"] for row in told.tables["sources"]] == ["local"]
    for name in ("repos", "sources"):
        assert sum(row["bytes_scored"] for row in told.tables[name]) == told.figures["bytes_scored"]
        bits = sum(row["bits_per_byte"] * row["bytes_scored"] for row in told.tables[name])
        assert bits / told.figures["bytes_scored"] == pytest.approx(told.figures["bits_per_byte"], rel=1e-5)
    assert len(told.tables["documents"]) == 12


def test_order_changes_nothing_and_batches_only_the_rounding() -> None:
    first = scored()
    shuffled = DOCS[:]
    random.Random(1).shuffle(shuffled)
    assert scored(shuffled) == first
    for batch_tokens in (1, 100_000):
        assert scored(shuffled, batch_tokens=batch_tokens).figures == pytest.approx(first.figures, abs=2e-5)


def test_a_fitted_dictionary_gives_the_size_of_xz_9() -> None:
    for raw in (b"", b"x", DOCS[3].text.encode(), Path(__file__).read_bytes() * 20):
        assert xz(raw) == len(lzma.compress(raw, preset=9))


def test_batch_size_is_no_part_of_the_fingerprint() -> None:
    one, two = (BitsPerByte(max_bytes=1, context=2, stride=1.0, seed=0, batch_tokens=tokens, glimpse_bytes=1) for tokens in (1, 2))
    assert describe(one) == describe(two)


@given(sizes=st.lists(st.integers(0, 50), min_size=1, max_size=30), wanted=st.integers(1, 600), seed=st.integers(0, 3), order=st.randoms())
@settings(deadline=None, max_examples=150)
def test_the_sample_is_the_shortest_run_of_lowest_hashes_that_suffices(
    sizes: list[int], wanted: int, seed: int, order: random.Random
) -> None:
    docs = [doc(at, "x" * size) for at, size in enumerate(sizes)]
    ranked = sorted(docs, key=lambda one: hashlib.sha256(f"{seed}:{one.uid}".encode()).digest())
    expected, total = set(), 0
    for one in ranked:
        if total >= wanted:
            break
        expected.add(one.uid)
        total += one.size
    order.shuffle(docs)
    assert {one.uid for one in sample(docs, wanted, seed)} == expected


def test_a_limit_is_kept_to_and_another_seed_draws_others() -> None:
    told = scored(max_bytes=600).figures
    assert 600 <= told["bytes_scored"] < 1200
    drawn = [{one.uid for one in sample(DOCS, 600, seed)} for seed in range(4)]
    assert len({frozenset(uids) for uids in drawn}) > 1


def test_the_error_is_that_of_a_bootstrap() -> None:
    generator = np.random.default_rng(0)
    size = generator.integers(200, 5000, 300)
    rows = [
        {"uid": str(at), "repo": str(at % 30), "bits": float(one * generator.normal(2, 0.3)), "bytes": int(one)}
        for at, one in enumerate(size)
    ]
    pairs = np.array([[row["bits"], row["bytes"]] for row in rows])
    drawn = pairs[generator.integers(0, 300, (4000, 300))].sum(axis=1)
    assert jackknife(rows, "uid") == pytest.approx((drawn[:, 0] / drawn[:, 1]).std(), rel=0.05)
    assert jackknife(rows, "repo") > 0
    assert jackknife([{**row, "repo": "one"} for row in rows], "repo") == 0.0


def test_nothing_held_out_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BadInput) as caught:
        scored([])
    assert caught.value.what == "no document is held out" and "steps.collect.held_out" in caught.value.do


@pytest.mark.parametrize(("name", "value"), [("max_bytes", 0), ("context", 1), ("stride", 0.0), ("stride", 1.5), ("batch_tokens", 0)])
def test_wrong_values_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(UserError) as caught:
        scored(**{name: value})
    assert caught.value.where == f"evals.bits_per_byte.{name}={value}"
