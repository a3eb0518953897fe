"""compare: runs side by side: their figures, and the settings in which they differ.

In: `runs`, a list of run folders, multirun folders, `latest:<recipe>`. Out: two tables, and `compare.md` in this run's folder. It looks
up what is written and computes nothing, so it is free, and works for runs whose artifacts are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.runs import Run, best, differences, found
from minisc.core.step import Closing, Context, Done


@dataclass(frozen=True, kw_only=True)
class Compare(Closing):
    version: ClassVar[int] = 1

    runs: list[str] | None

    def __post_init__(self) -> None:
        if isinstance(self.runs, str) or not self.runs:
            raise UserError(
                "which runs?",
                where=f"runs={self.runs}",
                do="runs=[outputs/runs/tiny/<date>,latest:laptop], or one multirun's folder: runs=[outputs/multirun/tiny/<date>]",
            )

    def look(self, done: Sequence[Done], context: Context) -> Figures:
        runs = [run for text in self.runs or () for run in found(str(text), context.out)]
        names = _names(runs)
        figures, settings = list(_figures(runs)), [[key, *row] for key, row in sorted(differences(runs).items())]
        context.speak.table("figures", ["figure", *(f">{name}" for name in names)], figures)
        context.speak.table("settings that differ", ["setting", *names], settings)
        top = best(runs)
        if top:
            context.speak.line(f"best {top[0]}: {names[runs.index(top[1])]}")
        page = context.run / "compare.md"
        with durable.write(page) as temporary:
            temporary.write_text(_page(names, runs, figures, settings), encoding="utf-8")
        return {"runs": len(runs), "where": str(page)}


def _names(runs: Sequence[Run]) -> list[str]:
    """Short names that tell the runs apart: their folders', with the recipe before where two are called alike."""
    short = [run.name for run in runs]
    return [
        name if short.count(name) == 1 else f"{run.recipe}/{name} ({at})" for at, (run, name) in enumerate(zip(runs, short, strict=True), 1)
    ]


def _figures(runs: Sequence[Run]) -> Iterator[list[str]]:
    """Every number that any run has and that is not the same in all of them."""
    for figure in dict.fromkeys(name for run in runs for name in run.figures):
        values = [run.figures.get(figure) for run in runs]
        if any(_is_number(value) for value in values) and (len(runs) == 1 or len(set(map(str, values))) > 1):
            yield [figure, *(_shown(value) for value in values)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if not _is_number(value):
        return "" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.0f}"


def _page(names: Sequence[str], runs: Sequence[Run], figures: Sequence[Sequence[str]], settings: Sequence[Sequence[str]]) -> str:
    listed = [f"- {name}: `{run.command}`, {run.folder}" for name, run in zip(names, runs, strict=True)]
    tables = [_table(["figure", *names], figures), _table(["setting", *names], settings)]
    return "\n\n".join(["# Runs side by side", "\n".join(listed), *tables]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
