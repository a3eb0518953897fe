"""Every span that the guarantee promises is found, whole; nothing is told that is not there."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import table_of
from minisc.core.parts import write_part
from minisc.trace.origins import Traced, trace
from minisc.trace.part import PartTask, index_part
from minisc.trace.search import Rules, maximal
from tests import made

RULES = Rules(window=16, every=8, least=23, distinct=1, places=256)


def index(folder: Path, *parts: list[str], window: int = 16, every: int = 8) -> Path:
    for number, texts in enumerate(parts):
        rows = [made.row("r", f"p{number}/{at}.py", text, split="train", license="MIT") for at, text in enumerate(texts)]
        held = made.row("r", "held.py", "held out text " * 50, split="held_out")
        write_part(folder / f"d{number}.parquet", [table_of([*rows, held])])
        (folder / "index").mkdir(exist_ok=True)
        task = PartTask(documents=folder / f"d{number}.parquet", target=folder / "index" / f"part-{number:05d}", window=window, every=every)
        assert index_part(task) == index_part(task)
    return folder / "index"


def ask(folder: Path, texts: list[str], rules: Rules = RULES) -> list[Traced]:
    return list(trace(texts, folder / "index", rules, 3, made.Inline(), folder))


def words(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [f"w{chance.randrange(10**9)}" for _ in range(count)]


def common(one: list[str], other: list[str], least: int) -> set[tuple[int, int]]:
    """By brute force: the maximal intervals of `one` that occur in `other`."""
    found = set()
    for first in range(len(one)):
        longest = 0
        for place in range(len(other)):
            length = 0
            while first + length < len(one) and place + length < len(other) and one[first + length] == other[place + length]:
                length += 1
            longest = max(longest, length)
        if longest >= least:
            found.add((first, first + longest))
    return {(a, b) for a, b in found if not any((c, d) != (a, b) and c <= a and b <= d for c, d in found)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=40), min_size=1, max_size=4), st.lists(st.integers(0, 5), max_size=60),
    st.sampled_from([(4, 1), (4, 3), (6, 4)]), st.integers(0, 3),
)  # fmt: skip
def test_it_finds_what_brute_force_finds(documents: list[list[int]], text: list[int], form: tuple[int, int], copied: int) -> None:
    window, every = form
    text = text + documents[copied % len(documents)][copied:]
    rules = Rules(window=window, every=every, least=window + every - 1, distinct=1, places=10_000)
    told = [[f"t{number}" for number in document] for document in documents]
    asked = [f"t{number}" for number in text]
    with TemporaryDirectory() as name:
        folder = Path(name)
        half = len(told) // 2
        index(folder, [" ".join(one) for one in told[:half]], [" ".join(one) for one in told[half:]], window=window, every=every)
        (found,) = ask(folder, [" ".join(asked)], rules)
    spans = [interval for document in told for interval in common(asked, document, rules.least)]
    expected = {(a, b) for a, b in spans if not any((c, d) != (a, b) and c <= a and b <= d for c, d in spans)}
    assert found.repeats == len(expected)
    assert found.longest == max((b - a for a, b in expected), default=0)
    assert found.repeated == len({at for a, b in expected for at in range(a, b)})
    starts = np.cumsum([0, *(len(word) + 1 for word in asked)]).tolist()
    assert {(span["start"], span["end"]) for span in found.spans} <= {(starts[a], starts[b] - 1) for a, b in expected}


@pytest.mark.parametrize("length", [22, 23, 49, 50, 51])
@pytest.mark.parametrize("shift", range(8))
def test_a_planted_copy_is_found_to_the_word(tmp_path: Path, length: int, shift: int) -> None:
    document = words(400, 1)
    index(tmp_path, [" ".join(words(shift, 2))], [" ".join(words(shift, 3) + document)])
    copy = document[100 + shift : 100 + shift + length]
    (found,) = ask(tmp_path, ["\n".join(words(7, 4)) + "\n\t" + "\n  ".join(copy) + " " + " ".join(words(9, 5))])
    assert found.longest == (length if length >= 23 else 0)
    assert found.repeated == found.longest
    if found.spans:
        (origin,) = found.spans[0]["origins"]
        assert (origin["repo"], origin["path"], origin["license"]) == ("r", "p1/0.py", "MIT")
        assert origin["swhid"].startswith("swh:1:cnt:")


def test_a_line_is_told_and_characters_are(tmp_path: Path) -> None:
    body = [f"line_{at} = call({at}, other_{at})" for at in range(60)]
    index(tmp_path, ["# head\n\n" + "\n".join(body)])
    text = "é = '\ud800'\n" + "\n".join(body[10:20])
    (found,) = ask(tmp_path, [text])
    (span,) = found.spans
    assert text[span["start"] : span["end"]] == "\n".join(body[10:20])
    assert span["origins"][0]["line"] == 13


def test_the_held_out_are_not_in_the_index(tmp_path: Path) -> None:
    index(tmp_path, [" ".join(words(100, 1))])
    (found,) = ask(tmp_path, ["held out text " * 50])
    assert found.longest == 0


def test_what_goes_round_in_circles_is_no_copy_until_it_goes_on(tmp_path: Path) -> None:
    rules = Rules(window=16, every=8, least=23, distinct=6, places=256)
    index(tmp_path, ["0, " * 500 + " ".join(words(60, 1))])
    zeros, longer = ask(tmp_path, ["0, " * 300, "0, " * 20 + " ".join(words(60, 1)[:30])], rules)
    assert zeros.longest == 0
    assert longer.longest == 70


def test_frequent_spans_are_found_and_said_to_be(tmp_path: Path) -> None:
    head = " ".join(words(40, 1))
    index(tmp_path, [head + " " + " ".join(words(30, seed)) for seed in range(2, 90)])
    rules = Rules(window=16, every=8, least=23, distinct=6, places=5)
    (found,) = ask(tmp_path, [head], rules)
    assert found.longest == 40
    assert found.spans[0]["more"]
    (all_of_one,) = ask(tmp_path, [head + " " + " ".join(words(30, 29))], rules)
    assert all_of_one.longest == 70, "rare windows lead to the one document that goes on"


def test_nothing_and_almost_nothing(tmp_path: Path) -> None:
    index(tmp_path, ["x"], [])
    assert [one.tokens for one in ask(tmp_path, ["", " ", "x", "\0" * 9, "a b"])] == [0, 0, 1, 1, 2]


def test_maximal_intervals() -> None:
    first, last = np.array([5, 0, 0, 2, 5, 9]), np.array([9, 4, 6, 6, 9, 12])
    assert sorted(maximal(first, last).tolist()) == [0, 2, 4, 5]
