"""prune: artifacts that nobody needs any more, listed, and removed when asked to.

In: the store and the runs of this output folder. Out: a table; with `really`, fewer folders in the store.
What stays: whatever a run below `runs/` or `multirun/` refers to (all of them, or those younger than `keep_runs_days`), what those
artifacts were made from (their manifests name their inputs), what was itself finished or written to within `keep_days`, and what another
process is making.
Guarantees: when a story or a manifest cannot be read, nothing is removed: one cannot know what it refers to. An artifact loses its manifest
first, so a kill on the way leaves none that looks whole. Only folders `store/<step>/<fingerprint>` are looked at; links are not followed.
Ages are by the modification times of files; a time in the future counts as now.
"""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import mirror
from minisc.core.artifact import MANIFEST, Artifact, Figures, is_finished
from minisc.core.errors import UserError
from minisc.core.runs import STORE, read_run, stories
from minisc.core.step import Closing, Context, Done

DAY = 86_400.0
_FINGERPRINT = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    bytes: int
    days: float
    finished: bool


@dataclass(frozen=True, kw_only=True)
class Prune(Closing):
    version: ClassVar[int] = 1

    keep_runs_days: float | None
    keep_days: float
    really: bool

    def __post_init__(self) -> None:
        for name, days in (("keep_runs_days", self.keep_runs_days), ("keep_days", self.keep_days)):
            if days is not None and not days >= 0:
                raise UserError("an age is a number of days", where=f"steps.prune.{name}={days}", do=f"steps.prune.{name}=30")

    def look(self, done: Sequence[Done], context: Context) -> Figures:
        kept = self._kept(context.out) | {item.artifact.fingerprint for item in done if item.artifact}
        folders = list(_folders(context.out))
        kept |= _ancestors(kept, [path for path in folders if is_finished(path)])
        chosen = [_told(path) for path in folders if path.name not in kept]
        chosen = [one for one in chosen if one.days >= self.keep_days]
        gone = [one for one in chosen if not self.really or _removed(one.path)]
        rows = [
            [
                f"{one.path.parent.name}/{one.path.name}",
                f"{one.bytes / 1e6:,.1f} MB",
                f"{one.days:.1f} days",
                "" if one.finished else "never finished",
            ]
            for one in gone
        ]
        context.speak.table("removed" if self.really else "would be removed", ["artifact", ">size", ">age", ""], rows)
        freed = sum(one.bytes for one in gone)
        if gone and not self.really:
            context.speak.line(f"{freed / 1e6:,.1f} MB; nothing was removed: add steps.prune.really=true")
        if len(gone) < len(chosen):
            context.speak.line(f"{len(chosen) - len(gone)} are being made by another process and stay")
        return {
            "artifacts_pruned": len(gone) if self.really else 0,
            "artifacts_prunable": len(chosen),
            "bytes_prunable": freed,
            "artifacts_kept": len(folders) - len(chosen),
        }

    def _kept(self, out: Path) -> set[str]:
        """Fingerprints that the runs refer to which are young enough."""
        kept = set()
        for story in stories(out):
            run = read_run(story.parent)
            if self.keep_runs_days is None or _days(story.stat().st_mtime_ns) < self.keep_runs_days:
                kept |= {made.fingerprint for made in run.made}
        return kept


def _folders(out: Path) -> Iterator[Path]:
    for step in sorted((out / STORE).glob("*")):
        if step.is_dir() and not step.is_symlink():
            yield from (
                path for path in sorted(step.iterdir()) if _FINGERPRINT.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
            )


def _ancestors(kept: set[str], finished: Iterable[Path]) -> set[str]:
    """What the artifacts that stay were made from, all the way down."""
    made_from = {path.name: set(_inputs(Artifact(path).manifest["inputs"])) for path in finished}
    found: set[str] = set()
    waiting = list(kept)
    while waiting:
        new = made_from.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _inputs(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _inputs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inputs(item)


def _told(path: Path) -> _Candidate:
    finished = is_finished(path)
    files = mirror.listing(path)
    told = [file.time for file in files if not finished or file.name == MANIFEST]
    return _Candidate(path, sum(file.size for file in files), _days(max(told, default=path.stat().st_mtime_ns)), finished)


def _days(written: int) -> float:
    """The age of what was written so many ns after 1970."""
    return max(0.0, time.time() - written / 1e9) / DAY


def _removed(path: Path) -> bool:
    """Remove an artifact, its manifest first; False where another process holds its lock."""
    with _owned(path) as ours:
        if ours:
            mirror.remove(path / MANIFEST)
            mirror.remove(path)
    return ours


@contextmanager
def _owned(path: Path) -> Iterator[bool]:
    with (path / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
