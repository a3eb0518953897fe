"""Parts of the work: some repositories with the piece of the graph that they reach, complete in itself.

In: a graph, the chosen repositories. Out: `Part`s, picklable, cut by the data alone: about `PART_BYTES` of text each, a large
repository over several. A part needs nothing but itself to be turned into rows, in any process and on any machine.
`paths_of` gives the files of one in the order of their rows: repository by repository, by path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.swh_graph.choose import Chosen
from minisc.source.swh_graph.expand import Bounds, Places, Tree, expand, files_of, folders, paths
from minisc.source.swh_graph.graph import FOUND, Graph, Lists
from minisc.source.swh_graph.ids import ABSENT, distinct, keys_of

SYMLINK, FORMAT = 0o120000, 0o170000


@dataclass(frozen=True)
class Files:
    """What is known of each file row of a part."""

    perms: np.ndarray
    targets: np.ndarray
    sha1: np.ndarray
    size: np.ndarray
    state: np.ndarray


@dataclass(frozen=True)
class Order:
    """Files in the order of their rows: by repository, path, content."""

    repo: np.ndarray
    folders: pa.Array  # paths, large_binary, each with its closing slash
    folder: np.ndarray  # of each file, among `folders`
    row: np.ndarray  # of each file, among the part's
    again: np.ndarray  # (n,) bool: a second entry of the path before it
    twin: np.ndarray  # (n,) bool: it has the path of its neighbour on either side

    def slice(self, first: int, last: int) -> Order:
        own = slice(first, last)
        used, folder = _counted_from_0(self.folder[own])
        return Order(self.repo[own], self.folders.take(used), folder, self.row[own], self.again[own], self.twin[own])


@dataclass(frozen=True)
class Part:
    repos: tuple[Chosen, ...]
    roots: np.ndarray  # directory of each repository
    tree: Tree
    files: Files
    order: Order | None  # of a single large repository: these of its files only; else all, put in order where the rows are made


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What makes a file's row be kept."""

    bounds: Bounds
    keep: tuple[str, ...]  # globs of names
    license_files: bool
    max_bytes: int


def tree_of(graph: Graph) -> Tree:
    return Tree(graph.dirs, graph.to, graph.dir_entries.names, graph.files, graph.file_entries.names)


def cut(graph: Graph, repos: Sequence[Chosen], roots: np.ndarray, rules: Rules, part_bytes: int) -> Iterator[Part]:
    """Parts in the order of the repositories. `roots`: directory of each repository in the graph."""
    sizes = repo_sizes(graph, roots, rules)
    start, held = 0, 0
    for at in range(len(repos)):
        if at > start and held + sizes[at] > part_bytes:
            yield from _parts(graph, repos[start:at], roots[start:at], rules, part_bytes, held)
            start, held = at, 0
        held += int(sizes[at])
    if start < len(repos):
        yield from _parts(graph, repos[start:], roots[start:], rules, part_bytes, held)


GROUP = 256  # repositories that are expanded at a time: bounds memory


def repo_sizes(graph: Graph, roots: np.ndarray, rules: Rules) -> np.ndarray:
    """(repositories,) bytes of files that would be downloaded, without building a path."""
    useful = np.where(_usable(graph.file_entries.perms, graph.state, graph.size, rules), np.maximum(graph.size, 0), 0)
    sizes = [
        np.bincount(places.repo[place], weights=useful[rows], minlength=group)
        for group, places, place, rows in _groups(graph, roots, rules)
    ]
    return np.concatenate([np.zeros(0), *sizes]).astype(np.int64)


def tally(graph: Graph, roots: np.ndarray, rules: Rules) -> Counter[str]:
    """What all repositories hold together, counted before a path is built: files, wanted documents, their bytes, what was cut."""
    counts: Counter[str] = Counter()
    usable = _usable(graph.file_entries.perms, graph.state, graph.size, rules)
    for _, places, _, rows in _groups(graph, roots, rules):
        counts += places.cut
        counts["places"] += len(places.repo)
        counts["files"] += int(graph.all_files[places.directory].sum())
        counts["submodules"] += int(graph.submodules[places.directory].sum())
        counts["files_wanted"] += len(rows)
        counts["documents"] += int(usable[rows].sum())
        counts["bytes"] += int(graph.size[rows][usable[rows]].sum())
    counts["files_not_wanted"] = counts["files"] - counts["files_wanted"]
    return counts


def _groups(graph: Graph, roots: np.ndarray, rules: Rules) -> Iterator[tuple[int, Places, np.ndarray, np.ndarray]]:
    tree = tree_of(graph)
    for start in range(0, len(roots), GROUP):
        own = roots[start : start + GROUP]
        places = expand(tree, own, rules.bounds)
        yield len(own), places, *files_of(tree, places, rules.bounds)


def _parts(graph: Graph, repos: Sequence[Chosen], roots: np.ndarray, rules: Rules, part_bytes: int, held: int) -> Iterator[Part]:
    part = _part(graph, tuple(repos), roots, rules)
    if held <= part_bytes:
        yield part
        return
    assert len(repos) == 1
    order, _ = _ordered(part, rules)
    size = part.files.size[order.row]
    useful = np.where(_usable(part.files.perms, part.files.state, part.files.size, rules)[order.row], np.maximum(size, 0), 0)
    number = np.cumsum(useful) // part_bytes
    ends = [*np.flatnonzero(number[1:] != number[:-1]) + 1, len(number)]
    for first, last in zip([0, *ends[:-1]], ends, strict=True):
        yield replace(part, order=order.slice(int(first), int(last)))


def _part(graph: Graph, repos: tuple[Chosen, ...], roots: np.ndarray, rules: Rules) -> Part:
    """The directories that these repositories reach, renumbered."""
    seen = np.zeros(len(graph.ids), bool)
    frontier = distinct(roots[roots != ABSENT])
    while len(frontier):
        seen[frontier] = True
        below = graph.to[graph.dirs.of_rows(frontier).astype(np.int64)]
        fresh = distinct(below[below != ABSENT])
        frontier = fresh[~seen[fresh]]
    inside = np.flatnonzero(seen)
    local = np.full(len(graph.ids) + 1, ABSENT, np.int64)  # the last one is where ABSENT points
    local[inside] = np.arange(len(inside))
    dirs, dir_rows = _renumbered(graph.dirs, inside)
    files, file_rows = _renumbered(graph.files, inside)
    tree = Tree(dirs, local[graph.to[dir_rows]], graph.dir_entries.names.take(dir_rows), files, graph.file_entries.names.take(file_rows))
    known = Files(
        graph.file_entries.perms[file_rows],
        graph.file_entries.targets[file_rows],
        graph.sha1[file_rows],
        graph.size[file_rows],
        graph.state[file_rows],
    )
    return Part(repos, local[roots], tree, known, None)


def _renumbered(lists: Lists, rows: np.ndarray) -> tuple[Lists, np.ndarray]:
    """The lists of these rows, their values counted from 0, and the old values."""
    old, new = _counted_from_0(lists.of_rows(rows))
    return Lists.of(lists.lengths[rows], new), old


def _counted_from_0(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct row numbers, ascending, and each value's place among them."""
    old = distinct(values)
    new = np.empty(int(old[-1]) + 1 if len(old) else 0, np.int32)
    new[old] = np.arange(len(old))
    return old, new[values]


def paths_of(part: Part, rules: Rules) -> tuple[Order, pa.Array]:
    """The files of a part in the order of their rows, and the bytes of their paths."""
    if part.order is None:
        return _ordered(part, rules)
    return part.order, paths(part.order.folders, part.order.folder, part.tree.file_names, part.order.row)


def _ordered(part: Part, rules: Rules) -> tuple[Order, pa.Array]:
    """All files of the repositories, put in order."""
    places = expand(part.tree, part.roots, rules.bounds)
    place, row = files_of(part.tree, places, rules.bounds)
    above, repo = folders(part.tree, places), places.repo[place]
    found = paths(above, place, part.tree.file_names, row)
    table = pa.table({"repo": repo, "path": found, "tie": keys_of(part.files.targets[row])})
    order = pc.sort_indices(table, [("repo", "ascending"), ("path", "ascending"), ("tie", "ascending")])
    found = found.take(order)
    place, row, repo = (column[order.to_numpy()] for column in (place, row, repo))
    again = np.zeros(len(row) + 1, bool)
    if len(row) > 1:
        again[1:-1] = (repo[1:] == repo[:-1]) & pc.equal(found[1:], found[:-1]).to_numpy(zero_copy_only=False)
    return Order(repo, above, place, row, again[:-1], again[:-1] | again[1:]), found


def _usable(perms: np.ndarray, state: np.ndarray, size: np.ndarray, rules: Rules) -> np.ndarray:
    return ((perms & FORMAT) != SYMLINK) & (state == FOUND) & (size > 0) & (size <= rules.max_bytes)
