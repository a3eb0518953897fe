"""Two models on the same questions: how far they are apart, and how sure that is.

In: the scores of two evaluations as they were written (`scores.json`). Out: a `Difference`, second less first, for each score that both
have, over the documents or items that both judged. What is hard is hard for both, so a paired difference is far surer than two intervals
beside each other.

    bits per byte   sum(bits of the second - bits of the first) / sum(bytes) over the documents with the same uid and size; its standard error
                    is the delete-one jackknife over repositories (over documents, where there is one repository)
    pass@k, exact   the mean over items of the gain in the item's own estimate; the interval is Bonett and Price's (2012) for paired shares,
                    Wald's after adding an item won and an item lost, so that two zeros are no certainty that nothing differs

Rejected: a bootstrap, which needs a seed and says of 0 against 0 that it is certain.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minisc.core.scoreboard import Z
from minisc.evals.jackknife import jackknife
from minisc.evals.pass_at_k import difference, pass_at_k

LESS_IS_BETTER = ("bits_per_byte",)
_PASS = re.compile(r"(?P<group>\w+)_pass_at_(?P<k>\d+)")
_EXACT = re.compile(r"(?P<group>\w+)_exact_match")
Scores = Mapping[str, Mapping[str, Any]]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Second less first. `common`: what both judged; `first_of` and `second_of`: what each did."""

    figure: str
    value: float
    low: float
    high: float
    common: int
    first_of: int
    second_of: int
    unit: str  # "items" or "files"
    is_share: bool

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval holds no zero."""
        if self.low <= 0 <= self.high:
            return "not told apart"
        return "better" if (self.value > 0) is not (self.figure in LESS_IS_BETTER) else "worse"

    def shown(self) -> list[str]:
        """The difference, its interval, over how many, and what that means, as texts."""
        form = (lambda value: f"{100 * value:+.1f}") if self.is_share else (lambda value: f"{value:+.3f}")
        most = max(self.first_of, self.second_of)
        over = f"{self.common:,} {self.unit}" if self.common == most else f"{self.common:,} of {most:,} {self.unit}"
        return [form(self.value) + (" points" if self.is_share else ""), f"{form(self.low)} to {form(self.high)}", over, self.verdict]


def differences(first: Scores, second: Scores) -> list[Difference]:
    """Of every score that both have and that two or more common documents or items tell of, in the first one's order."""
    return [one for name in first if name in second for one in _of(name, first[name], second[name])]


def _of(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    figures = [figure for figure in first["figures"] if figure in second["figures"]]
    if "bits_per_byte" in figures and name == "bits_per_byte":
        yield from _bits(first["tables"].get("documents", ()), second["tables"].get("documents", ()))
    items = [{str(row["item"]): row for row in told["tables"].get("items", ())} for told in (first, second)]
    for figure in figures:
        if found := _PASS.fullmatch(figure):
            yield from _items(figure, found["group"], name, items, _estimate(int(found["k"])))
        elif found := _EXACT.fullmatch(figure):
            yield from _items(figure, found["group"], name, items, _exact)


def _bits(first: Sequence[Row], second: Sequence[Row]) -> Iterator[Difference]:
    then = {(row["uid"], row["bytes"]): row for row in first}
    pairs = [(then[key], row) for row in second if (key := (row["uid"], row["bytes"])) in then]
    rows = [{**now, "bits": now["bits"] - before["bits"]} for before, now in pairs]
    size = sum(row["bytes"] for row in rows)
    if len(rows) < 2 or not size:
        return
    value = math.fsum(row["bits"] for row in rows) / size
    reach = Z * jackknife(rows, "repo" if len({row["repo"] for row in rows}) > 1 else "uid")
    yield Difference(
        figure="bits_per_byte", value=value, low=value - reach, high=value + reach, common=len(rows), first_of=len(first), second_of=len(second),
        unit="files", is_share=False,
    )  # fmt: skip


def _items(
    figure: str, group: str, name: str, items: Sequence[Mapping[str, Row]], of: Callable[[Row], float | None]
) -> Iterator[Difference]:
    """`group` is the evaluation's name, or that and a group of its items (infilling_single_line)."""
    own = group.removeprefix(name).lstrip("_")
    told = [{item: of(row) for item, row in rows.items() if not own or row.get("group") == own} for rows in items]
    pairs = [(before, now) for item, before in told[0].items() if before is not None and (now := told[1].get(item)) is not None]
    if len(pairs) < 2:
        return
    value, low, high = difference([before for before, _ in pairs], [now for _, now in pairs])
    yield Difference(
        figure=figure, value=value, low=low, high=high, common=len(pairs), first_of=len(told[0]), second_of=len(told[1]), unit="items", is_share=True,
    )  # fmt: skip


def _estimate(k: int) -> Callable[[Row], float | None]:
    return lambda row: pass_at_k(row["samples"], row["passed"], k) if row["samples"] >= k >= 1 else None


def _exact(row: Row) -> float | None:
    return row["exact"] / row["samples"] if "exact" in row else None
