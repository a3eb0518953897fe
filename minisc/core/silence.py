"""A speaker that says nothing, and its bar: for work beside other work that speaks already, or in a process that nobody listens to.

Implements `core.step.Speaker` and `core.step.Bar`, so that what speaks needs no special case for those who must not.
"""

from __future__ import annotations

from collections.abc import Sequence


class Silence:
    warnings: Sequence[str] = ()

    def progress(self, label: str, total: float | None, unit: str = "") -> Silence:
        return self

    def line(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None: ...
    def advance(self, amount: float = 1) -> None: ...
    def say(self, text: str) -> None: ...
    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *error: object) -> None: ...
