"""The end of a multirun: its jobs in a table, the best first, those that failed last.

In: the multirun's folder, with a folder a job. Out: a table for a person, `sweep.md` beside the jobs, and the names of the failed.
A job is finished when its `run.json` is there and says so much; the figure by which jobs are ranked is that of core/runs.py.
"""

from __future__ import annotations

from pathlib import Path

from minisc.core import durable
from minisc.core.runs import RANKED, STORY, Run, best, differences, read_run
from minisc.core.step import Speaker

SHOWN = 5  # differing settings at most, as columns


def sweep_table(speak: Speaker, folder: Path) -> list[str]:
    """Show and write the table; the names of jobs that did not finish."""
    jobs = sorted((path.parent for path in folder.glob("*/settings")), key=_number)
    runs = [read_run(job) for job in jobs if (job / STORY).exists()]
    failed = [job.name for job in jobs if not _is_whole(job, runs)]
    whole = [run for run in runs if run.name not in failed]
    top = best(whole)
    if top is None:
        return failed
    figure, winner = top
    differing = {key: row for key, row in differences(whole).items() if not key.startswith("hydra")}
    keys = sorted(differing)[:SHOWN]
    columns = ["job", *(f">{key}" for key in keys), f">{figure}"]
    order = sorted(range(len(whole)), key=lambda at: float(whole[at].figures.get(figure, float("inf"))))
    rows = [[whole[at].name, *(differing[key][at].strip('"') for key in keys), _figure(whole[at], figure)] for at in order]
    speak.table("sweep", columns, rows + [[name, *([""] * len(keys)), "failed"] for name in failed])
    others = sorted(differing)[SHOWN:]
    if others:
        speak.line(f"they differ in {len(others)} more settings: steps=[compare] runs=[{folder}]")
    speak.line(f"best: {winner.name} with {figure} {_figure(winner, figure)}, in {folder / winner.name}")
    _write(folder, columns, rows, winner)
    return failed


def _number(job: Path) -> tuple[int, str]:
    head = job.name.split(",", 1)[0]
    return (int(head) if head.isdigit() else 0, job.name)


def _is_whole(job: Path, runs: list[Run]) -> bool:
    return any(run.folder == job and any(name in run.figures for name in RANKED) for run in runs)


def _figure(run: Run, figure: str) -> str:
    value = run.figures.get(figure)
    return f"{value:.4f}" if isinstance(value, (int, float)) else ""


def _write(folder: Path, columns: list[str], rows: list[list[str]], winner: Run) -> None:
    lines = [[column.lstrip(">") for column in columns], ["---"] * len(columns), *rows]
    with durable.write(folder / "sweep.md") as temporary:
        told = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        temporary.write_text(f"{told}\n\nbest: {winner.name}\n", encoding="utf-8")
