"""Scores as people read them: value, interval, of how many, and how much of it the model may have seen; the same for every page.

In: what an evaluation wrote (`scores.json`: evaluation -> {about, figures, tables}). Out: an `Entry` for each figure that has an interval. The
terminal, the report and the model card show these, so that none of them shows a score without what stands beside it.
The rule is one of names: `x_low` and `x_high` are the interval of `x`, or `x_error` its standard error; of an evaluation `e` the items are
`e_items`, those that stand in the training data `e_items_seen`, and the score on the others `x_unseen`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Z = 1.959963984540054  # normal quantile of 0.975: standard errors, each way, of an interval of 95 %
HEAD = ("score", ">value", "95 % interval", ">of", "seen in training")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    figure: str
    value: float
    low: float
    high: float
    of: str  # "164 items"
    seen: str  # "3 of 164; without them 12.5 %"
    is_share: bool

    def row(self) -> list[str]:
        """The texts of `HEAD`'s columns."""
        return [
            self.figure.replace("_", " "),
            self.shown(self.value),
            f"{self.shown(self.low)} to {self.shown(self.high)}",
            self.of,
            self.seen,
        ]

    def shown(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.is_share else f"{value:.3f}"


def entries(scores: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
    return [entry for name, score in scores.items() for entry in _of(name, score.get("figures") or {})]


def rows(scores: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    return [entry.row() for entry in entries(scores)]


def _of(name: str, figures: Mapping[str, Any]) -> Iterator[Entry]:
    for figure in figures:
        value, low, high, error = (_number(figures.get(figure + end)) for end in ("", "_low", "_high", "_error"))
        if value is None:
            continue
        if low is not None and high is not None:
            yield Entry(
                figure=figure, value=value, low=low, high=high, of=_items(name, figure, figures), seen=_seen(name, figure, figures), is_share=True
            )  # fmt: skip
        elif error is not None:
            reach = Z * (_number(figures.get(f"{figure}_error_over_repos")) or error)
            yield Entry(
                figure=figure, value=value, low=value - reach, high=value + reach, of=_documents(figures), seen="held out", is_share=False
            )  # fmt: skip


def _documents(figures: Mapping[str, Any]) -> str:
    documents, repos = (_number(figures.get(f"{what}_scored")) for what in ("documents", "repos"))
    of = f", {repos:,} repos" if repos is not None else ""
    return "" if documents is None else f"{documents:,} files{of}"


def _items(name: str, figure: str, figures: Mapping[str, Any]) -> str:
    own = _nearest(figure, name, "_items", figures)
    return "" if own is None else f"{figures[own]:,} items"


def _seen(name: str, figure: str, figures: Mapping[str, Any]) -> str:
    key = _nearest(figure, name, "_items_seen", figures)
    if key is None:
        return "not checked" if _items(name, figure, figures) else ""
    whole, unseen = _number(figures.get(key.removesuffix("_seen"))), _number(figures.get(f"{figure}_unseen"))
    of = f" of {whole:,}" if whole is not None else ""
    return f"{figures[key]:,}{of}" + (f"; without them {100 * unseen:.1f} %" if figures[key] and unseen is not None else "")


def _nearest(figure: str, name: str, end: str, figures: Mapping[str, Any]) -> str | None:
    """The name of the count that tells of a figure: of its group of items where there is one, else of the evaluation."""
    words = figure.split("_")
    names = ["_".join(words[:size]) + end for size in range(len(words), len(name.split("_")) - 1, -1)]
    return next((key for key in names if _number(figures.get(key)) is not None), None)


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
