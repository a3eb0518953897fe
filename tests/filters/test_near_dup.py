"""Near-duplicates against brute force, on mutated real code, and the laws that every result keeps."""

from __future__ import annotations

import ast
import json
import random
from functools import cache
from importlib import import_module
from inspect import getsource
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import docs_of, table_of
from minisc.core.errors import UserError
from minisc.filters import banding, near_dup
from minisc.filters.banding import components, signatures_of
from minisc.filters.near_dup import NearDup
from minisc.text.shingles import jaccard, shingles, signatures
from tests.support import notes, reasons, resolve, row, rows_of, run_stage

THRESHOLD = 0.7


def stage(**changes: Any) -> NearDup:
    return NearDup(**{"threshold": THRESHOLD, "num_perm": 256, "bands": 42, "expected_drop": 1, **changes})


@cache
def functions() -> list[str]:
    """Real code: the functions and classes of a few modules of the standard library."""
    found = []
    for name in ("argparse", "tarfile", "zipfile", "textwrap", "statistics", "configparser"):
        source = getsource(import_module(name))
        found += [ast.get_source_segment(source, node) or "" for node in ast.parse(source).body if hasattr(node, "body")]
    return [text for text in found if len(text) > 400]


def mutated(text: str, rate: float, rng: random.Random) -> str:
    return " ".join(f"changed{rng.randrange(1000)}" if rng.random() < rate else word for word in text.split(" "))


def corpus(seed: int, groups: int) -> list[str]:
    """Groups of a function and 0 to 5 versions of it, from copies to strangers, shuffled."""
    rng = random.Random(seed)
    texts = []
    for original in rng.sample(functions(), groups):
        texts += [original, *(mutated(original, rng.choice([0.0, 0.005, 0.02, 0.05, 0.1]), rng) for _ in range(rng.randrange(6)))]
    rng.shuffle(texts)
    return texts


def brute_force(texts: list[str]) -> set[int]:
    """Who falls when every document is compared with every kept one, in the keeper order of `rows_of` (the uid)."""
    sets = shingles(texts)
    kept: list[int] = []
    fallen = set()
    for at in sorted(range(len(texts)), key=lambda number: f"uid-{number}"):
        if any(jaccard(sets[at], sets[other]) >= THRESHOLD for other in kept):
            fallen.add(at)
        else:
            kept.append(at)
    return fallen


def fallen_of(table: pa.Table) -> set[int]:
    return {int(uid.removeprefix("uid-")) for uid, reason in reasons(table).items() if reason}


@pytest.mark.parametrize("seed", range(4))
def test_as_brute_force(seed: int) -> None:
    texts = corpus(seed, 30)
    found, expected = fallen_of(run_stage(stage(), rows_of(texts))), brute_force(texts)
    assert len(expected) > 20
    assert found == expected


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_the_laws(seed: int) -> None:
    """What fell lies over the threshold of a kept document, which it names; kept documents that share a band lie below."""
    texts = corpus(seed, 10)
    sets = dict(zip((f"uid-{at}" for at in range(len(texts))), shingles(texts), strict=True))
    table = run_stage(stage(), rows_of(texts))
    reason, told = reasons(table), notes(table)
    for uid in (uid for uid, why in reason.items() if why):
        assert reason[uid] == "near_duplicate"
        of, similarity = json.loads(told[uid]["of"]), json.loads(told[uid]["jaccard"])
        assert reason[of] == ""
        assert similarity == round(jaccard(sets[uid], sets[of]), 4) >= THRESHOLD
    minima = dict(zip(sets, signatures(texts, 256), strict=True))
    for one, other in combinations([uid for uid, why in reason.items() if not why], 2):
        left, right = minima[one], minima[other]
        if left is not None and right is not None and (left == right)[:252].reshape(42, 6).all(axis=1).any():
            assert jaccard(sets[one], sets[other]) < THRESHOLD


def test_the_threshold_itself_falls_and_what_lies_below_stays() -> None:
    """10 words have 6 shingles; with one word put behind them, 6 of 7 are shared: 0.857."""
    texts = ["a b c d e f g h i j", "a b c d e f g h i j k"]
    assert fallen_of(run_stage(stage(threshold=6 / 7, bands=128), rows_of(texts))) == {1}
    assert fallen_of(run_stage(stage(threshold=6 / 7 + 1e-9, bands=128), rows_of(texts))) == set()


def test_short_documents_are_never_judged() -> None:
    texts = ["a b c d", "a b c d", "", "", "a b c d e", "a b c d e"]
    table = run_stage(stage(), rows_of(texts))
    assert list(reasons(table).values()) == ["", "", "", "", "", "near_duplicate"]


def test_nothing_falls_for_a_chain_of_look_alikes() -> None:
    """b is near a and c; c is not near a. Taken in order, b falls for a, and c stays: its neighbour b is not kept."""
    words = [f"w{n}" for n in range(400)]
    a, b, c = words[:300], words[40:340], words[80:380]
    texts = [" ".join(part) for part in (a, b, c)]
    sets = shingles(texts)
    assert jaccard(sets[0], sets[1]) >= THRESHOLD <= jaccard(sets[1], sets[2]) and jaccard(sets[0], sets[2]) < THRESHOLD
    assert fallen_of(run_stage(stage(), rows_of(texts))) == {1}


def test_the_keeper_is_the_better_document() -> None:
    text, other = functions()[0], functions()[0] + "\n# one more remark\n"
    rows = [
        row(text, uid="a", license="GPL-3.0-only", stars=99),
        row(other, uid="b", license="MIT", stars=1),
        row(text, uid="c", license="MIT", stars=5),
    ]
    table = run_stage(stage(), rows)
    assert reasons(table) == {"a": "near_duplicate", "b": "near_duplicate", "c": ""}
    assert {json.loads(notes(table)[uid]["of"]) for uid in "ab"} == {"c"}


def test_a_thousand_copies_leave_one_and_are_read_once() -> None:
    table = table_of(rows_of([functions()[3]] * 1000 + functions()[:3]))
    found = run_stage(stage(), table.to_pylist())
    assert [uid for uid, why in reasons(found).items() if not why] == ["uid-0", "uid-1000", "uid-1001", "uid-1002"]


def test_only_candidates_are_read_again(tmp_path: Path) -> None:
    texts = [*functions()[:40], functions()[0]]
    asked = resolve(stage(), table_of(rows_of(texts)), tmp_path).asked
    assert asked < 10


def test_batches_and_passes_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(5, 15)
    expected = run_stage(stage(), rows_of(texts))
    monkeypatch.setattr(banding, "budget", lambda documents: 1)  # a band at a time
    monkeypatch.setattr(near_dup, "_INDEX_DOCUMENTS", 2)  # a component at a time
    monkeypatch.setattr(near_dup, "_TEXT_CHARACTERS", 10)
    assert run_stage(stage(), rows_of(texts), batch=3) == expected


def test_resolving_again_gives_the_same_bytes(tmp_path: Path) -> None:
    table = table_of(rows_of(corpus(6, 15)))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        resolve(stage(), table, tmp_path / name)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["clusters.parquet", "verdicts.parquet"]
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_clusters_are_a_side_table(tmp_path: Path) -> None:
    text = functions()[7]
    run_stage(stage(), rows_of([text, functions()[8], text, text]), tmp_path)
    clusters = pq.read_table(tmp_path / "clusters.parquet").to_pylist()
    assert clusters == [{"kept": "uid-0", "uid": "uid-2", "jaccard": 1.0}, {"kept": "uid-0", "uid": "uid-3", "jaccard": 1.0}]


def test_components_are_those_of_datasketchs_index() -> None:
    """Our bands join exactly the documents that datasketch's index would propose to each other, and no others."""
    texts = corpus(9, 25)
    sketches = [stage().sketch(docs_of(table_of(rows_of(texts))))]
    label = components(sketches, len(texts), 42, 6)
    minima, _ = signatures_of(sketches[0])
    index = MinHashLSH(num_perm=252, params=(42, 6))
    for at, own in enumerate(minima):
        index.insert(at, near_dup._as_minhash(own[:252]))
    reached = np.arange(len(texts))
    for _ in texts:
        for own in minima:
            neighbours = [int(other) for other in index.query(near_dup._as_minhash(own[:252]))]
            reached[neighbours] = reached[neighbours].min()
        if np.array_equal(reached, label):
            break
    assert reached.tolist() == label.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_only_new_documents_fall_and_the_other_corpus_is_all_kept(seed: int) -> None:
    """Half of the documents are another corpus's: as brute force with those kept from the start."""
    texts = corpus(seed, 25)
    sets = shingles(texts)
    known = [at for at in range(len(texts)) if at % 2]
    kept, expected = list(known), set()
    for at in sorted(set(range(len(texts))) - set(known), key=lambda number: f"uid-{number}"):
        if any(jaccard(sets[at], sets[other]) >= THRESHOLD for other in kept):
            expected.add(f"uid-{at}")
        else:
            kept.append(at)
    table = run_stage(stage(), [row(text, uid=f"{'aaaa/' if at % 2 else ''}uid-{at}") for at, text in enumerate(texts)])
    assert {uid for uid, why in reasons(table).items() if why} == expected
    of = {json.loads(told["of"]) for told in notes(table).values() if told}
    assert any(name.startswith("aaaa/") for name in of) and any(name.startswith("uid-") for name in of)


def test_another_corpuss_own_duplicates_are_not_even_read(tmp_path: Path) -> None:
    rows = [*(row(functions()[at % 3], uid=f"aaaa/{at}") for at in range(9)), row(functions()[3], uid="a"), row(functions()[2], uid="b")]
    assert resolve(stage(), table_of(rows), tmp_path).asked == 4


def test_an_empty_corpus() -> None:
    assert len(run_stage(stage(), [])) == 0


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"threshold": 1.4}, "filters.near_dup.threshold=1.4"),
        ({"num_perm": 250}, "filters.near_dup.num_perm=250"),
        ({"num_perm": 8}, "filters.near_dup.num_perm=8"),
        ({"bands": 1}, "filters.near_dup.bands=1"),
        ({"bands": 257}, "filters.near_dup.bands=257"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as raised:
        stage(**changes)
    assert raised.value.where == where and raised.value.do
