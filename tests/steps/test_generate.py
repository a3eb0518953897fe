from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from tests import made
from tests.steps import small_road


def test_nothing_that_the_model_says_is_hidden(finished: tuple[dict[str, Artifact], Context], tmp_path: Path) -> None:
    artifacts, where = finished
    samples = json.loads(artifacts["generate"].file("samples.json").read_text())
    assert [(one["name"], one["prompt"], one["suffix"]) for one in samples] == [("one", "def f(", None), ("two", "a = ", "\n")]
    assert all(isinstance(one["completion"], str) and one["finish_reason"] and one["settings"]["temperature"] == 0.0 for one in samples)
    again = made.run(small_road.steps(prompts=["def f("]), replace(where, run=tmp_path))
    assert json.loads(again["generate"].file("samples.json").read_text())[0]["completion"] == samples[0]["completion"]
    assert again["generate"].fingerprint != artifacts["generate"].fingerprint
    assert again["pretrain"].fingerprint == artifacts["pretrain"].fingerprint


def test_a_misspelt_prompt_is_refused() -> None:
    with pytest.raises(UserError, match="a prompt has no field 'sufix'") as caught:
        small_road.steps(prompts=[{"text": "a", "sufix": "b"}])
    assert caught.value.do == "did you mean 'suffix'?"
