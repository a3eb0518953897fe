"""How much of each item a model may have read in training: a number beside each score, not a filter.

In: the text of each item (prompt and reference solution) and the training documents. Out: for each item the largest
share of its characters that stands in lines which one training document holds too. Lines are compared without their
outer white space, and only those of `LINE` characters or more count: shorter ones (`return result`) are everybody's.
Price: one pass over the documents at the speed of splitting lines, memory for the items only.
Not found: a solution that was renamed or reformatted. What removes copies from the corpus is the filter `decontaminate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from minisc.core.document import Doc

LINE = 20  # characters
SEEN = 0.5  # share from which an item counts as seen


@dataclass(frozen=True, slots=True)
class Overlap:
    """`share` of the item in lines of the document `uid`; '' where no document shares a line."""

    share: float = 0.0
    uid: str = ""


def overlaps(items: Mapping[str, str], documents: Iterable[Doc]) -> dict[str, Overlap]:
    """The most overlapping document of each item; of equals the first in the order of the documents."""
    lines = {name: set(_lines(text)) for name, text in items.items()}
    holders: dict[str, list[str]] = {}
    for name, own in lines.items():
        for line in own:
            holders.setdefault(line, []).append(name)
    best = {name: Overlap() for name in items}
    wanted = holders.keys()
    for doc in documents:
        shared = wanted & set(map(str.strip, doc.text.splitlines()))
        found: dict[str, int] = {}
        for line in shared:
            for name in holders[line]:
                found[name] = found.get(name, 0) + len(line)
        for name, size in found.items():
            share = size / sum(map(len, lines[name]))
            if share > best[name].share:
                best[name] = Overlap(share, doc.uid)
    return best


def _lines(text: str) -> Iterable[str]:
    return (line for line in map(str.strip, text.splitlines()) if len(line) >= LINE)
