from __future__ import annotations

from pathlib import Path

import numpy as np

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.epoch import FIM, FIRST, LAST, NAMED, Corpus
from tests.tokens.corpora import store

TEXTS = [f"text = {number}\n" * (number % 5) for number in range(60)]
REPOS = ["" if number % 10 == 0 else f"org/r{number % 7}" for number in range(60)]


def corpus(folder: Path, tokenizer: Tokenizer, *, by_repository: bool, weights: tuple[float, ...] = (1.0,)) -> Corpus:
    stores = [store(folder / str(place), tokenizer, TEXTS, REPOS, parts=2) for place in range(len(weights))]
    return Corpus(stores, weights, by_repository, tokenizer)


def test_file_order_tells_every_document_once_with_one_end(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = corpus(tmp_path, tokenizer, by_repository=False)
    layout = own.layout(0, 0, 0.0, 1.0)
    assert sorted(layout.documents.tolist()) == list(range(60))
    assert (layout.marks == FIRST | LAST | FIM).all()
    for place, document in enumerate(layout.documents.tolist()):
        opened, number = own.locate(document)
        assert layout.starts[place + 1] - layout.starts[place] == opened.lengths[number] - opened.names[number] + 1
    assert layout.total == own.groups(0, 0, 0.0).total


def test_order_follows_seed_and_epoch_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own, again = (corpus(tmp_path / name, tokenizer, by_repository=False) for name in "ab")
    order = {(seed, epoch): tuple(own.layout(seed, epoch, 0.0, 1.0).documents) for seed in (0, 1) for epoch in (0, 1)}
    assert len(set(order.values())) == 4
    assert order[1, 1] == tuple(again.layout(1, 1, 0.0, 1.0).documents)


def test_repository_order_keeps_repositories_together(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = corpus(tmp_path, tokenizer, by_repository=True)
    layout = own.layout(3, 0, 0.5, 0.5)
    assert sorted(layout.documents.tolist()) == list(range(60))
    repos = [
        (opened.repos[opened.repo_of[number]], document)
        for document in layout.documents.tolist()
        for opened, number in [own.locate(document)]
    ]
    firsts, lasts = np.flatnonzero(layout.marks & FIRST), np.flatnonzero(layout.marks & LAST)
    groups = [{repos[place][0] for place in range(first, last + 1)} for first, last in zip(firsts, lasts, strict=True)]
    assert all(len(group) == 1 for group in groups)
    assert sorted(min(group) for group in groups) == sorted([""] * 6 + [f"org/r{number}" for number in range(7)])
    for mark in (NAMED, FIM):
        shares = [{int(layout.marks[place] & mark) for place in range(first, last + 1)} for first, last in zip(firsts, lasts, strict=True)]
        assert all(len(share) == 1 for share in shares)
        assert {0, mark} == {min(share) for share in shares}
    largest = max(zip(firsts, lasts, strict=True), key=lambda ends: ends[1] - ends[0])
    inside = layout.documents[largest[0] : largest[1] + 1].tolist()
    assert inside != sorted(inside)
    assert layout.total == own.groups(3, 0, 0.5).total


def test_names_and_heads_are_counted(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = corpus(tmp_path, tokenizer, by_repository=True)
    without, named = own.groups(0, 0, 0.0).total, own.groups(0, 0, 1.0).total
    heads = sum(1 + len(tokenizer.encode(f"org/r{number}")) for number in range(7))
    assert named - without == heads + sum(int(opened.names.sum()) for opened in own.stores)
    assert own.head(int(own.layout(0, 0, 1.0, 1.0).documents[0]))[:1] in ([], [tokenizer.special["<repo_name>"]])


def test_weights_are_how_often_an_epoch_tells_a_store(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = corpus(tmp_path, tokenizer, by_repository=False, weights=(2.0, 0.5, 0.0))
    layouts = [own.layout(0, epoch, 0.0, 1.0) for epoch in range(20)]
    counts = [np.bincount(layout.documents, minlength=180) for layout in layouts]
    assert all((count[:60] == 2).all() and (count[120:] == 0).all() for count in counts)
    assert all(set(count[60:120].tolist()) == {0, 1} for count in counts)
    assert abs(np.mean([count[60:120].mean() for count in counts]) - 0.5) < 0.05
    assert [layout.total for layout in layouts] == [own.groups(0, epoch, 0.0).total for epoch in range(20)]
    assert layouts[0].documents.tolist() != sorted(layouts[0].documents.tolist())


def test_a_position_is_found_in_its_document(tmp_path: Path, tokenizer: Tokenizer) -> None:
    layout = corpus(tmp_path, tokenizer, by_repository=False).layout(0, 0, 0.0, 1.0)
    for place in range(60):
        assert layout.at(int(layout.starts[place])) == layout.at(int(layout.starts[place + 1]) - 1) == place
