"""One root directory for each origin: the newest good visit, its best branch, the revision behind it.

In: an export and a policy. Out: `Chosen`, one for each origin that has a root, forks of the same root merged into one; and
for every origin its fate, counted by kind and reason, so that two thirds of the origins cannot go missing unnoticed.
Method: the best visit of every origin first; only for origins that it does not resolve, all the others. Releases are
followed (a release may point at a release), revisions and root directories looked up by set, never one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from minisc.source.swh_graph.branches import HEADS, NEWEST, Branches, Target, followed, named_as, wanted_order
from minisc.source.swh_graph.columns import MISSING
from minisc.source.swh_graph.export import Export
from minisc.source.swh_graph.ids import ABSENT, IdIndex, unique_ids
from minisc.source.swh_graph.visits import Visits, read_branches, read_visits, snapshot_ids

RELEASE_STEPS = 4  # releases of releases that are followed
PACKAGES = ("pypi", "deb")
REASONS = (
    "kind_not_asked_for", "never_visited", "no_usable_visit", "no_wanted_branch", "dangling_branch", "branch_cycle", "missing_revision", "missing_directory",
    "same_root",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    branches: Sequence[str]
    kinds: Sequence[str]  # of origins, in the order in which they are preferred among forks; empty: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One repository at one revision."""

    url: str
    kind: str
    visit: int
    visit_date: int  # microseconds since 1970, or MISSING
    snapshot: bytes | None
    branch: bytes
    revision: bytes | None
    date: int  # of the commit, microseconds since 1970, or MISSING
    root: bytes
    also: tuple[str, ...] = ()  # origins with the same root


Fates = Counter[tuple[str, str]]  # (kind of origin, "chosen" or a reason) -> origins


def choose(export: Export, policy: Policy) -> tuple[list[Chosen], Fates]:
    """The chosen repositories by URL, and what became of every origin."""
    visits, index = read_visits(export)
    fates: Fates = Counter()
    reasons: dict[int, str] = {}
    chosen: dict[int, Chosen] = {}
    for origin, about in enumerate(visits.origins):
        if policy.kinds and about.kind not in policy.kinds:
            reasons[origin] = "kind_not_asked_for"
        elif not len(visits.of(origin)):
            reasons[origin] = "no_usable_visit" if visits.had[origin] else "never_visited"
    waiting = [origin for origin in range(len(visits.origins)) if origin not in reasons]
    for only_best in (True, False):
        rows = {origin: list(visits.of(origin))[: 1 if only_best else None] for origin in waiting}
        found = _resolve(export, visits, index, rows, policy)
        chosen |= {origin: one for origin, one in found.items() if isinstance(one, Chosen)}
        reasons |= {origin: one for origin, one in found.items() if isinstance(one, str)}
        waiting = [origin for origin in waiting if origin not in chosen]
    merged = _without_forks(list(chosen.values()), policy)
    for origin, one in chosen.items():
        reasons[origin] = "chosen" if merged[one.root].url == one.url else "same_root"
    for origin, about in enumerate(visits.origins):
        fates[about.kind, reasons[origin]] += 1
    return sorted(merged.values(), key=lambda one: one.url), fates


def _resolve(
    export: Export, visits: Visits, index: IdIndex | None, rows: Mapping[int, Sequence[int]], policy: Policy
) -> dict[int, Chosen | str]:
    """For each origin the first of its visits that has a root, or why the best of them has none."""
    if not rows:
        return {}
    branches = read_branches(export, visits.snapshot[[row for own in rows.values() for row in own]], index)
    known = _Known(export, [target for own in branches.values() for target in own.values()])
    snapshots = snapshot_ids(export, branches, index)
    out: dict[int, Chosen | str] = {}
    for origin, own in rows.items():
        about = visits.origins[origin]
        for row in own:
            snapshot = int(visits.snapshot[row])
            found = _best(branches[snapshot], about.kind, policy, known)
            if isinstance(found, str):
                out.setdefault(origin, found)
                continue
            branch, revision, date, root = found
            out[origin] = Chosen(
                url=about.url, kind=about.kind, visit=int(visits.visit[row]), visit_date=int(visits.date[row]), snapshot=snapshots.get(snapshot),
                branch=branch, revision=revision, date=date, root=root,
            )  # fmt: skip
            break
    return out


def _best(branches: Branches, kind: str, policy: Policy, known: _Known) -> tuple[bytes, bytes | None, int, bytes] | str:
    """(branch, revision, its date, root directory) of the first branch that has them, or why the first has not."""
    newest = known.by_date(branches) if NEWEST in policy.branches and kind not in PACKAGES else []
    reason = ""
    for name in wanted_order(branches, kind, policy.branches, newest):
        last, target, lost = followed(branches, name)
        root = lost or known.root(target)
        if isinstance(root, tuple):
            return (named_as(branches, last), *root)
        reason = reason or root
    return reason or "no_wanted_branch"


class _Known:
    """The releases, revisions and root directories behind the targets of branches."""

    def __init__(self, export: Export, targets: Iterable[Target]) -> None:
        asked = {target.id for target in targets if target.id is not None and target.kind != "alias" and len(target.id) == 20}
        self._releases: dict[bytes, bytes] = {}
        frontier = asked
        for _ in range(RELEASE_STEPS):
            found = _releases(export, frontier)
            self._releases |= found
            frontier = set(found.values()) - asked
            asked |= frontier
        self._revisions = _revisions(export, asked)
        self._directories = _present(export, asked | {root for root, _ in self._revisions.values()})

    def root(self, target: Target) -> tuple[bytes | None, int, bytes] | str:
        at = target.id
        for _ in range(RELEASE_STEPS):
            if at not in self._releases:
                break
            at = self._releases[at]
        if at in self._revisions:
            root, date = self._revisions[at]
            return (at, date, root) if root in self._directories else "missing_directory"
        if at in self._directories:
            return (None, MISSING, at)
        return "missing_revision"

    def by_date(self, branches: Branches) -> list[bytes]:
        dated = [
            (self._revisions[target.id][1], name)
            for name, target in branches.items()
            if name.startswith(HEADS) and target.id in self._revisions
        ]
        return [name for _, name in sorted(dated, key=lambda pair: (-pair[0], pair[1]))]


def _index(ids: Iterable[bytes]) -> IdIndex:
    ordered = sorted(ids)
    return IdIndex(unique_ids(np.frombuffer(b"".join(ordered), np.uint8).reshape(-1, 20)))


def _releases(export: Export, ids: set[bytes]) -> dict[bytes, bytes]:
    """Release -> what it points at."""
    if not ids or not export.has("release"):
        return {}
    index, out = _index(ids), {}
    for batch in export.stream("release", {"id": "ids", "target": "ids"}):
        git, (target, there) = batch["id"][0], batch["target"]
        for row in np.flatnonzero((index.find(git) != ABSENT) & there).tolist():
            out[git[row].tobytes()] = target[row].tobytes()
    return out


def _revisions(export: Export, ids: set[bytes]) -> dict[bytes, tuple[bytes, int]]:
    """Revision -> (root directory, commit date)."""
    index, out = _index(ids), {}
    for batch in export.stream("revision", {"id": "ids", "directory": "ids", "committer_date": "times"}):
        git = batch["id"][0]
        for row in np.flatnonzero(index.find(git) != ABSENT).tolist():
            out[git[row].tobytes()] = (batch["directory"][0][row].tobytes(), int(batch["committer_date"][row]))
    return out


def _present(export: Export, ids: set[bytes]) -> set[bytes]:
    index, out = _index(ids), set()
    for found in export.map("directory", {"id": "ids"}, lambda batch: index.find(batch["id"][0])):
        out |= {index.ids[row].tobytes() for row in found[found != ABSENT].tolist()}
    return out


def _without_forks(chosen: Sequence[Chosen], policy: Policy) -> dict[bytes, Chosen]:
    """One repository for each root: the kind that is preferred, then the earliest commit, then the URL."""
    order = {kind: at for at, kind in enumerate(policy.kinds)}
    best: dict[bytes, Chosen] = {}
    others: dict[bytes, list[str]] = {}
    for one in sorted(chosen, key=lambda one: (order.get(one.kind, len(order)), one.date == MISSING, one.date, one.url)):
        if best.setdefault(one.root, one) is not one:
            others.setdefault(one.root, []).append(one.url)
    return {root: replace(one, also=tuple(sorted(others.get(root, ())))) for root, one in best.items()}
