"""A benchmark file is the one that the option names, or an error that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from minisc.core.errors import BadInput, UserError
from minisc.evals.benchmark import Benchmark
from tests.evals.exams import written


def named(told: dict[str, str]) -> Benchmark:
    return Benchmark(name=told["name"], sha256=told["sha256"], source=told["source"])


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_packed_are_the_same_file(tmp_path: Path, packed: bool) -> None:
    benchmark = named(written(tmp_path, "small", [{"a": 1}, {"a": 2}], packed=packed))
    assert benchmark.rows(tmp_path, ["a"]) == [{"a": 1}, {"a": 2}]


def test_other_contents_are_refused(tmp_path: Path) -> None:
    benchmark = named(written(tmp_path, "small", [{"a": 1}]))
    written(tmp_path, "small", [{"a": 2}])
    with pytest.raises(BadInput, match="not the benchmark that we know") as refused:
        benchmark.rows(tmp_path, ["a"])
    assert refused.value.where == str(tmp_path / "small.jsonl") and "this test" in refused.value.do


def test_a_missing_field_names_its_line(tmp_path: Path) -> None:
    benchmark = named(written(tmp_path, "small", [{"a": 1}, {"b": 1}]))
    with pytest.raises(BadInput, match="without a") as refused:
        benchmark.rows(tmp_path, ["a"])
    assert refused.value.where.endswith("line 2")


def test_a_damaged_file_is_no_crash(tmp_path: Path) -> None:
    benchmark = named(written(tmp_path, "small", [{"a": "x" * 9999}], packed=True))
    path = tmp_path / "small.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match="cannot be read"):
        benchmark.rows(tmp_path, ["a"])


def test_no_folder_and_no_file(tmp_path: Path) -> None:
    benchmark = Benchmark(name="absent", sha256="0" * 64, source="https://example.org")
    with pytest.raises(UserError) as refused:
        benchmark.rows(None, [])
    assert refused.value.do == "benchmarks=<folder>"
    with pytest.raises(UserError, match="not in the folder") as refused:
        benchmark.rows(tmp_path, [])
    assert refused.value.do == "get it from https://example.org"


@pytest.mark.parametrize("changes", [{"sha256": "short"}, {"sha256": "G" * 64}, {"name": "../x"}])
def test_bad_settings(changes: dict[str, str]) -> None:
    with pytest.raises(UserError):
        Benchmark(**({"name": "x", "sha256": "0" * 64, "source": ""} | changes))
