"""The whole road on a small corpus: an exact waterfall, a trained model, a report, and everything from the store the second time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import road, small_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, small_corpus.make(folder)


@pytest.fixture(scope="module")
def finished(corpus: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("out")
    return out, road.run(corpus[0], out)


def artifact(out: Path, step: str) -> Path:
    return next(Path(entry["artifact"]) for entry in road.last_run(out)["steps"] if entry["step"] == step)


def test_every_file_meets_its_fate(corpus: tuple[Path, dict[str, int]], finished: tuple[Path, str]) -> None:
    fall = json.loads((artifact(finished[0], "curate") / "waterfall.json").read_text())
    fate = {f"{row['stage']}/{reason}": count["documents"] for row in fall["stages"] for reason, count in row["reasons"].items()}
    assert {**fate, "kept": fall["stages"][-1]["kept"]} == corpus[1]


def test_it_says_what_it_did(finished: tuple[Path, str]) -> None:
    out, told = finished
    for words in ("plan", "near_duplicate 1", "python2 1", "what came out", "bits per byte", "report of"):
        assert words in told, told
    assert "Traceback" not in told
    assert [entry["step"] for entry in road.last_run(out)["steps"]] == [
        "collect",
        "curate",
        "train_tokenizer",
        "pack",
        "pretrain",
        "evaluate",
        "generate",
        "index",
        "trace",
        "report",
    ]


def test_figures_are_plausible(finished: tuple[Path, str]) -> None:
    figures = road.last_run(finished[0])["figures"]
    assert 1 < figures["bits_per_byte"] < 9
    assert figures["xz_bits_per_byte"] > 0
    assert figures["vocabulary"] == 400
    assert figures["peak_memory_bytes"] > 100e6


def test_the_report_is_whole(finished: tuple[Path, str]) -> None:
    page = next(finished[0].glob("runs/*/*/report.html")).read_text()
    assert "near_duplicate" in page
    assert "<svg" in page
    assert page.rstrip().endswith("</html>")


def test_the_second_run_is_served_from_the_store(corpus: tuple[Path, dict[str, int]], finished: tuple[Path, str]) -> None:
    out, _ = finished
    before = road.contents(out)
    told = road.run(corpus[0], out)
    assert all(entry["cached"] for entry in road.last_run(out)["steps"] if entry["step"] != "report")
    assert road.contents(out) == before
    assert told.count("stored") >= 7


def test_one_changed_filter_changes_what_lies_after_it(corpus: tuple[Path, dict[str, int]], finished: tuple[Path, str]) -> None:
    told = road.run(corpus[0], finished[0], "filters.near_dup.threshold=0.9", "plan_only=true")
    rows = {
        line.split()[0]: "in the store" in line
        for line in told.splitlines()
        if line.split()[:1] and line.split()[0] in ("collect", "curate", "pack")
    }
    assert rows == {"collect": True, "curate": False, "pack": False}
    assert "plan only" in told


def test_a_moved_corpus_is_the_same_corpus(corpus: tuple[Path, dict[str, int]], finished: tuple[Path, str], tmp_path: Path) -> None:
    """The leaves are names and contents, never locations."""
    small_corpus.make(tmp_path / "elsewhere" / corpus[0].name)
    told = road.run(tmp_path / "elsewhere" / corpus[0].name, finished[0], "plan_only=true")
    assert told.count("in the store") == len(road.last_run(finished[0])["steps"]) - 1  # all but the report
