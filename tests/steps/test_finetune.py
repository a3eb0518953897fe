from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context, Step
from minisc.model.base import spec_of
from minisc.steps.finetune import Finetune
from minisc.tokens.reader import Reader
from minisc.trainer.fit import Fit
from tests import made
from tests.steps import small_road

Finished = tuple[dict[str, Artifact], Context]


def steps(seq_len: int = 64) -> dict[str, Step]:
    chosen = {name: step for name, step in small_road.steps().items() if name in ("collect", "pack")}
    return {
        **chosen,
        "finetune": Finetune(
            tokens=replace(Reader(**small_road.READER), seq_len=seq_len),
            trainer=Fit(**small_road.FIT),
            budget="1k",
            seed=0,
            evals={},
            benchmarks=None,
        ),
    }


def test_it_goes_on_from_the_given_model_with_its_tokenizer(finished: Finished, tmp_path: Path) -> None:
    artifacts, where = finished
    start = artifacts["pretrain"]
    tuned = made.run(steps(), replace(where, run=tmp_path), model=str(start.path))["finetune"]
    first = [json.loads(artifact.file("metrics.jsonl").read_text().splitlines()[0])["loss"] for artifact in (start, tuned)]
    assert first[1] < first[0] - 0.5  # what was learned before is still known
    assert spec_of(tuned.path) == spec_of(start.path)
    assert tuned.file("tokenizer.json").read_bytes() == start.file("tokenizer.json").read_bytes()
    assert tuned.file("model.safetensors").read_bytes() != start.file("model.safetensors").read_bytes()
    assert tuned.manifest["inputs"]["model"] == start.fingerprint


def test_samples_longer_than_the_given_model_takes_are_refused(finished: Finished, tmp_path: Path) -> None:
    artifacts, where = finished
    with pytest.raises(UserError, match="cannot take samples that long"):
        made.run(steps(seq_len=512), replace(where, run=tmp_path), model=str(artifacts["pretrain"].path))
