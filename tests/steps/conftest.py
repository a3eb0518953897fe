from __future__ import annotations

import pytest

from minisc.core.artifact import Artifact
from minisc.core.step import Context
from tests.steps import small_road


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Artifact], Context]:
    """A small road, trained once; tests run on it again, from its store."""
    return small_road.run(tmp_path_factory.mktemp("road"))
