"""The golden test: `corpus/` holds small files that each prove one thing; the whole chain gives every one of them the fate written here.

The chain is that of the recipe `curate_full`, from its YAML, with three values for this corpus: the list of opt-outs, a threshold for the
malware rules (by default their score is only a note), and a benchmark of one item.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from minisc import app
from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.fingerprint import describe
from minisc.core.step import Context, Step
from minisc.runner.shelf import recipes
from minisc.steps.explain import Explain
from tests import made
from tests.test_conf import composed

CORPUS = Path(__file__).parent / "corpus"
LIBRARY = ("grid.py", "mean.py", "queue.py", "retry.py", "words.py")

FATE = {
    "odd/empty.py": "collect/empty",
    "odd/nul.py": "collect/holds_nul",
    "gone/asked.py": "optout/repository",
    "copyleft/plain.py": "license/non_permissive",
    "hostile/payload.py": "malware/rules",
    "poor/generated.py": "quality/generated",
    "poor/long_lines.py": "quality/long_lines",
    "poor/few_letters.py": "quality/few_letters",
    "poor/encoded_data.py": "quality/encoded_data",
    "poor/import_lines.py": "quality/import_lines",
    "poor/pass_lines.py": "quality/pass_lines",
    "poor/print_lines.py": "quality/print_lines",
    "poor/assert_lines.py": "quality/assert_lines",
    "broken/python2.py": "syntax/python2",
    "broken/template.py": "syntax/template",
    "broken/syntax_error.py": "syntax/syntax_error",
    "broken/too_deep.py": "syntax/too_deep",
    **{f"app/vendor/library/{name}": "tree_dup/vendored_copy" for name in LIBRARY},
    "copies/exact.py": "exact_dup/duplicate",
    "leaked/solution.py": "decontaminate/solution",
    "leaked/renamed.py": "decontaminate/renamed",
    "leaked/prompt.py": "decontaminate/prompt",
    "copies/near.py": "near_dup/near_duplicate",
    **{f"library/{name}": "kept" for name in LIBRARY},
    **{f"app/{name}": "kept" for name in ("main.py", "settings.py", "columns.py")},
    "copyleft/own_header.py": "kept",
    "unlicensed/alone.py": "kept",
    "odd/latin.py": "kept",
    "personal/contact.py": "kept",
}
# stage: seen, kept, dropped
WATERFALL = {
    "collect": (39, 37, 2), "optout": (37, 36, 1), "license": (36, 35, 1), "malware": (35, 34, 1), "quality": (34, 26, 8),
    "syntax": (26, 22, 4), "tree_dup": (22, 17, 5), "exact_dup": (17, 16, 1), "decontaminate": (16, 13, 3), "near_dup": (13, 12, 1), "pii": (12, 12, 0),
}  # fmt: skip


def steps() -> dict[str, Step]:
    values = composed("+recipe=curate_full", "source=local", f"source.path={CORPUS}", f"benchmarks={CORPUS}", "steps=[collect,curate]")
    for node in (values["filters"], values["steps"]["curate"]["filters"]):
        node["optout"]["lists"] = [str(CORPUS / "optout.txt")]
        node["malware"]["threshold"] = 7.0
        node["decontaminate"]["benchmarks"] = {
            "own": {"file": "benchmark.jsonl", "id": "task_id", "prompt": ["prompt"], "solution": ["solution"]}
        }
    return {name: app.build(node, f"steps.{name}") for name, node in values["steps"].items()}


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Context]:
    where = made.context(tmp_path_factory.mktemp("out"))
    return made.run(steps(), where)["curate"], where


def test_without_benchmarks_and_hub_the_chain_stops_before_its_first_step_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not pass silently: a corpus that nobody held against the benchmarks spoils every score."""
    import huggingface_hub

    def refuse(*words: Any, **more: Any) -> str:
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    stage = app.build(composed("+recipe=curate_full")["filters"]["decontaminate"], "filters.decontaminate")
    with pytest.raises(UserError) as caught:
        describe(stage)
    assert "benchmarks=<folder" in caught.value.do and "'~filters.decontaminate'" in caught.value.do


@pytest.mark.parametrize("name", sorted(recipes()))
def test_the_filters_of_every_recipe_stand_in_the_order_of_the_whole_chain(name: str) -> None:
    """The order has its reasons (the recipe's header tells them); a recipe may leave filters out, not turn them round."""
    chosen = list(composed(f"+recipe={name}")["filters"])
    assert chosen == [stage for stage in WATERFALL if stage in chosen]
    assert name != "curate_full" or ["collect", *chosen] == list(WATERFALL)


def rows(artifact: Artifact) -> dict[str, dict[str, Any]]:
    """repository/path -> row, of kept and dropped."""
    told = [row for kind in ("kept", "dropped") for path in artifact.files(kind) for row in pq.read_table(path).to_pylist()]
    return {f"{row['repo'].removeprefix('corpus/')}/{row['path_text']}": row for row in told}


def test_every_file_meets_its_fate(curated: tuple[Artifact, Context]) -> None:
    found = {name: f"{row['dropped_by']}/{row['reason']}" if row["dropped_by"] else "kept" for name, row in rows(curated[0]).items()}
    assert found == FATE


def test_the_corpus_holds_what_is_told_here_and_nothing_else() -> None:
    assert {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*.py")} == FATE.keys()


def test_the_waterfall_is_exact(curated: tuple[Artifact, Context]) -> None:
    fall = json.loads(curated[0].file("waterfall.json").read_text())
    assert {row["stage"]: (row["seen"], row["kept"], row["dropped"]) for row in fall["stages"]} == WATERFALL
    assert fall["stages"][0]["seen_bytes"] == sum((CORPUS / name).stat().st_size for name in FATE)
    assert fall["stages"][-1]["kept_bytes"] == sum((CORPUS / name).stat().st_size for name, fate in FATE.items() if fate == "kept")
    collected, *later = fall["stages"]
    assert collected["seen_tokens"] is None, "what collect drops was never read"
    assert collected["kept_tokens"] == later[-1]["kept_tokens"] + sum(row["dropped_tokens"] for row in later)
    assert all(row["seen_tokens"] == row["kept_tokens"] + row["dropped_tokens"] for row in later)
    assert {(told["license"], told["documents"]) for told in fall["licenses"]} == {("MIT", 9), (None, 3)}


def test_what_fell_as_a_copy_names_what_was_kept(curated: tuple[Artifact, Context]) -> None:
    told = rows(curated[0])
    of = {
        name: json.loads(dict(row["notes"])["of"])
        for name, row in told.items()
        if row["dropped_by"] in ("tree_dup", "exact_dup", "near_dup")
    }
    kept = {
        **{f"app/vendor/library/{name}": f"library/{name}" for name in LIBRARY},
        "copies/exact.py": "library/retry.py", "copies/near.py": "library/mean.py",
    }  # fmt: skip
    assert of == {name: told[other]["uid"] for name, other in kept.items()}


def test_what_is_kept_is_as_it_was_but_for_personal_data(curated: tuple[Artifact, Context]) -> None:
    told = {name: row for name, row in rows(curated[0]).items() if not row["dropped_by"]}
    changed = {name for name, row in told.items() if row["text"].encode(row["encoding"] or "utf-8") != (CORPUS / name).read_bytes()}
    assert changed == {"personal/contact.py", "library/mean.py"}
    text = told["personal/contact.py"]["text"]
    assert "jane.doe" not in text and "tr0ub4dor" not in text and "<EMAIL>" in text and "<PASSWORD>" in text
    assert told["library/mean.py"]["text"].startswith("# Copyright (c) 2021 <NAME>\n")


def test_who_has_to_be_named_was_read_before_the_names_went(curated: tuple[Artifact, Context]) -> None:
    named = {row["repo"]: row["copyright"] for row in pq.read_table(curated[0].file("attribution.parquet")).to_pylist()}
    assert any("Ada Example" in line for line in named["corpus/library"])


def test_nothing_private_is_shown_as_a_sample(curated: tuple[Artifact, Context]) -> None:
    samples = json.loads(curated[0].file("samples.json").read_text())
    assert {name.split("/")[0] for name in samples} == {"quality", "syntax", "tree_dup", "exact_dup", "decontaminate", "near_dup"}


def test_explain_answers_for_every_file(curated: tuple[Artifact, Context]) -> None:
    artifact, where = curated
    for name in ("copies/near.py", "gone/asked.py", "library/words.py"):
        repo, _, path = name.partition("/")
        told = made.run({"explain": Explain(uid=f"corpus/{repo}:{path}")}, where, documents=str(artifact.path))["explain"].figures
        (story,) = told["explained"]
        assert (f"{story['dropped_by']}/{story['reason']}" if story["dropped_by"] else "kept") == FATE[name]
