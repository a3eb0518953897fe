from __future__ import annotations

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.steps.index import Index
from tests import made


def test_the_training_documents_are_indexed(finished: tuple[dict[str, Artifact], Context]) -> None:
    artifacts, where = finished
    made_now = made.run({"index": Index(window=16, every=8)}, where, documents=str(artifacts["collect"].path))["index"]
    assert made_now.figures["documents_indexed"] == artifacts["pack"].figures["documents"]
    assert made_now.figures["lexemes_indexed"] > 1000


@pytest.mark.parametrize(("window", "every"), [(15, 8), (2, 8), (16, 0)])
def test_settings_that_cannot_be(window: int, every: int) -> None:
    with pytest.raises(UserError, match="number"):
        Index(window=window, every=every)
