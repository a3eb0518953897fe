"""Runs that are over, or under way: what their folders tell, found again when the store was moved, set side by side.

In: a run's folder (`run.json`, `settings/config.yaml`). Out: its recipe, its artifacts, its figures, its settings flattened to `key -> text`.
Guarantees: names in a `run.json` from anywhere never become paths unless they are a step's name and a fingerprint. An artifact is looked
for in the store beside the run first, and only then where it was when the run was made, so that a store moves as a whole, or is copied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisc.core import mirror
from minisc.core.artifact import Artifact, is_finished
from minisc.core.errors import BadInput, UserError

STORY = "run.json"
SCORES = "scores.json"
STORE, RUNS = "store", ("runs", "multirun")
_STEP, _FINGERPRINT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}"), re.compile(r"[0-9a-f]{8,64}")
# Figures by which runs are ranked, the first that any has; lower is better for all of them.
RANKED = ("bits_per_byte", "train_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One step of a run, as its `run.json` tells it."""

    step: str
    fingerprint: str  # "" for a step that makes nothing for the store
    artifact: Path | None  # where it lies now; None where it is gone, or was none
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    folder: Path
    recipe: str
    command: str
    made: tuple[Made, ...]
    figures: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.folder.name


def read_run(folder: Path) -> Run:
    """The story of a run. Raises BadInput where it cannot be understood."""
    where = folder / STORY
    try:
        told = json.loads(mirror.fetch(where).read_text(encoding="utf-8"))
        made = tuple(_made(folder, entry) for entry in told["steps"])
        return Run(folder=folder, recipe=str(told["recipe"]), command=str(told["command"]), made=made, figures=dict(told["figures"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"the story of a run cannot be read: {type(error).__name__}: {error}", where=str(where), do="name another run"
        ) from error


def _made(folder: Path, entry: Mapping[str, Any]) -> Made:
    step, mark = str(entry["step"]), str(entry.get("fingerprint") or "")
    if not _STEP.fullmatch(step) or (mark and not _FINGERPRINT.fullmatch(mark)):
        raise ValueError("a step or a fingerprint has a name that none can have")
    beside = (parent / STORE / step / mark for parent in folder.absolute().parents) if mark else ()
    then = [mirror.local(entry["artifact"])] if entry.get("artifact") else []
    artifact = next((path for path in [*beside, *then] if is_finished(path)), None)
    return Made(step=step, fingerprint=mark, artifact=artifact, cached=bool(entry.get("cached")))


def scores_of(run: Run) -> dict[str, Any]:
    """What its evaluations wrote, as far as it lies in the store: evaluation -> {about, figures, tables}; of two of one name the later.

    Raises BadInput for a file that is no such thing, DamagedArtifact for other bytes than were committed.
    """
    told: dict[str, Any] = {}
    for made in run.made:
        artifact = Artifact(made.artifact) if made.artifact is not None else None
        if artifact is None or "evaluation" not in artifact.kinds or not artifact.has(SCORES):
            continue
        path = artifact.file(SCORES)
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            told |= {str(name): {part: dict(one[part]) for part in ("figures", "tables")} for name, one in read.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"these are no scores: {type(error).__name__}: {error}", where=str(path), do="name another run") from error
    return told


def runs_below(folder: Path) -> list[Path]:
    """Folders of runs, in the order of their names: the folder itself, or what a multirun holds."""
    return [folder] if (folder / STORY).exists() else sorted(path.parent for path in folder.glob(f"*/{STORY}"))


def stories(out: Path) -> Iterator[Path]:
    """Every `run.json` below the runs and multiruns of an output folder."""
    for name in RUNS:
        yield from sorted((out / name).rglob(STORY))


def settings_of(folder: Path) -> dict[str, str]:
    """`key -> text` of the configuration that a run was given; {} where it is not there."""
    import yaml  # type: ignore[import-untyped]

    try:
        read = yaml.safe_load(mirror.fetch(folder / "settings" / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, RecursionError):
        return {}
    return dict(_flat(read, ""))


def overrides_of(folder: Path) -> dict[str, str]:
    """`key -> value` of the words that a run was given on its command line; {} where they are not there."""
    import yaml

    try:
        read = yaml.safe_load((folder / "settings" / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, RecursionError):
        return {}
    words = (str(word).lstrip("+~").partition("=") for word in (read if isinstance(read, list) else []))
    return {key: value for key, _, value in words}


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif key:
        yield key, json.dumps(value, default=str)


def differences(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Settings that are not the same in all runs: key -> one text a run, "" where it has none."""
    settings = [settings_of(run.folder) for run in runs]
    keys = dict.fromkeys(key for one in settings for key in one)
    rows = {key: [one.get(key, "") for one in settings] for key in keys}
    return {key: row for key, row in rows.items() if len(set(row)) > 1}


def best(runs: Sequence[Run]) -> tuple[str, Run] | None:
    """The figure by which runs are ranked, and the best of those that have it; None where none has any."""
    for figure in RANKED:
        having = [run for run in runs if isinstance(run.figures.get(figure), (int, float))]
        if having:
            return figure, min(having, key=lambda run: float(run.figures[figure]))
    return None


def found(text: str, out: Path) -> list[Run]:
    """The runs that a person means: a run's folder, a multirun's folder, or latest:<recipe>. Raises UserError where there is none."""
    where = f"runs=[{text}]"
    if text.startswith("latest:"):
        name = text.removeprefix("latest:")
        folders = [path.parent for path in sorted((out / "runs").glob(f"*/*/{STORY}")) if path.parent.parent.name == name][-1:]
    else:
        folders = runs_below(mirror.match(mirror.local(text), (STORY,)))
    if not folders:
        raise UserError(
            f"there is no run in {text!r}", where=where, do="name a folder with a run.json, a multirun's folder, or latest:RECIPE"
        )
    return [read_run(folder) for folder in folders]
