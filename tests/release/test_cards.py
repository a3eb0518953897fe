"""Cards tell what the artifacts hold, with intervals, and what is missing; hostile names stay names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from minisc.core import ledger
from minisc.core.document import note, table_of
from minisc.core.parts import write_part
from minisc.release import documents
from minisc.release.data_card import data_card
from minisc.release.model_card import Facts, model_card
from tests import made
from tests.release import learned

NASTY = "<script>alert(1)</script>|[a](javascript:x)\n# heading `````\u202e![p](http://evil.example/p.png)"
FACTS = Facts(
    name="m", license=None, config=learned.SPEC.config(384), parameters=1234, dtype="bf16",
    training={"step": "pretrain", "figures": {"tokens_trained": 5e6, "flops": 1.5e12, "mfu": None}, "versions": {"torch": "2.13"}}, command="python -m minisc +recipe=tiny",
)  # fmt: skip


def corpus(folder: Path) -> tuple[list[Path], list[Path]]:
    rows = [
        made.row("a/a", "x.py", "x = 1\n", license="MIT", split="train", notes={"pii": note({"email": 2, "key": 1})}),
        made.row("a/a", "y.py", "y = 1\n", license="MIT", split="train", notes={"pii": note({"email": 1})}),
        {**made.row(NASTY, "z.py", "z = 1\n" * 50, license=NASTY, split="held_out"), "sha1_git": None},
    ]
    gone = [{**made.row("b/b", "q.py", "q"), "text": None, "dropped_by": stage, "reason": "found"} for stage in ("pii", "decontaminate")]
    write_part(folder / "kept" / "part-00000.parquet", [table_of(rows)])
    write_part(folder / "dropped" / "part-00000.parquet", [table_of(gone)])
    return sorted((folder / "kept").iterdir()), sorted((folder / "dropped").iterdir())


def test_the_manifest_and_its_counts(tmp_path: Path) -> None:
    kept, _ = corpus(tmp_path)
    counts = documents.write_manifest(kept, tmp_path / "m.parquet")
    assert (counts.documents, counts.bytes, counts.without_swhid, counts.changed) == (3, 312, 1, 2)
    assert dict(counts.pii) == {"email": 3, "key": 1}
    assert counts.share("license") == [(NASTY, 1, 300), ("MIT", 2, 12)]
    table = pq.read_table(tmp_path / "m.parquet")
    assert table["swhid"].to_pylist()[2] is None
    assert table["changed"].to_pylist() == [True, True, False]
    assert table["repo"].to_pylist()[2] == NASTY  # data, not text: as it is


def test_the_data_card(tmp_path: Path) -> None:
    kept, dropped = corpus(tmp_path)
    counts = documents.write_manifest(kept, tmp_path / "m.parquet")
    fall = ledger.waterfall(kept, dropped, ["pii", "decontaminate"])
    card = data_card("m", fall, counts, {"benchmarks": 2, "items": 664, "found": 1, "trivial": 9})
    for words in (
        "| email | 3 |",
        "| pii | 5 | 1 |",
        "| MIT | 2 |",
        "3.8 %",
        "1 documents have no SWHID",
        "dropped 1 of 4 documents",
        "664 items of 2 benchmarks",
    ):
        assert words in card, words
    harmless(card)
    bare = data_card("m", ledger.waterfall(kept, [], []), replace(counts, pii=type(counts.pii)()), None)
    assert "**Not searched for**" in bare
    assert "**Not removed**" in bare


def test_the_model_card() -> None:
    scores = {
        "humaneval": {"about": "Greedy, one sample.", "figures": {"humaneval_pass_at_1": 0.0, "humaneval_pass_at_1_low": 0.0, "humaneval_pass_at_1_high": 0.022}},
        "bits_per_byte": {"about": "", "figures": {"bits_per_byte": 1.5, "bits_per_byte_error": 0.01}},
    }  # fmt: skip
    card = model_card(replace(FACTS, scores=scores))
    for words in ("| 0 | 0 to 0.022 |", "| 1.5 | ± 0.0196 |", "1.5e+12", "5,000,000", "Greedy, one sample", "```sh\npython -m minisc +recipe=tiny\n```",
                  "**No license has been chosen"):  # fmt: skip
        assert words in card, words
    assert "MFU" not in card
    assert card.startswith('---\nlibrary_name: "transformers"\n')


def test_what_was_imported_is_not_called_trained_here() -> None:
    card = model_card(replace(FACTS, training={"step": "import_model", "figures": {}}, command=None))
    assert "imported from a folder" in card
    assert "The training itself is not known" in card
    assert "no longer known" in card


def test_gguf_says_what_differs() -> None:
    told: list[dict[str, Any]] = [{"file": "m-Q8_0.gguf", "bytes": 5_000_000, "relative_error": 0.005, "matrices_in_f16": 2}]
    card = model_card(
        replace(FACTS, gguf=told, pretokenizer={"name": "superbpe", "exact": False, "agreement": 0.9852, "tokens": 1000}, hf=False)
    )
    assert "98.5% of 1,000 tokens come out right" in card
    assert "2 matrices in f16" in card
    assert "was not measured" in model_card(
        replace(FACTS, gguf=told, pretokenizer={"name": "superbpe", "exact": False, "agreement": None, "tokens": 0})
    )
    assert "as the tokenizer does" in model_card(replace(FACTS, gguf=told, pretokenizer={"name": "starcoder", "exact": True}))


def test_hostile_names_in_a_model_card() -> None:
    scores = {NASTY: {"about": NASTY, "figures": {NASTY: NASTY}}}
    harmless(
        model_card(
            replace(FACTS, name="m", license=NASTY, scores=scores, training={"versions": {NASTY: NASTY}, "figures": {"device": NASTY}})
        )
    )
    assert "`````\n" not in model_card(replace(FACTS, command="x\n```\n# heading")).split("````sh")[0]


def harmless(card: str) -> None:
    body = card.split("\n---\n")[-1]
    assert "<script" not in body
    assert "javascript:x)" not in body
    assert "evil.example" not in body
    assert "\u202e" not in card
    assert not re.search(r"^# heading", body, re.MULTILINE)
