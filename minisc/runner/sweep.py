"""The end of a multirun: its jobs in a table, the best first, those that failed last.

In: the multirun's folder, with a folder a job. Out: a table for a person, `sweep.md` beside the jobs, and the names of the failed.
A job is finished when its `run.json` tells of every step that its settings name; the figure by which jobs are ranked is that of core/runs.py.
"""

from __future__ import annotations

from pathlib import Path

from minisc.core import durable
from minisc.core.runs import STORY, Run, best, overrides_of, read_run, settings_of
from minisc.core.step import Speaker

SHOWN = 5  # swept settings at most, as columns


def sweep_table(speak: Speaker, folder: Path) -> list[str]:
    """Show and write the table; the names of jobs that did not finish."""
    jobs = sorted((path.parent for path in folder.glob("*/settings")), key=_number)
    jobs = [job for job in jobs if settings_of(job).get("plan_only") != "true"]
    if not jobs:
        return []  # plans only
    runs = [read_run(job) for job in jobs if (job / STORY).exists()]
    whole = [run for run in runs if _is_whole(run)]
    failed = [job.name for job in jobs if job not in [run.folder for run in whole]]
    top = best(whole)
    figure = top[0] if top else ""
    words = [overrides_of(run.folder) for run in whole]
    differing = {
        key: row for key in dict.fromkeys(key for one in words for key in one) if len(set(row := [one.get(key, "") for one in words])) > 1
    }
    keys = list(differing)[:SHOWN]
    order = sorted(range(len(whole)), key=lambda at: float(whole[at].figures.get(figure, float("inf"))))
    rows = [[whole[at].name, *(differing[key][at] for key in keys), _figure(whole[at], figure)] for at in order]
    rows += [[name, *([""] * len(keys)), "failed"] for name in failed]
    columns = ["job", *(f">{key}" for key in keys), f">{figure or 'result'}"]
    speak.table("sweep", columns, rows)
    if len(differing) > SHOWN:
        speak.line(f"they differ in {len(differing) - SHOWN} more settings: steps=[compare] runs=[{folder}]")
    if top:
        speak.line(f"best: {top[1].name} with {figure} {_figure(top[1], figure)}, in {folder / top[1].name}")
    _write(folder, columns, rows, top[1].name if top else "")
    return failed


def _number(job: Path) -> tuple[int, str]:
    head = job.name.split(",", 1)[0]
    return (int(head) if head.isdigit() else 0, job.name)


def _is_whole(run: Run) -> bool:
    """Whether every step that the job was to take is in its story."""
    planned = {key.split(".")[1] for key in settings_of(run.folder) if key.startswith("steps.")}
    return planned <= {made.step for made in run.made}


def _figure(run: Run, figure: str) -> str:
    value = run.figures.get(figure)
    return f"{value:.4f}" if isinstance(value, (int, float)) else "done"


def _write(folder: Path, columns: list[str], rows: list[list[str]], winner: str) -> None:
    lines = [[column.lstrip(">") for column in columns], ["---"] * len(columns), *rows]
    with durable.write(folder / "sweep.md") as temporary:
        told = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        temporary.write_text(f"{told}\n" + (f"\nbest: {winner}\n" if winner else ""), encoding="utf-8")
