"""A seeded sample of files, fair to small repositories.

In: files of many repositories, a number of bytes, the largest share of one repository. Out: the files taken.
How: the bytes are dealt out as water fills basins: every repository gives all it has up to one level, the same for all. So
each small repository is taken whole, and the large ones give equally much, a seeded sample of their files; a corpus of 48 MB from
the packages of one environment then holds all 100 of them and not the five largest. The more repositories, the finer the split
into train and held out, and the less a model learns one project's habits.
Guarantees: a pure function of (names, sizes, seed); no repository exceeds `max_share` of what is taken, if that can be; a file is
taken whole or not at all. Files with a reason (too large, unreadable) have no text, cost nothing and all stay.
Rejected: files in seeded order over all repositories (a package of 50 MB is then a fifth of any sample, and half of the small ones
are torn); whole repositories in seeded order (the sample's size is then a matter of luck).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minisc.source.files import File


@dataclass(frozen=True, slots=True)
class Drawn:
    """The sample, in the order of the files given, and what can be said of it."""

    files: tuple[File, ...]
    bytes: int
    repos: int
    largest: int  # bytes of the largest repository
    held: bool  # whether `max_share` is kept


def draw(files: Sequence[File], *, max_bytes: int | None, max_share: float, seed: int) -> Drawn:
    """Take at most `max_bytes`, none of the repositories more than `max_share` of what is taken.

    Where everything fits into `max_bytes`, everything is taken, whatever the shares; where there are too few repositories to keep
    `max_share` at all, it is given up. `held` says which it was.
    """
    repos = _repos(files, seed)
    total = sum(sum(file.size for file in own) for own in repos.values())
    if max_bytes is None or total <= max_bytes:
        return _drawn(files, repos.values(), max_share)
    goal, cap = max_bytes, max_share
    while True:
        level = min(_level([sum(file.size for file in own) for own in repos.values()], goal), int(cap * goal))
        drawn = _drawn(files, [_fitting(own, level) for own in repos.values()], max_share)
        if drawn.largest <= cap * drawn.bytes and drawn.bytes:
            return drawn
        goal = drawn.bytes  # the others gave less than their part: a smaller sample in which the share is kept
        if not goal:
            goal, cap = max_bytes, 1.0


def _repos(files: Sequence[File], seed: int) -> dict[str, list[File]]:
    """The files with text of each repository, in seeded order."""
    repos: dict[str, list[File]] = {}
    for file in files:
        if not file.reason:
            repos.setdefault(file.repo, []).append(file)
    return {repo: sorted(own, key=lambda file: _rank(seed, file)) for repo, own in repos.items()}


def _rank(seed: int, file: File) -> bytes:
    return hashlib.sha256(b"%d\0%s\0%s" % (seed, file.repo.encode(), file.path)).digest()


def _level(sizes: Iterable[int], goal: int) -> int:
    """The level at which repositories of these sizes together give `goal` bytes."""
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        even = goal // (len(ordered) - at)
        if size > even:
            return even
        goal -= size
    return ordered[-1]


def _fitting(own: Sequence[File], level: int) -> list[File]:
    """Files in their order, each that still fits."""
    taken, left = [], level
    for file in own:
        if file.size <= left:
            taken.append(file)
            left -= file.size
    return taken


def _drawn(files: Sequence[File], taken: Iterable[Sequence[File]], max_share: float) -> Drawn:
    taken = list(taken)
    sizes = [sum(file.size for file in own) for own in taken]
    keep = {(file.repo, file.where) for own in taken for file in own}
    chosen = tuple(file for file in files if file.reason or (file.repo, file.where) in keep)
    largest = max(sizes, default=0)
    return Drawn(chosen, sum(sizes), sum(1 for own in taken if own), largest, largest <= max_share * sum(sizes))
