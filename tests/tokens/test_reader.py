from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.errors import UserError
from minisc.tokenizer.base import Tokenizer
from minisc.tokens.reader import Windows
from tests.tokenizer.small import TEXTS, trained
from tests.tokens.corpora import reader, store
from tests.tokens.unfold import stream

CODE = [*TEXTS, *(f"def f{number}(x):\n    return x * {number}  # \u4f60\u597d\n" * (1 + number % 6) for number in range(30))]


def digest(windows: Windows, first: int, count: int) -> str:
    batch = windows.batch(first, count)
    return hashlib.sha256(b"".join(np.ascontiguousarray(batch[name]).astype("<i4").tobytes() for name in sorted(batch))).hexdigest()


def texts() -> st.SearchStrategy[list[str]]:
    text = st.text(st.sampled_from("ab \n=(\u00e9\u4f60\U0001f600<"), max_size=60) | st.sampled_from(
        [text for text in TEXTS if len(text) < 300]
    )
    return st.lists(text, min_size=1, max_size=6).filter(any)


@settings(deadline=None, max_examples=40)
@given(
    written=texts(), seed=st.integers(0, 2**64 - 1), epoch=st.integers(0, 3), room=st.integers(2, 80), slack=st.integers(4, 30),
    order=st.sampled_from(["file", "repository"]), rates=st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 4), spread=st.integers(1, 4), parts=st.integers(1, 3),
)  # fmt: skip
def test_every_character_once_an_epoch(
    tokenizer: Tokenizer,
    written: list[str],
    seed: int,
    epoch: int,
    room: int,
    slack: int,
    order: str,
    rates: tuple[float, ...],
    spread: int,
    parts: int,
) -> None:
    """From the samples of an epoch, undone, comes back every document, whole, once, in whatever order and form it was told."""
    repos = ["" if number % 4 == 3 else f"org/r{number % spread}" for number in range(len(written))]
    with tempfile.TemporaryDirectory() as folder:
        opened = store(Path(folder), tokenizer, written, repos, parts=parts)
        windows = reader(
            seq_len=room + slack, slack=slack, seed=seed, order=order, fim_rate=rates[0], fim_spm_rate=rates[1], fim_group_rate=rates[2],
            names_rate=rates[3] if order == "repository" else 0.0,
        ).open([opened], tokenizer)  # fmt: skip
        first = sum(windows.len_epoch(before) for before in range(epoch))
        symbols = stream((windows.sample(first + index) for index in range(windows.len_epoch(epoch))), tokenizer)
    assert symbols[-1] == tokenizer.eot
    if order == "file":
        assert files_of(symbols, tokenizer) == Counter(text.encode() for text in written)
    else:
        expected: dict[str, Counter[tuple[str, str]]] = {}
        for number, (text, repo) in enumerate(zip(written, repos, strict=True)):
            expected.setdefault(repo or f" {number}", Counter())[f"src/caf\u00e9 {number}.py", text] += 1
        check_repositories(symbols, expected, tokenizer)


def files_of(symbols: list[int | bytes], tokenizer: Tokenizer) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    text = b""
    for symbol in symbols:
        if symbol == tokenizer.eot:
            found[text] += 1
            text = b""
        else:
            assert isinstance(symbol, bytes)
            text += symbol
    return found


def check_repositories(symbols: list[int | bytes], expected: dict[str, Counter[tuple[str, str]]], tokenizer: Tokenizer) -> None:
    """Each group of the stream is one repository with all its files, all with their paths or none; every repository once."""
    bare = Counter(frozenset(Counter(text.encode() for _, text in files.elements()).items()) for files in expected.values())
    for repo, files in groups_of(symbols, tokenizer):
        if any(b"src/caf" in file for file in files):
            told = Counter(tuple(file.decode().split("\n", 1)) for file in files.elements())
            name = next(name for name, wanted in expected.items() if wanted == told)
            assert repo == ("" if name.startswith(" ") else name)
            files = Counter(text.encode() for _, text in expected[name].elements())
        else:
            assert not repo
        bare[frozenset(files.items())] -= 1
    assert not any(bare.values())


def groups_of(symbols: list[int | bytes], tokenizer: Tokenizer) -> Iterator[tuple[str, Counter[bytes]]]:
    """(repository's name or '', its files) of each group."""
    repo = ""
    files: list[bytes] = []
    place = iter(symbols)
    for symbol in place:
        if symbol == tokenizer.special["<repo_name>"]:
            name = next(place)
            assert isinstance(name, bytes)
            assert not files
            repo = name.decode()
        elif symbol == tokenizer.special["<file_sep>"]:
            files.append(b"")
        elif symbol == tokenizer.eot:
            yield repo, Counter(files)
            repo, files = "", []
        else:
            assert isinstance(symbol, bytes)
            files[-1] += symbol
    assert not files


def test_left_to_right_every_token_is_a_target_once_and_windows_join(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, CODE)
    windows = reader(seq_len=33).open([opened], tokenizer)
    every = sorted((windows.sample(index) for index in range(windows.len_epoch(0))), key=lambda sample: sample.window)
    targets, inputs = np.concatenate([sample.targets for sample in every]), np.concatenate([sample.ids for sample in every])
    order = windows._epoch(0).layout.documents.tolist()
    expected = [token for document in order for token in [*opened.tokens(document)[opened.names[document] :].tolist(), 0]]
    assert targets[: len(expected)].tolist() == expected
    assert (targets[len(expected) :] == -100).all()
    assert inputs[: len(expected)].tolist() == [0, *expected[:-1]]
    assert len(expected) > 33 * (windows.len_epoch(0) - 1)


def test_golden_batch(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """What a seed means is fixed: a change here changes every trained model, and wants a new `Reader.version`."""
    windows = reader(seq_len=48, fim_rate=0.5, slack=12, seed=7).open([store(tmp_path, tokenizer, CODE)], tokenizer)
    assert (windows.len_epoch(0), digest(windows, 3, 16)) == GOLDEN


GOLDEN = (97, "e4092a6ffd365d55bd963ad59a4596fe47df2ed683dd93f0bd74e5d6f40df299")


def sampled(windows: Windows, first: int, count: int) -> str:
    return digest(windows, first, count)


@pytest.mark.parametrize("changes", [{}, {"order": "repository", "names_rate": 0.5, "fim_group_rate": 0.5}])
def test_a_sample_is_the_same_whoever_asks_and_when(tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, Any]) -> None:
    windows = reader(seq_len=40, fim_rate=0.5, slack=10, **changes).open([store(tmp_path, tokenizer, CODE, parts=2)], tokenizer)
    far = windows.len_epoch(0) + windows.len_epoch(1) + 2  # into the third epoch, asked for first
    late, early = digest(windows, far, 4), digest(windows, 1, 4)
    fresh = pickle.loads(pickle.dumps(windows))
    assert (digest(fresh, 1, 4), digest(fresh, far, 4)) == (early, late)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(sampled, windows, far, 4).result() == late
    whole = windows.batch(far - 3, 7)
    assert np.array_equal(whole["ids"][3:], windows.batch(far, 4)["ids"])


def test_seeds_and_epochs_differ(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, CODE)
    drawn = set()
    for seed in (0, 1):
        windows = reader(seq_len=40, fim_rate=0.5, slack=10, seed=seed).open([opened], tokenizer)
        drawn |= {digest(windows, epoch * windows.len_epoch(0), 5) for epoch in range(3)}
    assert len(drawn) == 6


@pytest.mark.parametrize("changes", [{}, {"order": "repository", "names_rate": 0.5}, {"weights": [1.5]}])
def test_an_index_beyond_the_epoch_goes_on(tmp_path: Path, tokenizer: Tokenizer, changes: dict[str, Any]) -> None:
    windows = reader(**changes).open([store(tmp_path, tokenizer, CODE)], tokenizer)
    lengths = [windows.len_epoch(epoch) for epoch in range(6)]
    assert (len(set(lengths)) > 1) == bool(changes)
    places = [windows.locate(index) for index in range(sum(lengths))]
    assert sorted(places) == [(epoch, window) for epoch, length in enumerate(lengths) for window in range(length)]
    assert [epoch for epoch, _ in places] == [epoch for epoch, length in enumerate(lengths) for _ in range(length)]
    last = windows.sample(sum(lengths) - 1)
    assert (last.epoch, last.window) == places[-1]


def test_a_batch_has_the_shapes_that_a_trainer_wants(tmp_path: Path, tokenizer: Tokenizer) -> None:
    windows = reader(seq_len=40, fim_rate=0.5, slack=10).open([store(tmp_path, tokenizer, CODE)], tokenizer)
    batch = windows.batch(2, 3)
    assert {name: (array.shape, array.dtype) for name, array in batch.items()} == dict.fromkeys(
        ("ids", "targets", "segments"), ((3, 40), np.dtype(np.int32))
    )
    assert np.array_equal(batch["ids"][1], windows.sample(3).ids)
    assert batch["ids"].max() < tokenizer.vocab_size
    assert windows.tokens_a_window == 30


def test_a_vocabulary_beyond_16_bits(tmp_path: Path, wide_tokenizer: Tokenizer) -> None:
    tokenizer = wide_tokenizer
    windows = reader(seq_len=32, fim_rate=1.0, slack=12).open([store(tmp_path, tokenizer, ["a\u6b6d" * 40, "b" * 100])], tokenizer)
    every = [windows.sample(index) for index in range(windows.len_epoch(0))]
    assert max(sample.ids.max() for sample in every) == 65_829
    assert files_of(stream(every, tokenizer), tokenizer) == Counter([("a\u6b6d" * 40).encode(), b"b" * 100])


def test_stores_are_mixed_by_their_weights(tmp_path: Path, tokenizer: Tokenizer) -> None:
    stores = [store(tmp_path / "a", tokenizer, ["aaa = 1\n"] * 3), store(tmp_path / "b", tokenizer, ["bbb = 2\n"] * 3)]
    windows = reader(weights=[1, 3]).open(stores, tokenizer)
    found = files_of(stream((windows.sample(index) for index in range(windows.len_epoch(0))), tokenizer), tokenizer)
    assert found == {b"aaa = 1\n": 3, b"bbb = 2\n": 9}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"order": "random"}, "tokens.order=random"),
        ({"fim_rate": 1.5}, "tokens.fim_rate=1.5"),
        ({"names_rate": -0.1}, "tokens.names_rate=-0.1"),
        ({"names_rate": 0.5}, "tokens.names_rate=0.5"),
        ({"seed": -1}, "seed=-1"),
        ({"seq_len": 16, "slack": 16}, "seq_len=16, tokens.slack=16"),
        ({"seq_len": 0}, "seq_len=0, tokens.slack=0"),
        ({"fim_rate": 0.5, "slack": 3}, "tokens.slack=3"),
        ({"weights": [1.0, -1.0]}, "tokens.weights=[1.0, -1.0]"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        reader(**changes)
    assert caught.value.where == where
    assert caught.value.do


def test_what_does_not_fit_together_is_refused_when_opened(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened, empty = store(tmp_path / "full", tokenizer, CODE), store(tmp_path / "empty", tokenizer, [])
    with pytest.raises(UserError, match="not one document to train on") as caught:
        reader().open([empty], tokenizer)
    assert str(tmp_path / "empty") in caught.value.where
    with pytest.raises(UserError, match="not one document to train on"):
        reader(weights=[0, 1]).open([opened, empty], tokenizer)
    with pytest.raises(UserError, match="there are 1 stores of tokens"):
        reader(weights=[1, 1]).open([opened], tokenizer)
    with pytest.raises(UserError, match="made with another tokenizer"):
        reader().open([opened], trained(tmp_path / "other", vocab_size=390))
    assert reader().open([empty, opened], tokenizer).len_epoch(0) == reader().open([opened], tokenizer).len_epoch(0)
