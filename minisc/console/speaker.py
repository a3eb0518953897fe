"""How a run speaks: bars with rate and time left on a terminal, plain lines elsewhere, everything in the log.

`Terminal` implements `core.step.Speaker`. On a terminal a progress bar is drawn by rich; otherwise a line is printed when a
piece of work begins, at most every `QUIET_SECONDS` while it lasts, and when it ends. What is said goes to the logger
`minisc` too, whose file lies in the run's folder. Characters that nobody sees are shown by their code: words of strangers do not drive a terminal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from minisc.core.step import Bar
from minisc.core.unseen import made_visible

QUIET_SECONDS = 15.0  # between two lines of one piece of work, where no bar can be drawn


class Terminal:
    """Speaks to one person at one terminal, or to a file.

    `job`: what begins every line of a job that a launcher runs beside others: it draws no bars over theirs, and its tables are in its log.
    """

    def __init__(self, console: Console | None = None, job: str = "") -> None:
        self._job = job
        self.console = console or Console(highlight=False, soft_wrap=False)
        self.warnings: list[str] = []
        self._log = logging.getLogger("minisc")

    def progress(self, label: str, total: float | None, unit: str = "") -> Bar:
        return _Drawn(self, label, total, unit) if self.console.is_terminal and not self._job else _Lines(self, label, total, unit)

    def line(self, text: str) -> None:
        text = made_visible(text)
        self._log.info(text)
        self.console.print(f"{self._job}{text}", markup=False)

    def warn(self, text: str) -> None:
        text = made_visible(text)
        self.warnings.append(text)
        self._log.warning(text)
        self.console.print(f"{self._job}warning: {text}", style="yellow", markup=False)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        rows = [[made_visible(cell) for cell in row] for row in rows]
        self._log.info("%s\n%s", title, "\n".join("  ".join(row) for row in [[c.lstrip(">") for c in columns], *rows]))
        if self._job:
            return
        table = Table(box=None, pad_edge=False, title=title or None, title_justify="left", title_style="bold")
        for at, column in enumerate(columns):
            right = column.startswith(">")
            table.add_column(
                column.lstrip(">"), header_style="dim", justify="right" if right else "left", no_wrap=right or at == 0, overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self.console.print()
        self.console.print(table)
        self.console.print()

    def note(self, text: str) -> None:
        """For the log alone."""
        self._log.info(text)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        speed = f"{human(task.speed)} {unit}/s" if task.speed and unit else ""
        return Text(" ".join(filter(None, [speed, task.fields["said"]])), style="dim")


class _Drawn:
    """A bar on a terminal."""

    def __init__(self, terminal: Terminal, label: str, total: float | None, unit: str) -> None:
        ends = [TimeElapsedColumn()] if total is None else [BarColumn(bar_width=28), TimeRemainingColumn(compact=True)]
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), *ends, _Rate(), console=terminal.console, transient=True
        )
        self._task = self._progress.add_task(label, total=total, unit=unit, said="")
        self._terminal, self._label, self._start = terminal, label, time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._progress.advance(self._task, amount)

    def say(self, text: str) -> None:
        self._progress.update(self._task, said=text)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()
        if not error[0]:
            self._terminal.note(f"{self._label}: {time.monotonic() - self._start:.1f} s")


class _Lines:
    """Plain lines for a file or a pipe."""

    def __init__(self, terminal: Terminal, label: str, total: float | None, unit: str) -> None:
        self._terminal, self._label, self._total, self._unit = terminal, label, total, unit
        self._done, self._said = 0.0, ""
        self._start = self._last = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last >= QUIET_SECONDS:
            self._last = now
            self._terminal.line(f"  {self._label}: {self._state(now - self._start)}")

    def say(self, text: str) -> None:
        self._said = text

    def _state(self, seconds: float) -> str:
        rate = self._done / seconds if seconds else 0.0
        left = f", {duration((self._total - self._done) / rate)} left" if self._total and rate else ""
        of = f" of {human(self._total)}" if self._total else ""
        return f"{human(self._done)}{of} {self._unit}{left} {self._said}".rstrip()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if not error[0]:
            self._terminal.note(f"{self._label}: {time.monotonic() - self._start:.1f} s")


def human(number: float | None) -> str:
    """1234567 -> '1.2M'; small whole numbers as they are."""
    if number is None:
        return "?"
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}" if number == int(number) else f"{number:.3g}"


def duration(seconds: float) -> str:
    """90 -> '1 min 30 s'; 7200 -> '2 h 0 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"
