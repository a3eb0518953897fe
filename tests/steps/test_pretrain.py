from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.model.starcoder2 import Starcoder2
from minisc.steps.pretrain import Pretrain
from minisc.steps.training import EVENTS, say_epochs
from minisc.tokens.reader import Reader
from minisc.trainer.fit import Fit
from tests import made
from tests.silent import Silent
from tests.steps import small_road


def test_a_model_carries_its_tokenizer_and_its_curve(finished: tuple[dict[str, Artifact], Context]) -> None:
    model = finished[0]["pretrain"]
    assert model.kinds == ("model", "tokenizer")
    assert {entry["name"] for entry in model.manifest["files"]} == {"model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl"}
    assert model.file("tokenizer.json").read_bytes() == finished[0]["train_tokenizer"].file("tokenizer.json").read_bytes()
    rows = [json.loads(line) for line in model.file("metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_live_and_cached_runs_show_the_same_curve(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    artifacts, where = finished
    again = Context(out=where.out, run=tmp_path, engine=where.engine, speak=Silent(), hashes=where.hashes)
    made.run(small_road.steps(), again)
    curves = []
    for run in (where.run, tmp_path):
        read = EventAccumulator(str(run / EVENTS))
        read.Reload()
        curves.append([(event.step, event.value) for event in read.Scalars("train/loss")])
    assert curves[0] == curves[1]
    assert len(curves[0]) == 8
    assert artifacts["pretrain"].figures["parameters"] > 10_000


def test_looks_during_training_change_no_weight_and_stand_in_the_curve(
    finished: tuple[dict[str, Artifact], Context], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    where = made.context(tmp_path)
    steps = small_road.steps()
    pretrain = cast(Pretrain, steps["pretrain"])
    looking = {**steps, "pretrain": replace(pretrain, trainer=replace(pretrain.trainer, eval_every=3))}
    model = made.run(looking, where)["pretrain"]
    plain = finished[0]["pretrain"]
    assert model.fingerprint == plain.fingerprint
    assert model.file("model.safetensors").read_bytes() == plain.file("model.safetensors").read_bytes()
    rows = [json.loads(line) for line in model.file("metrics.jsonl").read_text().splitlines()]
    seen = [(row["step"], row["glimpse/bits_per_byte"]) for row in rows if "glimpse/bits_per_byte" in row]
    assert [step for step, _ in seen] == [1, 3, 6, 8]
    assert seen[-1][1] < seen[0][1]
    assert rows[0]["glimpse/bytes_scored"] < 4000  # of the 4,000 that the evaluation itself reads
    assert "scratch" not in {entry["name"].split("/")[0] for entry in model.manifest["files"]}
    again = Context(out=where.out, run=tmp_path / "again", engine=where.engine, speak=Silent(), hashes=where.hashes)
    made.run(looking, again)
    for run in (where.run, again.run):
        read = EventAccumulator(str(run / EVENTS)).Reload()
        assert [(event.step, round(event.value, 4)) for event in read.Scalars("glimpse/bits_per_byte")] == [
            (step, round(value, 4)) for step, value in seen
        ]


def test_a_look_without_an_evaluation_is_refused_before_training(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    pretrain = cast(Pretrain, small_road.steps()["pretrain"])
    blind = replace(pretrain, trainer=replace(pretrain.trainer, eval_every=3), evals={}, seed=1)
    with pytest.raises(UserError, match="none is chosen"):
        made.run({"pretrain": blind}, made.context(tmp_path), tokens=str(finished[0]["pack"].path))


def test_a_budget_above_the_data_is_said_with_both_numbers(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    say_epochs(60_000, 10_000, where)
    assert (
        "the budget of 60,000 tokens is more than the 10,000 that the data holds: it is told 6.0 times"
        in cast(Silent, where.speak).lines[0]
    )
    assert "more than 4 epochs" in cast(Silent, where.speak).warnings[0]


def test_samples_longer_than_the_model_takes_are_refused_before_anything_runs() -> None:
    with pytest.raises(UserError, match="cannot take samples that long") as caught:
        Pretrain(
            model=Starcoder2(**small_road.MODEL),
            tokens=replace(Reader(**small_road.READER), seq_len=512),
            trainer=Fit(**small_road.FIT),
            budget="1M",
            seed=0,
            evals={},
            benchmarks=None,
        )
    assert caught.value.where == "seq_len=512, model.max_positions=256"
    assert caught.value.do.startswith("seq_len=256")


def test_a_tokenizer_that_does_not_fit_the_tokens_is_refused(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    from minisc.tokenizer.base import Tokenizer
    from minisc.tokens.pack import open_tokens

    told = json.loads(finished[0]["pack"].file("tokenizer.json").read_text())
    told["model"]["merges"] = list(reversed(told["model"]["merges"]))
    (tmp_path / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="another tokenizer"):
        Reader(**small_road.READER).open([open_tokens(finished[0]["pack"].path)], Tokenizer.load(tmp_path))
