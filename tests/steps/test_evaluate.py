from __future__ import annotations

import json

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from tests import made
from tests.steps import small_road


def test_scores_are_kept_with_what_they_are(finished: tuple[dict[str, Artifact], Context]) -> None:
    artifacts, _ = finished
    scores = json.loads(artifacts["evaluate"].file("scores.json").read_text())
    figures = artifacts["evaluate"].figures
    assert list(scores) == ["bits_per_byte"]
    assert scores["bits_per_byte"]["figures"]["bits_per_byte"] == figures["bits_per_byte"]
    assert 2 < figures["bits_per_byte"] < 9
    assert 1 < figures["zlib_bits_per_byte"] < 6


def test_a_model_alone_cannot_be_scored_on_documents_that_nobody_gave(finished: tuple[dict[str, Artifact], Context]) -> None:
    artifacts, where = finished
    with pytest.raises(UserError, match="reads documents, and none were given") as caught:
        made.run({"evaluate": small_road.steps()["evaluate"]}, where, model=str(artifacts["pretrain"].path))
    assert caught.value.do == "inputs.documents=latest:RECIPE"
