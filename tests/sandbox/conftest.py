"""Open sandboxes, one a level, shared by the tests of this folder; limits are tight so that nothing takes long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.sandbox.base import LEVELS, Limits
from minisc.sandbox.isolated import Pool, Sandbox

LIMITS: dict[str, Any] = {
    "wall_seconds": 5.0,
    "cpu_seconds": 4,
    "memory_bytes": 256 << 20,
    "processes": 4,
    "open_files": 64,
    "file_bytes": 1 << 20,
    "scratch_bytes": 4 << 20,
    "output_bytes": 1 << 16,
    "answer_bytes": 1 << 20,
}


def limits(**changes: Any) -> Limits:
    return Limits(**(LIMITS | changes))


def sandbox(level: str, **changes: Any) -> Sandbox:
    return Sandbox(**({"limits": limits(), "require": level, "at_most": level, "preload": ("json", "re"), "workers": 1} | changes))


@pytest.fixture(scope="session")
def pools() -> Iterator[dict[str, Pool]]:
    """The levels that this machine gives; for the others, the error that says why not."""
    with ExitStack() as stack:
        opened = {}
        for level in LEVELS:
            try:
                opened[level] = stack.enter_context(sandbox(level).open())
            except UserError as error:
                opened[level] = error  # type: ignore[assignment]
        yield opened


@pytest.fixture(params=[pytest.param(level, marks=[pytest.mark.system] if level in ("filtered", "namespaces") else []) for level in LEVELS])
def pool(request: pytest.FixtureRequest, pools: dict[str, Pool]) -> Pool:
    return given(pools, request.param)


def given(pools: dict[str, Pool], level: str) -> Pool:
    if isinstance(pools[level], UserError):
        pytest.skip(f"this machine gives no level {level!r}: {pools[level]}")
    return pools[level]
