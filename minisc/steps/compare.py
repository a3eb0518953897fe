"""compare: runs side by side: their scores and how far they are apart, their figures, the settings in which they differ.

In: `runs`, a list of run folders, multirun folders, `latest:<recipe>`. Out: tables, `compare.md` in this run's folder, and `compare.json`, which a
`report` after it shows. The first run is the one that the others are held against: a difference is paired, over the documents or items that
both judged (evals/pairs.py). Scores are looked up, nothing is scored again, so it is free; of runs whose artifacts are gone the figures are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from minisc.core import durable, scoreboard
from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.runs import Run, best, differences, found, scores_of
from minisc.core.step import Closing, Context, Done
from minisc.evals import pairs

COMPARED = "compare.json"
SCORES_HEAD = (scoreboard.HEAD[0], ">run", *scoreboard.HEAD[1:])
APART_HEAD = ("score", ">run", ">difference", "95 % interval", ">over", "verdict")
Rows = Sequence[Sequence[str]]


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
        scores, apart = list(_scores(runs)), list(_apart(runs))
        context.speak.table(
            "runs", ["", "run", "recipe"], [[str(at), name, run.recipe] for at, (name, run) in enumerate(zip(names, runs, strict=True), 1)]
        )
        context.speak.table("scores", SCORES_HEAD, scores)
        context.speak.table("less run 1, over what both judged", APART_HEAD, apart)
        figures, settings = list(_figures(runs)), [[key, *row] for key, row in sorted(differences(runs).items())]
        context.speak.table("figures", ["figure", *(f">{name}" for name in names)], figures)
        context.speak.table("settings that differ", ["setting", *names], settings)
        top = best(runs)
        if top:
            context.speak.line(f"best {top[0]}: {names[runs.index(top[1])]}")
        page = context.run / "compare.md"
        with durable.write(page) as temporary:
            temporary.write_text(_page(names, runs, scores, apart, figures, settings), encoding="utf-8")
        told = {
            "runs": [[str(at), name, run.command] for at, (name, run) in enumerate(zip(names, runs, strict=True), 1)],
            "figures": [["figure", *(f">{name}" for name in names)], figures],
        }
        told |= {"scores": [SCORES_HEAD, scores], "apart": [APART_HEAD, apart], "settings": [["setting", *names], settings]}
        durable.write_json(context.run / COMPARED, told)
        return {"runs": len(runs), "where": str(page)}


def _scores(runs: Sequence[Run]) -> Iterator[list[str]]:
    """Every score of every run with its interval and contamination, those of one name together."""
    told = [(entry, at) for at, run in enumerate(runs, 1) for entry in scoreboard.entries(scores_of(run))]
    for figure in dict.fromkeys(entry.figure for entry, _ in told):
        for entry, at in told:
            if entry.figure == figure:
                first, *rest = entry.row()
                yield [first, str(at), *rest]


def _apart(runs: Sequence[Run]) -> Iterator[list[str]]:
    """Every other run's scores less the first one's."""
    first, *others = (scores_of(run) for run in runs)
    told = [(one, at) for at, other in enumerate(others, 2) for one in pairs.differences(first, other)]
    for figure in dict.fromkeys(one.figure for one, _ in told):
        yield from ([one.figure.replace("_", " "), str(at), *one.shown()] for one, at in told if one.figure == figure)


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


def _page(names: Sequence[str], runs: Sequence[Run], scores: Rows, apart: Rows, figures: Rows, settings: Rows) -> str:
    listed = [f"{at}. {name}: `{run.command}`, {run.folder}" for at, (name, run) in enumerate(zip(names, runs, strict=True), 1)]
    tables = [
        *([_table(SCORES_HEAD, scores)] if scores else []),
        *(["Less run 1, over what both judged:", _table(APART_HEAD, apart)] if apart else []),
        _table(["figure", *names], figures),
        _table(["setting", *names], settings),
    ]
    return "\n\n".join(["# Runs side by side", "\n".join(listed), *tables]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[title.lstrip(">") for title in head], ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
