"""A seeded sample of files, fair to small repositories.

In: files of many repositories, a number of bytes, the largest share of one repository. Out: the files taken.
How: the bytes are dealt out as water fills basins: every repository gives all it has up to one level, the same for all. So
each small repository is taken whole, and the large ones give equally much (but for a file), a seeded sample of their files; a corpus of 48 MB from
the packages of one environment then holds all of them and not the five largest. The more repositories, the finer the split
into train and held out, and the less a model learns one project's habits.
Guarantees: a pure function of (names, sizes, seed); no repository exceeds `max_share` of what is taken, if that can be; a file is
taken whole or not at all. Files with a reason (too large, unreadable) have no text, cost nothing and all stay.
Rejected: files in seeded order over all repositories (a package of 50 MB is then a fifth of any sample, and half of the small ones
are torn); whole repositories in seeded order (the sample's size is then a matter of luck).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    ranked = sorted((file for file in files if not file.reason), key=lambda file: _rank(seed, file))
    sizes: Counter[str] = Counter()
    for file in ranked:
        sizes[file.repo] += file.size
    if max_bytes is None or sizes.total() <= max_bytes:
        return _drawn(files, files, max_share)
    goal = max_bytes
    while goal:
        drawn = _drawn(files, _taken(ranked, sizes, goal, int(max_share * goal)), max_share)
        if drawn.bytes and drawn.held:
            return drawn
        goal = drawn.bytes  # the others gave less than their part: a smaller sample, in which the share is kept
    return _drawn(files, _taken(ranked, sizes, max_bytes, max_bytes), max_share)


def _rank(seed: int, file: File) -> bytes:
    return hashlib.sha256(b"%d\0%s\0%s" % (seed, file.repo.encode(), file.path)).digest()


def _taken(ranked: Sequence[File], sizes: Mapping[str, int], goal: int, cap: int) -> list[File]:
    """At most `goal` bytes, at most `cap` of one repository: first what fits below the level, then what fits into what that left."""
    level = min(cap, _level(sizes.values(), goal))
    held: Counter[str] = Counter()
    taken: list[File] = []
    left = list(ranked)
    for most in (level, cap):
        over = []
        for file in left:
            if held[file.repo] + file.size <= most and file.size <= goal:
                taken.append(file)
                held[file.repo] += file.size
                goal -= file.size
            else:
                over.append(file)
        left = over
    return taken


def _level(sizes: Iterable[int], goal: int) -> int:
    """The level at which repositories of these sizes together give `goal` bytes."""
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        even = goal // (len(ordered) - at)
        if size > even:
            return even
        goal -= size
    return ordered[-1]


def _drawn(files: Sequence[File], taken: Iterable[File], max_share: float) -> Drawn:
    keep = {(file.repo, file.where) for file in taken}
    chosen = tuple(file for file in files if file.reason or (file.repo, file.where) in keep)
    repos: Counter[str] = Counter()
    for file in chosen:
        repos[file.repo] += 0 if file.reason else file.size
    largest, whole = max(repos.values(), default=0), repos.total()
    return Drawn(chosen, whole, sum(1 for size in repos.values() if size), largest, largest <= max_share * whole)
