"""A benchmark file is the one that the option names, or an error that says what to do."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import describe, fingerprint
from minisc.core.hub import Address, Unreachable
from minisc.evals.benchmark import Benchmark, digest_of
from tests.evals.exams import built, real_folder, written
from tests.source.hub_server import Hub

ROWS = [{"task": at, "text": f"line\n\u00e9 {at}", "list": ["a", "b" * at]} for at in range(9)]
FIELDS = ("task", "text", "list")
PARQUET, LINES = "data/rows.parquet", "data/rows.jsonl"


def named(told: dict[str, Any], **changes: Any) -> Benchmark:
    return Benchmark(**{key: value for key, value in told.items() if key != "_target_"} | changes)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    made = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist([{**row, "more": 1} for row in rows]), made, row_group_size=4)
    return made.getvalue()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("minisc.core.hub.FIRST_WAIT", 0.01)
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    with Hub({PARQUET: parquet(ROWS), LINES: lines}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


def remote(folder: Path, file: str = PARQUET, revision: str = "1" * 40, **changes: Any) -> Benchmark:
    told = {"hub": f"owner/set@{revision}:{file}", "rows_sha256": digest_of(ROWS, FIELDS), **changes}
    return named(written(folder, "small", ROWS), **told)


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
    benchmark = Benchmark(name="absent", sha256="0" * 64, source="https://example.org", hub=None, rows_sha256=None)
    with pytest.raises(UserError, match="not on the hub in the form") as refused:
        benchmark.rows(None, [])
    assert refused.value.do == "benchmarks=<folder>, with absent.jsonl.gz from https://example.org"
    with pytest.raises(UserError, match="not in the folder") as refused:
        benchmark.rows(tmp_path, [])
    assert refused.value.do == "get it from https://example.org"


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "short"}, {"sha256": "G" * 64}, {"rows_sha256": "0"}, {"name": "../x"}, {"hub": "owner/set"}, {"hub": "set:file.jsonl"},
        {"hub": "owner/set@main:rows.parquet"}, {"hub": "owner/set@../..:x.jsonl\n"},
    ],
)  # fmt: skip
def test_bad_settings(changes: dict[str, str]) -> None:
    with pytest.raises(UserError):
        Benchmark(**({"name": "x", "sha256": "0" * 64, "source": "", "hub": None, "rows_sha256": None} | changes))


@pytest.mark.parametrize("file", [PARQUET, LINES])
def test_the_hub_gives_the_rows_of_the_folder(hub: Hub, tmp_path: Path, file: str) -> None:
    benchmark = remote(tmp_path, file)
    assert [{key: row[key] for key in FIELDS} for row in benchmark.rows(None, FIELDS)] == benchmark.rows(tmp_path, FIELDS)
    assert fingerprint(describe(benchmark)) == fingerprint(describe(remote(tmp_path, hub=None))), "where it was taken from changes nothing"


def test_rows_that_do_not_count_are_not_hashed(hub: Hub, tmp_path: Path) -> None:
    benchmark = remote(tmp_path, rows_sha256=digest_of(ROWS[3:], FIELDS))
    assert [row["task"] for row in benchmark.rows(None, FIELDS, lambda row: row["task"] >= 3)] == list(range(3, 9))


@pytest.mark.parametrize("revision", ["1" * 40, "main"])
def test_what_was_fetched_is_kept(hub: Hub, tmp_path: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = remote(tmp_path, revision=revision).rows(None, FIELDS)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody
    assert remote(tmp_path, revision=revision).rows(None, FIELDS) == before


def test_trouble_that_passes_is_waited_out(hub: Hub, tmp_path: Path) -> None:
    hub.api_trouble = ["503", "reset"]
    assert len(remote(tmp_path).rows(None, FIELDS)) == 9


def test_nobody_is_there(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unreachable, match="not to be had from the hub: no answer") as caught:
        remote(tmp_path).rows(None, FIELDS)
    assert "HF_ENDPOINT" in caught.value.do and "benchmarks=<folder>, with small.jsonl.gz from this test" in caught.value.do


@pytest.mark.parametrize("file", ["data/none.jsonl", PARQUET])
def test_what_is_not_there_or_not_for_us(hub: Hub, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_right" if file == PARQUET else None
    with pytest.raises(UserError, match="no such data set or revision") as caught:
        remote(tmp_path, file).rows(None, FIELDS)
    assert f"owner/set@{'1' * 40}:{file}" in caught.value.where and "HF_TOKEN" in caught.value.do
    if hub.token:
        monkeypatch.setenv("HF_TOKEN", hub.token)
        assert len(remote(tmp_path, file).rows(None, FIELDS)) == 9
        assert {told for host, told in hub.tokens if host == "localhost"} == {None}, "the store behind the hub sees no token"


@pytest.mark.parametrize("file", [PARQUET, LINES])
def test_other_rows_on_the_hub_are_refused(hub: Hub, tmp_path: Path, file: str) -> None:
    others = [*ROWS[:-1], {**ROWS[-1], "text": "other"}]
    hub.files = {PARQUET: parquet(others), LINES: "".join(json.dumps(row) + "\n" for row in others).encode()}
    with pytest.raises(BadInput, match="not the benchmark that we know"):
        remote(tmp_path, file).rows(None, FIELDS)


def test_what_is_no_parquet_and_what_lacks_a_field(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a row without other"):
        remote(tmp_path).rows(None, ["task", "other"])
    hub.commit, hub.files[PARQUET] = "2" * 40, b"PAR1" + b"x" * 99
    with pytest.raises(BadInput, match="cannot be read"):
        remote(tmp_path, revision="2" * 40).rows(None, FIELDS)


@pytest.mark.system
@pytest.mark.parametrize(("name", "file", "count"), [("humaneval", "HumanEval", 164), ("syntax", "HumanEval", 164), ("mbpp", "mbpp", 500)])
def test_the_options_hash_is_that_of_the_published_rows(name: str, file: str, count: int, hub: Hub) -> None:
    """What the hub has as Parquet was made of the published file; so the hash of its rows is known without asking the hub."""
    with gzip.open(real_folder() / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    exam = built(name)
    told = Address.of(exam.benchmark.hub, "")
    hub.dataset, hub.commit = told.dataset, told.revision
    hub.files = {told.file: parquet([row for row in rows if name != "mbpp" or 11 <= row["task_id"] <= 510])}
    assert [item.text for item in exam.items(None)] == [item.text for item in exam.items(real_folder())]
    assert len(exam.items(None)) == count
