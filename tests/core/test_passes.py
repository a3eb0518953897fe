"""A list of stages over parts: the same files whatever the engine, the number of parts under way, and the kills."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from minisc.core import ledger
from minisc.core.document import Doc, table_of, uid_elsewhere
from minisc.core.parts import part_name, write_part
from minisc.core.passes import Corpus, merged_samples, passes_of, run_passes
from minisc.core.stage import GlobalStage, Judge, Sketches, Stage, Texts, Verdict, write_verdicts
from tests.silent import Silent


@dataclass(frozen=True, kw_only=True)
class Short(Stage):
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("short",)

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(lambda docs: [Verdict(drop="short" if len(doc.text) < 6 else "") for doc in docs])


@dataclass(frozen=True, kw_only=True)
class First(GlobalStage):
    """Keeps the first document of each last character."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("later",)

    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        return pa.table({"uid": pa.array([d.uid for d in docs], pa.string()), "key": pa.array([d.text[-2:] for d in docs], pa.string())})

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        first: dict[str, str] = {}
        rows = []
        for table in sketches:
            for uid, key in zip(table["uid"].to_pylist(), table["key"].to_pylist(), strict=True):
                if first.setdefault(key, uid) != uid:
                    rows.append((uid, "later", {"of": first[key]}))
        assert [doc.uid for doc in texts([uid for uid, _, _ in rows])] == [uid for uid, _, _ in rows]
        write_verdicts(found, rows)


class InOrder:
    """An engine that dies after so many items."""

    def __init__(self, lives: int = 10**9) -> None:
        self._lives = lives

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], *, max_workers: int | None = None) -> Iterator[Any]:
        for item in items:
            self._lives -= 1
            if self._lives < 0:
                raise KeyboardInterrupt
            yield function(item)


def corpus(folder: Path) -> list[tuple[Path, ...]]:
    parts = []
    for part in range(3):
        rows = [
            {
                "uid": hashlib.sha256(f"{part}{n}".encode()).hexdigest()[:32],
                "text": f"x = {n * 7 + part}\n" * (1 + n % 3),
                "size": 6,
                "kind": "code",
                "repo": f"r{part}",
                "path": b"a",
                "path_text": "a",
                "split": "train",
            }
            for n in range(12)
        ]
        write_part(folder / "in" / part_name(part), [table_of(rows)])
        parts.append((folder / "in" / part_name(part),))
    return parts


def digest(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.parquet"))}


@dataclass(frozen=True, kw_only=True)
class FirstOfAll(First):
    """Keeps the first document of each last character, in this corpus and in others."""

    compares: ClassVar[bool] = True

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        seen = [uid for table in sketches for uid in table["uid"].to_pylist()]
        assert [doc.uid for doc in texts(reversed(seen))] == seen
        rows = [(uid, key) for table in sketches for uid, key in zip(table["uid"].to_pylist(), table["key"].to_pylist(), strict=True)]
        first: dict[str, str] = {}
        fallen = [(uid, key) for uid, key in rows if first.setdefault(key, uid) != uid and "/" not in uid]
        write_verdicts(found, [(uid, "later", {"of": first[key]}) for uid, key in fallen])


STAGES = {"short": Short(), "first": First(), "short_again": Short()}


def test_a_list_is_cut_at_its_global_stages() -> None:
    assert [([name for name, _ in plan.judges], plan.sketch and plan.sketch[0]) for plan in passes_of(STAGES)] == [
        (["short"], "first"),
        (["first", "short_again"], None),
    ]


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    last = run_passes(STAGES, corpus(tmp_path), tmp_path / "work", InOrder(), Silent())
    kept, dropped = sorted((last / "kept").iterdir()), sorted((last / "dropped").iterdir())
    fall = ledger.waterfall(kept, dropped, list(STAGES))
    ledger.check(fall, 36)
    assert [(row["stage"], row["seen"], row["kept"]) for row in fall["stages"]] == [
        ("collect", 36, 36),
        ("short", 36, 36),
        ("first", 36, 10),
        ("short_again", 10, 10),
    ]
    assert all(text is None for path in dropped for text in pq.read_table(path)["text"].to_pylist())
    assert len(merged_samples(tmp_path / "work", {})["first/later"]) == 20


@pytest.mark.parametrize("lives", range(6))
def test_killed_anywhere_and_run_again_gives_the_same_bytes(tmp_path: Path, lives: int) -> None:
    parts = corpus(tmp_path)
    whole = digest(run_passes(STAGES, parts, tmp_path / "whole", InOrder(), Silent()))
    with pytest.raises(KeyboardInterrupt):
        run_passes(STAGES, parts, tmp_path / "killed", InOrder(lives), Silent())
    assert digest(run_passes(STAGES, parts, tmp_path / "killed", InOrder(), Silent())) == whole
    assert merged_samples(tmp_path / "killed", {}) == merged_samples(tmp_path / "whole", {})
    assert digest(run_passes(STAGES, parts, tmp_path / "killed", InOrder(0), Silent())) == whole  # nothing left to do


def test_a_ledger_that_lost_rows_is_found(tmp_path: Path) -> None:
    last = run_passes(STAGES, corpus(tmp_path), tmp_path / "work", InOrder(), Silent())
    fall = ledger.waterfall(sorted((last / "kept").iterdir()), sorted((last / "dropped").iterdir()), list(STAGES))
    with pytest.raises(AssertionError, match="37 rows came in, the ledger counts 36"):
        ledger.check(fall, 37)
    lost = ledger.waterfall(sorted((last / "kept").iterdir()), sorted((last / "dropped").iterdir()), ["short"])
    with pytest.raises(AssertionError, match="not in the plan dropped 26 rows"):
        ledger.check(lost, 36)


def test_documents_of_another_corpus_are_compared_with_and_never_in_the_result(tmp_path: Path) -> None:
    """Both corpora hold the same uids; what the other one has falls here, and the note says where it lies."""
    parts = corpus(tmp_path)
    others = [Corpus("aaaa", tuple(path for paths in parts[1:] for path in paths)), Corpus("bbbb", parts[0])]
    last = run_passes({"first": FirstOfAll()}, parts, tmp_path / "work", InOrder(), Silent(), others)
    kept, dropped = sorted((last / "kept").iterdir()), sorted((last / "dropped").iterdir())
    ledger.check(ledger.waterfall(kept, dropped, ["first"]), 36)
    told = [dict(row["notes"])["of"] for path in dropped for row in pq.read_table(path).to_pylist()]
    assert len(told) == 36 and all(name.startswith(('"aaaa/', '"bbbb/')) for name in told)
    assert len(set(told)) == 10


def test_only_stages_that_compare_see_another_corpus(tmp_path: Path) -> None:
    parts = corpus(tmp_path)
    others = [Corpus("aaaa", parts[0])]
    alone = digest(run_passes(STAGES, parts, tmp_path / "alone", InOrder(), Silent()))
    assert digest(run_passes(STAGES, parts, tmp_path / "beside", InOrder(), Silent(), others)) == alone


@pytest.mark.parametrize("lives", range(2, 7))
def test_killed_while_another_corpus_is_sketched(tmp_path: Path, lives: int) -> None:
    parts = corpus(tmp_path)
    others = [Corpus("aaaa", tuple(path for paths in parts[1:] for path in paths))]
    stages = {"first": FirstOfAll(), "short": Short()}
    whole = digest(run_passes(stages, parts, tmp_path / "whole", InOrder(), Silent(), others))
    with pytest.raises(KeyboardInterrupt):
        run_passes(stages, parts, tmp_path / "killed", InOrder(lives), Silent(), others)
    assert digest(run_passes(stages, parts, tmp_path / "killed", InOrder(), Silent(), others)) == whole


def test_a_verdict_on_another_corpuss_document_is_our_mistake(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a document of another corpus was judged"):
        write_verdicts(tmp_path, [(uid_elsewhere("aaaa", "0" * 32), "later", {})])
