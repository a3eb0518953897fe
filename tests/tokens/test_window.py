from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.reader import Windows
from minisc.tokens.window import OUTSIDE, Sample
from tests.tokens.corpora import reader, store
from tests.tokens.unfold import told

CODE = [f"def f{number}(x):\n    return x * {number}  # \u4f60\u597d\n" * (1 + number % 6) for number in range(40)]


def samples(windows: Windows) -> Iterator[Sample]:
    return (windows.sample(index) for index in range(windows.len_epoch(0)))


@pytest.fixture
def windows(tmp_path: Path, tokenizer: Tokenizer) -> Windows:
    return reader(seq_len=64, fim_rate=0.7, slack=12).open([store(tmp_path, tokenizer, CODE)], tokenizer)


def test_every_target_is_the_next_input(windows: Windows) -> None:
    for sample in samples(windows):
        inside = sample.targets[:-1] != OUTSIDE
        assert (sample.targets[:-1][inside] == sample.ids[1:][inside]).all()


def test_sentinels_and_padding_are_outside_the_loss(windows: Windows, tokenizer: Tokenizer) -> None:
    outside = [tokenizer.special[name] for name in ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>")]
    seen = set()
    for sample in samples(windows):
        assert not np.isin(sample.targets, outside).any()
        seen |= set(np.intersect1d(sample.ids, outside).tolist())
        masked = sample.ids[1:][sample.targets[:-1] == OUTSIDE]
        assert np.isin(masked, outside).all(), "only dice and padding are left out"
    assert seen == set(outside)


def test_every_transformed_piece_follows_a_separator(windows: Windows, tokenizer: Tokenizer) -> None:
    for sample in samples(windows):
        for place in np.flatnonzero(sample.ids == tokenizer.special["<fim_prefix>"]):
            assert sample.ids[place - 1] == tokenizer.eot


def test_every_middle_ends_in_a_separator(windows: Windows, tokenizer: Tokenizer) -> None:
    """So that a model that was asked for a middle knows how to stop, also where a window cuts a document."""
    ended = 0
    for sample in samples(windows):
        tokens = told(sample, dict(tokenizer.special))
        for place in [at for at, token in enumerate(tokens) if token == tokenizer.special["<fim_middle>"]]:
            assert tokenizer.eot in tokens[place:]
        ended += sum(piece.ended for piece in sample.pieces)
        if sample.pieces[-1].ended:
            last = len(tokens) - 1
            assert tokens[last] == sample.targets[last] == tokenizer.eot
    assert ended > 10


def test_segments_count_documents(windows: Windows, tokenizer: Tokenizer) -> None:
    for sample in samples(windows):
        assert sample.segments.dtype == np.int32
        assert sample.segments[0] == (sample.ids[0] == tokenizer.eot)
        assert (np.diff(sample.segments) == (sample.ids[1:] == tokenizer.eot)).all()


def test_pieces_say_which_tokens_of_which_document(windows: Windows, tokenizer: Tokenizer) -> None:
    covered: dict[int, list[tuple[int, int]]] = {}
    forms = set()
    for sample in samples(windows):
        for piece in sample.pieces:
            covered.setdefault(piece.document, []).append((piece.begin, piece.end))
            forms.add(piece.form)
    assert forms == {"plain", "psm", "spm"}
    opened = windows.stores[0]
    for document, told_in_any_order in covered.items():
        stretches = sorted(told_in_any_order)
        assert stretches[0][0] == 0
        assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(stretches))
        assert stretches[-1][1] == opened.lengths[document] - opened.names[document]


def test_a_piece_that_finds_no_room_stays_left_to_right(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, CODE)
    refused = {}
    for slack in (4, 6, 40):
        windows = reader(seq_len=60 + slack, fim_rate=1.0, slack=slack).open([opened], tokenizer)
        every = list(samples(windows))
        assert all(len(told(sample, dict(tokenizer.special))) <= 60 + slack for sample in every)
        refused[slack] = np.mean([piece.form == "plain" for sample in every for piece in sample.pieces])
    assert refused[4] > refused[6] > refused[40]
    assert refused[40] < 0.1  # only what is too short to be cut


def test_repository_form(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """One named repository of one file, whole in one window: StarCoder2's form, letter by letter."""
    opened = store(tmp_path, tokenizer, ["x = 1\n"], ["org/r"])
    plain = reader(seq_len=128, order="repository", names_rate=1.0).open([opened], tokenizer).sample(0)
    path = tokenizer.encode("src/caf\u00e9 0.py\n")
    head = tokenizer.render("\0<repo_name>\0org/r\0<file_sep>\0")
    expected = [*head, *path, *tokenizer.encode("x = 1\n"), 0]
    assert plain.ids[: len(expected) + 1].tolist() == [0, *expected]
    assert plain.targets[: len(expected)].tolist() == expected
    assert (plain.targets[len(expected) :] == OUTSIDE).all()
    turned = (
        reader(seq_len=128, order="repository", names_rate=1.0, fim_rate=1.0, fim_spm_rate=0.0, slack=20)
        .open([opened], tokenizer)
        .sample(0)
    )
    start = [0, *head, tokenizer.special["<fim_prefix>"], *path]
    assert turned.ids[: len(start)].tolist() == start
    nameless = reader(seq_len=128, order="repository").open([opened], tokenizer).sample(0)
    assert told(nameless, dict(tokenizer.special)) == [tokenizer.special["<file_sep>"], *tokenizer.encode("x = 1\n"), 0]
