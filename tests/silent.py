"""A speaker that keeps what it was told, for tests of things that speak."""

from __future__ import annotations

from collections.abc import Sequence

from minisc.core.silence import Silence
from minisc.core.step import Bar


class Silent:
    """Implements `core.step.Speaker`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []

    def progress(self, label: str, total: float | None, unit: str = "") -> Bar:
        return Silence()

    def line(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.tables.append((title, [list(row) for row in rows]))
