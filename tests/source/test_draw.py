"""Seeded samples: whole small repositories, level large ones, shares that are kept, nothing but a function of names, sizes and seed."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.source.draw import Drawn, draw
from minisc.source.files import File


def corpus(sizes: dict[str, list[int]]) -> list[File]:
    return [
        File(where=f"/{repo}/{at}", repo=repo, path=b"%d.py" % at, size=size, reason="too_large" if size > 1000 else "")
        for repo, own in sizes.items()
        for at, size in enumerate(own)
    ]


def taken(drawn: Drawn) -> dict[str, int]:
    out: dict[str, int] = {}
    for file in drawn.files:
        if not file.reason:
            out[file.repo] = out.get(file.repo, 0) + file.size
    return out


def test_small_repositories_are_whole_and_large_ones_level() -> None:
    files = corpus({"small": [10] * 3, "middle": [10] * 20, "large": [10] * 1000, "huge": [10] * 5000})
    drawn = draw(files, max_bytes=1030, max_share=0.5, seed=0)
    assert taken(drawn) == {"small": 30, "middle": 200, "large": 400, "huge": 400}
    assert (drawn.bytes, drawn.repos, drawn.largest, drawn.held) == (1030, 4, 400, True)


def test_no_repository_is_above_its_share_of_what_is_taken() -> None:
    files = corpus({"huge": [7] * 900, **{f"small{at}": [10] * 10 for at in range(10)}})
    drawn = draw(files, max_bytes=3000, max_share=0.2, seed=0)
    assert drawn.held and drawn.largest <= 0.2 * drawn.bytes and taken(drawn)["huge"] > 0.19 * drawn.bytes
    assert all(taken(drawn)[f"small{at}"] == 100 for at in range(10))


def test_what_fits_is_taken_whole_whatever_the_shares() -> None:
    files = corpus({"one": [500], "two": [10]})
    for limit in (None, 510):
        drawn = draw(files, max_bytes=limit, max_share=0.2, seed=0)
        assert drawn.files == tuple(files) and not drawn.held


def test_a_share_that_cannot_be_kept_is_given_up_and_said_so() -> None:
    drawn = draw(corpus({"one": [10] * 100, "two": [10] * 100}), max_bytes=400, max_share=0.2, seed=0)
    assert taken(drawn) == {"one": 200, "two": 200} and not drawn.held


def test_the_seed_changes_which_files_of_a_large_repository_are_taken() -> None:
    files = corpus({"large": [10] * 100, "small": [10]})
    first, again, other = (draw(files, max_bytes=210, max_share=1.0, seed=seed).files for seed in (0, 0, 1))
    assert first == again != other and len(first) == len(other) == 21


def test_files_without_text_stay_and_cost_nothing() -> None:
    drawn = draw(corpus({"one": [10, 5000, 10], "two": [10]}), max_bytes=10, max_share=1.0, seed=0)
    assert [file.size for file in drawn.files if file.reason] == [5000] and drawn.bytes <= 10
    assert (
        draw(corpus({"one": [400], "two": [30], "three": [30]}), max_bytes=30, max_share=0.2, seed=0).bytes == 30
    )  # where no even share holds a file
    assert draw(corpus({"one": [400]}), max_bytes=30, max_share=1.0, seed=0).bytes == 0
    assert draw([], max_bytes=None, max_share=1.0, seed=0) == Drawn((), 0, 0, 0, True)


@settings(deadline=None, max_examples=80)
@given(
    sizes=st.lists(st.lists(st.integers(0, 1200), max_size=12), max_size=8),
    max_bytes=st.integers(1, 6000),
    max_share=st.sampled_from([0.05, 0.2, 0.5, 1.0]),
    seed=st.integers(0, 3),
)
def test_laws(sizes: list[list[int]], max_bytes: int, max_share: float, seed: int) -> None:
    files = corpus({f"r{at}": own for at, own in enumerate(sizes)})
    drawn = draw(files, max_bytes=max_bytes, max_share=max_share, seed=seed)
    whole = sum(file.size for file in files if not file.reason)
    assert drawn.bytes == sum(taken(drawn).values()) <= max(max_bytes, 0) and drawn.largest == max(taken(drawn).values(), default=0)
    assert drawn.held == (drawn.largest <= max_share * drawn.bytes)
    assert [file for file in files if file in set(drawn.files)] == list(drawn.files)
    assert {file for file in files if file.reason} <= set(drawn.files)
    assert (drawn.bytes == whole) == (whole <= max_bytes)
    shuffled = random.Random(seed).sample(files, len(files))
    assert set(draw(shuffled, max_bytes=max_bytes, max_share=max_share, seed=seed).files) == set(drawn.files)
