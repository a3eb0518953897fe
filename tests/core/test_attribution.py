"""Licenses and copyright lines of what is kept: complete, each once, the same in whatever parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from minisc.core import attribution
from minisc.core.attribution import write_attribution
from minisc.core.document import note, table_of
from minisc.core.parts import part_name, write_part


def document(repo: str, lines: list[str] | None = None, **more: Any) -> dict[str, Any]:
    notes = {} if lines is None else {"copyright": note([*lines])}
    return {"uid": "0", "source": "s", "repo": repo, "size": 5, "text": "x", "notes": notes, **more}


ROWS = [
    document("b", ["(c) 2020 Jane", "(c) 2019 Joe"], license="MIT", license_evidence="file:LICENSE"),
    document("a", ["(c) 2018 Ann"], license="MIT", license_evidence="header"),
    document("b", ["(c) 2020 Jane"], license="MIT", license_evidence="file:LICENSE"),
    document("b", None, license="MIT", license_evidence="file:LICENSE"),
    document("b", ["(c) 2017 Größe"], license="Apache-2.0", license_evidence="header"),
    document("c"),
]
EXPECTED = [
    ("a", "MIT", "header", ["(c) 2018 Ann"], 1, 5),
    ("b", "Apache-2.0", "header", ["(c) 2017 Größe"], 1, 5),
    ("b", "MIT", "file:LICENSE", ["(c) 2019 Joe", "(c) 2020 Jane"], 3, 15),
    ("c", None, None, [], 1, 5),
]


def attributed(folder: Path, *parts: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    paths = [folder / part_name(number) for number in range(len(parts))]
    for path, rows in zip(paths, parts, strict=True):
        write_part(path, [table_of(rows)] if rows else [])
    write_attribution(paths, folder / "attribution.parquet")
    return [tuple(row.values())[1:] for row in pq.read_table(folder / "attribution.parquet").to_pylist()]


def test_one_row_a_repository_license_and_evidence(tmp_path: Path) -> None:
    assert attributed(tmp_path, ROWS) == EXPECTED


def test_the_parts_do_not_matter(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    attributed(whole, ROWS)
    attributed(cut, ROWS[4:], [], ROWS[:4])
    assert (whole / "attribution.parquet").read_bytes() == (cut / "attribution.parquet").read_bytes()


def test_a_large_corpus_is_read_bucket_by_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "BUCKET_DOCUMENTS", 2)
    found = attributed(tmp_path, ROWS)
    assert sorted(found, key=str) == sorted(EXPECTED, key=str)
    assert pq.read_metadata(tmp_path / "attribution.parquet").num_row_groups > 1


def test_an_empty_corpus(tmp_path: Path) -> None:
    assert attributed(tmp_path) == []
