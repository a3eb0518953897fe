from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from minisc.core.document import Doc, docs_of, table_of
from minisc.core.stage import KEEP, Judge, Stage, StageFailed, Verdict, apply


def rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "uid": f"{n:032x}",
            "text": f"x = {n}\n",
            "size": len(f"x = {n}\n"),
            "kind": "code",
            "repo": "r",
            "path": b"a.py",
            "path_text": "a.py",
        }
        for n in range(count)
    ]


@dataclass(frozen=True, kw_only=True)
class Odd(Stage):
    """Drops odd numbers, marks the others."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = ("odd",)

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(
            lambda docs: [
                Verdict(drop="odd") if int(doc.uid, 16) % 2 else Verdict(text=doc.text.upper(), notes={"n": int(doc.uid, 16)})
                for doc in docs
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Broken(Stage):
    version: ClassVar[int] = 1
    said: str

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        def judge(docs: Sequence[Doc]) -> list[Verdict]:
            if self.said == "raise" and any(doc.uid.endswith("3") for doc in docs):
                raise ZeroDivisionError("three")
            return [Verdict(drop="undeclared")] * len(docs) if self.said == "undeclared" else [KEEP] * (len(docs) - (self.said == "short"))

        return nullcontext(judge)


def opened(*stages: Stage) -> list[tuple[str, Stage, Judge]]:
    return [(type(stage).__name__.lower(), stage, stage.open().__enter__()) for stage in stages]


def test_rows_in_are_rows_out_and_a_drop_says_who_and_why() -> None:
    seen: list[tuple[str, str, str]] = []
    out = apply(opened(Odd()), table_of(rows(5)), lambda stage, doc, reason: seen.append((stage, doc.text, reason)))
    assert out["uid"].to_pylist() == [row["uid"] for row in rows(5)]
    assert out["dropped_by"].to_pylist() == [None, "odd", None, "odd", None]
    assert out["reason"].to_pylist() == [None, "odd", None, "odd", None]
    assert out["text"].to_pylist() == ["X = 0\n", None, "X = 2\n", None, "X = 4\n"]
    assert out["size"].to_pylist() == [6] * 5
    assert [dict(notes) for notes in out["notes"].to_pylist()] == [{"n": "0"}, {}, {"n": "2"}, {}, {"n": "4"}]
    assert seen == [("odd", "x = 1\n", "odd"), ("odd", "x = 3\n", "odd")]


def test_a_dropped_row_is_never_judged_again() -> None:
    once = apply(opened(Odd()), table_of(rows(4)))
    twice = apply(opened(Odd()), once)
    assert twice["dropped_by"].to_pylist() == once["dropped_by"].to_pylist()
    assert len(docs_of(twice)) == 2


def test_two_rows_of_one_uid_are_judged_apart() -> None:
    same = [{**row, "uid": "0" * 32} for row in rows(2)]
    assert apply(opened(Odd()), table_of(same))["text"].to_pylist() == ["X = 0\n", "X = 1\n"]


def test_a_stage_that_raises_names_stage_uid_and_path() -> None:
    with pytest.raises(StageFailed, match=r"stage 'broken' failed on uid 0{31}3, r:a.py: ZeroDivisionError: three"):
        apply(opened(Broken(said="raise")), table_of(rows(6)))


@pytest.mark.parametrize(
    ("said", "message"), [("undeclared", r"undeclared reasons: \['undeclared'\]"), ("short", "5 verdicts for 6 documents")]
)
def test_a_stage_that_breaks_its_word_is_stopped(said: str, message: str) -> None:
    with pytest.raises(StageFailed, match=message):
        apply(opened(Broken(said=said)), table_of(rows(6)))
