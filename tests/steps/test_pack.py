from __future__ import annotations

from pathlib import Path

import pytest

from minisc.core.document import TRAIN
from minisc.core.errors import UserError
from minisc.core.parts import read_docs
from minisc.tokenizer.base import Tokenizer
from minisc.tokens.pack import open_tokens
from tests import made
from tests.steps import small_road


def test_every_training_document_comes_back_from_the_shards(tmp_path: Path) -> None:
    chosen = {name: step for name, step in small_road.steps().items() if name in ("collect", "train_tokenizer", "pack")}
    artifacts = made.run(chosen, made.context(tmp_path))
    store, tokenizer = open_tokens(artifacts["pack"].path), Tokenizer.load(artifacts["pack"].path)
    told = [tokenizer.decode(store.tokens(at)[int(store.names[at]) :]) for at in range(len(store))]
    assert told == [doc.text for doc in read_docs(artifacts["collect"].files("kept"), TRAIN)]
    figures = artifacts["pack"].figures
    assert figures["documents"] == len(told)
    assert figures["bytes_per_token"] == figures["bytes"] / figures["tokens"]


def test_a_corpus_without_a_training_document_is_an_error(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    artifacts = made.run({name: step for name, step in small_road.steps().items() if name in ("collect", "train_tokenizer")}, where)
    held = made.Listed(
        given=[
            [made.row("r", "a.py", "x = 1\n"), {**made.row("s", "b.py", "y"), "text": None, "dropped_by": "collect", "reason": "holds_nul"}]
        ]
    )
    from dataclasses import replace

    step = small_road.steps()["collect"]
    seed = next(
        seed
        for seed in range(200)
        if made.run({"collect": replace(step, source=held, seed=seed, held_out=0.4)}, where)["collect"].figures["held_out_documents"]
    )  # type: ignore[type-var]
    chosen = {"collect": replace(step, source=held, seed=seed, held_out=0.4), "pack": small_road.steps()["pack"]}  # type: ignore[type-var]
    with pytest.raises(UserError, match="not one training document"):
        made.run(chosen, where, tokenizer=str(artifacts["train_tokenizer"].path))
