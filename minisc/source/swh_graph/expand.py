"""From directories to paths: every place at which a repository holds a directory, then every file in it.

In: the lists of a graph and one root for each repository. Out: `Places`, one for each (repository, path of a directory),
level by level, as integers; `folders` and `paths` make the bytes of paths from them.
Guarantees: bounded whatever the data: at most `max_depth` levels, `max_files` places and files a repository, paths of at
most `max_path` bytes. A directory inside itself (no SHA-1 can make one, damaged data can) is cut. Everything cut is counted.
Method: each level is one gather and one repeat; a shared directory is met once for each of its paths, which is the point.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.swh_graph.graph import Lists
from minisc.source.swh_graph.ids import ABSENT, ranges


@dataclass(frozen=True)
class Tree:
    """What expansion needs of a graph; a part of the work carries one of these."""

    dirs: Lists  # directory -> entry rows
    to: np.ndarray  # entry row -> directory or ABSENT
    dir_names: pa.Array  # of the entry rows, large_binary
    files: Lists  # directory -> file rows
    file_names: pa.Array


@dataclass(frozen=True, kw_only=True)
class Bounds:
    max_depth: int  # levels of directories below a root
    max_files: int  # of one repository; directories are held to the same number
    max_path: int  # bytes


@dataclass(frozen=True)
class Places:
    """Place i: directory `directory[i]` in repository `repo[i]`, below place `parent[i]` by entry `entry[i]` (-1 for a root)."""

    repo: np.ndarray
    directory: np.ndarray
    parent: np.ndarray
    entry: np.ndarray
    length: np.ndarray  # bytes of its path, the closing slash included
    levels: tuple[int, ...]  # where each level ends
    cut: Counter[str]  # why -> how many branches of the tree were cut


def expand(tree: Tree, roots: np.ndarray, bounds: Bounds) -> Places:
    """All places of the repositories 0..len(roots)-1, whose root directories are `roots` (ABSENT: none)."""
    name_bytes = pc.binary_length(tree.dir_names).to_numpy(zero_copy_only=False).astype(np.int64)
    cut: Counter[str] = Counter()
    repo = np.flatnonzero(roots != ABSENT)
    level = Places(repo, roots[repo], np.full(len(repo), -1), np.full(len(repo), -1), np.zeros(len(repo), np.int64), (), cut)
    held, ends = [level], [len(repo)]
    used = np.bincount(repo, minlength=len(roots))
    first = 0  # number of the first place of the last level
    while len(level.repo) and len(ends) <= bounds.max_depth:
        level, used = _below(tree, level, first, held, used, name_bytes, bounds, cut)
        first = ends[-1]
        held.append(level)
        ends.append(first + len(level.repo))
    if len(level.repo) and len(ends) > bounds.max_depth:
        cut["too_deep"] += int((tree.dirs.lengths[level.directory] > 0).sum())
    joined = {name: np.concatenate([getattr(one, name) for one in held]) for name in ("repo", "directory", "parent", "entry", "length")}
    return Places(**joined, levels=tuple(ends), cut=cut)


def _below(
    tree: Tree, level: Places, first: int, held: list[Places], used: np.ndarray, name_bytes: np.ndarray, bounds: Bounds, cut: Counter[str]
) -> tuple[Places, np.ndarray]:
    """The next level, and how many places each repository has used with it."""
    degree = tree.dirs.lengths[level.directory]
    asked = np.bincount(level.repo, weights=degree, minlength=len(used)).astype(np.int64)
    full = used + asked > bounds.max_files
    if full.any():
        cut["too_many_paths"] += int((degree[full[level.repo]] > 0).sum())
        degree = np.where(full[level.repo], 0, degree)
    above = np.repeat(np.arange(len(level.repo)), degree)
    entry = tree.dirs.values[ranges(tree.dirs.starts[level.directory], degree)].astype(np.int64)
    to = tree.to[entry] if len(entry) else np.zeros(0, np.int64)
    length = level.length[above] + (name_bytes[entry] + 1 if len(entry) else 0)
    lost, long = to == ABSENT, length > bounds.max_path
    cut["dangling_directory"] += int(lost.sum())
    cut["path_too_long"] += int((long & ~lost).sum())
    keep = ~lost & ~long
    above, entry, to, length = above[keep], entry[keep], to[keep], length[keep]
    loops = _inside_itself(held, above, to)
    cut["cycle"] += int(loops.sum())
    above, entry, to, length = above[~loops], entry[~loops], to[~loops], length[~loops]
    repo = level.repo[above]
    below = Places(repo, to, above + first, entry, length, (), cut)
    return below, used + np.bincount(repo, minlength=len(used))


def _inside_itself(held: list[Places], above: np.ndarray, to: np.ndarray) -> np.ndarray:
    """(n,) bool: the directory is one of its own ancestors; walks up level by level."""
    loops = np.zeros(len(to), bool)
    starts = np.cumsum([0, *(len(level.repo) for level in held)])
    at = above
    for depth in range(len(held) - 1, -1, -1):
        loops |= held[depth].directory[at] == to
        if depth:
            at = held[depth].parent[at] - starts[depth - 1]
    return loops


def files_of(tree: Tree, places: Places, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """(place, file row) of every file, in the order of the places. Repositories with more than `max_files` end early, counted, as are long paths."""
    degree = tree.files.lengths[places.directory]
    total = np.bincount(places.repo, weights=degree) if len(places.repo) else np.zeros(0)
    if len(total) and (total > bounds.max_files).any():
        before = _running(degree, places.repo)
        kept = np.clip(bounds.max_files - before, 0, degree)
        places.cut["too_many_paths"] += int((degree - kept).sum())
        degree = kept
    place = np.repeat(np.arange(len(places.repo)), degree)
    rows = tree.files.values[ranges(tree.files.starts[places.directory], degree)].astype(np.int64)
    name_bytes = pc.binary_length(tree.file_names).to_numpy(zero_copy_only=False)
    long = places.length[place] + name_bytes[rows] > bounds.max_path
    if long.any():
        places.cut["path_too_long"] += int(long.sum())
        place, rows = place[~long], rows[~long]
    return place, rows


def _running(degree: np.ndarray, repo: np.ndarray) -> np.ndarray:
    """For each place, the files that earlier places of the same repository hold."""
    order = np.argsort(repo, kind="stable")
    summed = np.cumsum(degree[order]) - degree[order]
    sorted_repo = repo[order]
    fresh = np.r_[True, sorted_repo[1:] != sorted_repo[:-1]]
    base = np.maximum.accumulate(np.where(fresh, summed, 0))
    out = np.empty(len(degree), np.int64)
    out[order] = summed - base
    return out


def folders(tree: Tree, places: Places) -> pa.Array:
    """The path of every place, large_binary: names with a slash behind each, nothing decoded; of a root nothing."""
    before = pa.array([b""] * (places.levels[0] if places.levels else 0), pa.large_binary())
    found, start = [before], 0
    for level, end in zip(places.levels, places.levels[1:], strict=False):
        names = tree.dir_names.take(pa.array(places.entry[level:end]))
        above = before.take(pa.array(places.parent[level:end] - start))
        before = pc.binary_join_element_wise(above, names, _SLASH, _NOTHING)
        found.append(before)
        start = level
    return pa.concat_arrays(found)


def paths(folders: pa.Array, folder: np.ndarray, names: pa.Array, row: np.ndarray) -> pa.Array:
    """The bytes of files' paths, large_binary."""
    return pc.binary_join_element_wise(folders.take(pa.array(folder)), names.take(pa.array(row)), _NOTHING)


_SLASH, _NOTHING = pa.scalar(b"/", pa.large_binary()), pa.scalar(b"", pa.large_binary())
