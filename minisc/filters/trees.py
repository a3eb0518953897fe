"""Which file trees are copies of which repositories: overlaps of sets of contents, counted without comparing all with all.

In: for each document its repository, its folder and a hash of its content. Out: `Copy`s: a tree (a repository, or one of its folders
down to a depth), the other repository that holds its contents, and the documents of the tree with their twins there.
How: each content names the `HOLDERS` best repositories that hold it, each tree counts how often each of them is named; so the work
grows with the number of documents and not with its square, and a library that lies in 10,000 repositories is compared with 16.
Memory: about 100 bytes a document for the arrays, and one block of repositories at a time for the counting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from minisc.filters.base import Mask, Rows

HOLDERS = 16  # repositories that a content may be traced to: the best by license, stars, date
BLOCK_ROWS = 1_000_000  # documents whose trees are counted at once; changes memory, never a result


@dataclass(frozen=True, slots=True)
class Copy:
    """A tree whose contents another repository holds: its `rows` fall, each for its `twin` there."""

    repo: int
    tree: str  # '' for the whole repository
    of: int
    overlap: float  # share of the tree's contents that `of` holds
    rows: Rows
    twins: Rows


@dataclass(frozen=True, slots=True)
class _Candidate:
    repo: int
    tree: str
    of: int
    shared: int
    size: int


@dataclass(frozen=True)
class Forest:
    """All documents as arrays, sorted by (repository, content). Repositories are numbered by their names' order, contents by any."""

    repo: Rows
    content: Rows
    folder: Rows  # index into `folders`
    counts: Mask  # documents that are large enough to tell one tree from another
    folders: Sequence[str]  # 'a/b', '' at the top
    best: Rows  # of each repository its place among those to keep rather
    license_rank: Rows  # of each repository
    depth: int
    min_files: int
    threshold: float

    @cached_property
    def _starts(self) -> Rows:
        """Where the documents of each repository begin, and the end."""
        return np.searchsorted(self.repo, np.arange(len(self.best) + 1))

    def rows_of(self, repo: int) -> Rows:
        return np.arange(self._starts[repo], self._starts[repo + 1])

    def copies(self) -> Iterator[Copy]:
        """What falls, in a fixed order; a document falls for one that is kept and from then on stays."""
        candidates: list[_Candidate] = []
        whole = np.zeros(len(self.best), np.int64)
        for first, last in self._blocks():
            candidates += self._candidates(first, last, whole)
        chosen = [one for one in candidates if self._falls(one, whole)]
        chosen.sort(key=lambda one: (self.best[one.of], one.tree.count("/") + bool(one.tree), self.best[one.repo], one.tree))
        fallen, pinned = np.zeros(len(self.repo), bool), np.zeros(len(self.repo), bool)
        for candidate in chosen:
            copy = self._copy(candidate, fallen, pinned)
            if copy is not None:
                fallen[copy.rows] = True
                pinned[copy.twins] = True
                yield copy

    def _falls(self, one: _Candidate, whole: Rows) -> bool:
        """The better license stays; then what is most of its repository, since a library at home is no vendored copy; then the better repository."""
        if self.license_rank[one.repo] != self.license_rank[one.of]:
            return bool(self.license_rank[one.of] < self.license_rank[one.repo])
        here, there = (one.shared >= self.threshold * whole[repo] for repo in (one.repo, one.of))
        return bool(there) if here != there else bool(self.best[one.of] < self.best[one.repo])

    def _copy(self, one: _Candidate, fallen: Mask, pinned: Mask) -> Copy | None:
        rows = self._tree(one)
        if fallen[rows].all():
            return None
        there = self.rows_of(one.of)
        there = there[~fallen[there]]
        if not len(there):
            return None
        at = np.searchsorted(self.content[there], self.content[rows])
        found = self.content[there[np.minimum(at, len(there) - 1)]] == self.content[rows]
        shared = len(np.unique(self.content[rows[found & self.counts[rows]]]))
        falls = found & ~fallen[rows] & ~pinned[rows]
        if shared < self.threshold * one.size or not falls.any():
            return None
        return Copy(one.repo, one.tree, one.of, shared / one.size, rows[falls], there[at[falls]])

    def _tree(self, one: _Candidate) -> Rows:
        rows = self.rows_of(one.repo)
        if not one.tree:
            return rows
        own = [code for code in np.unique(self.folder[rows]).tolist() if f"{self.folders[code]}/".startswith(f"{one.tree}/")]
        return rows[np.isin(self.folder[rows], own)]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Runs of whole repositories."""
        first = 0
        for repo in range(len(self.best)):
            if self._starts[repo + 1] - self._starts[first] > BLOCK_ROWS and repo > first:
                yield first, repo
                first = repo
        if first < len(self.best):
            yield first, len(self.best)

    def _candidates(self, first: int, last: int, whole: Rows) -> Iterator[_Candidate]:
        """The trees of repositories first..last-1 that some repository holds; writes the size of each repository into `whole`."""
        rows = np.arange(self._starts[first], self._starts[last])
        rows = rows[self.counts[rows]]
        if not len(rows):
            return
        places, place = np.unique(self.repo[rows] * len(self.folders) + self.folder[rows], return_inverse=True)
        trees, flat, lengths = self._trees_of(places)
        owner, tree = _gathered(place, flat, lengths)
        contents = len(self._holders[1])
        tree, content = np.divmod(np.unique(tree * np.int64(contents) + self.content[rows[owner]]), contents)
        size = np.bincount(tree, minlength=len(trees))
        for at in (at for at, (_, name) in enumerate(trees) if not name):
            whole[trees[at][0]] = size[at]
        large = size[tree] >= self.min_files
        yield from self._held(trees, size, tree[large], content[large])

    def _held(self, trees: Sequence[tuple[int, str]], size: Rows, tree: Rows, content: Rows) -> Iterator[_Candidate]:
        repos, lengths = self._holders
        owner, holder = _gathered(content, repos, lengths)
        tree = tree[owner]
        home = np.array([repo for repo, _ in trees], np.int64)
        away = home[tree] != holder
        pairs, shared = np.unique(tree[away] * np.int64(len(self.best)) + holder[away], return_counts=True)
        enough = shared >= self.threshold * size[pairs // len(self.best)]
        for pair, count in zip(pairs[enough].tolist(), shared[enough].tolist(), strict=True):
            at, of = divmod(pair, len(self.best))
            repo, name = trees[at]
            yield _Candidate(repo, name, of, count, int(size[at]))

    def _trees_of(self, places: Rows) -> tuple[list[tuple[int, str]], Rows, Rows]:
        """(repository, folder) of each tree, and for each place the trees that it lies in: flat, with their number a place."""
        known: dict[tuple[int, str], int] = {}
        flat: list[int] = []
        lengths: list[int] = []
        for place in places.tolist():
            repo, folder = divmod(place, len(self.folders))
            names = self.folders[folder].split("/") if self.folders[folder] else []
            above = ["/".join(names[:level]) for level in range(min(len(names), self.depth) + 1)]
            flat += [known.setdefault((repo, name), len(known)) for name in above]
            lengths.append(len(above))
        return list(known), np.array(flat, np.int64), np.array(lengths, np.int64)

    @cached_property
    def _holders(self) -> tuple[Rows, Rows]:
        """For each content the repositories that it may be traced to, best first, flat; and their number, 0 where only one has it."""
        contents = int(self.content.max()) + 1 if len(self.content) else 0
        key = np.unique(self.content[self.counts] * np.int64(len(self.best)) + self.repo[self.counts])
        content, repo = np.divmod(key, max(1, len(self.best)))
        order = np.lexsort((self.best[repo], content))
        content, repo = content[order], repo[order]
        number = np.bincount(content, minlength=contents)
        place = np.arange(len(content)) - (np.cumsum(number) - number)[content]
        kept = (place < HOLDERS) & (number[content] > 1)
        return repo[kept], np.where(number > 1, np.minimum(number, HOLDERS), 0)


def _gathered(which: Rows, flat: Rows, lengths: Rows) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Of a ragged array (flat, with lengths) the runs `which`, one after the other: (index into `which`, value)."""
    number = lengths[which]
    owner = np.repeat(np.arange(len(which)), number)
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
    return owner, flat[starts[which][owner] + inside]
