from __future__ import annotations

import pytest

from minisc.tokenizer.base import Tokenizer
from tests.tokenizer.small import trained, wide


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """400 ids."""
    return trained(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def wide_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """65,830 ids: more than 16 bits hold."""
    return wide(tmp_path_factory.mktemp("wide"))
