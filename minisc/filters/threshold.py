"""Drops by a number that an earlier stage has noted: below `min` or above `max`, whichever filter or source wrote the note.

In: documents with notes, and `limits`: {note: {min, max}}, either of them null. A note of several numbers is reached into:
`limits.pii.email.max` is the count of e-mail addresses in the note `pii`. Out: the reasons `<note>_below`, `<note>_above`; `<note>_null` where
the one who wrote it could not say (ruff gives no score to what it does not parse); and what was compared as the note `threshold`.
Scores come from filters that only note (`lint_score`, `learned_score`), so that one scored corpus can be cut at several limits without scoring
it again: `steps=[curate] inputs.documents=<it> filters=[threshold]`.
Guarantees: min <= number <= max stays; a document without the note is an error that names it, unless `absent` says otherwise, since a
limit on a note that nobody writes would let everything pass. Not for malware: that filter has a threshold of its own, since no sample of
what it drops may be kept; a limit on its note keeps none either.
Rejected: a threshold in each filter that scores (two ways to say one thing), the name of one note (a list holds each filter once).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core.document import Doc
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters.base import within

ABSENT = ("error", "keep", "drop")
_WHERE = "filters.threshold.limits"
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Limit:
    path: tuple[str, ...]  # the note's name, then keys inside it
    low: float | None
    high: float | None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, kw_only=True)
class Threshold(Stage):
    """Raises UserError for limits that make no sense; when it is asked what it does, if there is none."""

    version: ClassVar[int] = 1

    limits: Mapping[str, Any]
    absent: str
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.expected_drop, 0, 1, "filters.threshold.expected_drop")
        if self.absent not in ABSENT:
            raise UserError(
                "a document without the note is an error, or it is kept or dropped",
                where=f"filters.threshold.absent={self.absent}",
                do=f"filters.threshold.absent={'|'.join(ABSENT)}",
            )
        self._limits()

    @property
    def reasons(self) -> tuple[str, ...]:  # type: ignore[override]  # they follow from the limits
        return tuple(f"{limit.name}_{how}" for limit in self._limits() for how in ("below", "above", "null", "absent"))

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(dict.fromkeys(limit.path[0] for limit in self._limits()))

    @property
    def private(self) -> bool:  # type: ignore[override]
        return "malware_score" in self.reads

    def _limits(self) -> list[Limit]:
        return list(_limits_in(self.limits, ()))

    def identity(self) -> Mapping[str, str]:
        if not self._limits():
            raise UserError("no limit is set", where=_WHERE, do=f"{_WHERE}.lint_score.min=7")
        return {}

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        limits = self._limits()
        return nullcontext(lambda docs: [self._verdict(doc, limits) for doc in docs])

    def _verdict(self, doc: Doc, limits: Sequence[Limit]) -> Verdict:
        for limit in limits:
            number = self._number(doc, limit)
            how = self._outside(doc, limit, number)
            if how:
                told = {"note": limit.name, "value": None if number is _MISSING else number, "min": limit.low, "max": limit.high}
                return Verdict(drop=f"{limit.name}_{how}", notes={"threshold": told})
        return KEEP

    def _number(self, doc: Doc, limit: Limit) -> Any:
        told = doc.notes.get(limit.path[0])
        value: Any = _MISSING if told is None else json.loads(told)
        for key in limit.path[1:]:
            value = value.get(key, _MISSING) if isinstance(value, dict) else _MISSING
        return value

    def _outside(self, doc: Doc, limit: Limit, number: Any) -> str:
        if number is _MISSING:
            if self.absent == "error":
                raise UserError(
                    f"a document has no note {limit.name!r}: no filter before `threshold` wrote it, nor did the source ({doc.repo}:{doc.path_text})",
                    where=f"{_WHERE}.{limit.name}",
                    do="put the filter that writes it before: filters=[…,lint_score,threshold]; or, if not all have one, filters.threshold.absent=keep",
                )
            return "absent" if self.absent == "drop" else ""
        if number is None or number != number:
            return "null"
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadInput(
                f"the note {limit.name!r} is no number but {json.dumps(number)[:60]} ({doc.repo}:{doc.path_text})",
                where=f"{_WHERE}.{limit.name}",
                do=f"a number inside it: {_WHERE}.{limit.name}.<key>.max=…" if isinstance(number, dict) else "another note",
            )
        if limit.low is not None and number < limit.low:
            return "below"
        return "above" if limit.high is not None and number > limit.high else ""


def _limits_in(node: Any, path: tuple[str, ...]) -> Iterator[Limit]:
    """The limits of a mapping, as deep as it goes; those with neither number are left out."""
    where = ".".join((_WHERE, *path))
    if not isinstance(node, Mapping):
        raise UserError("a limit has a min, a max or both", where=f"{where}={node}", do=f"{where}.min=<number>")
    if not path or not node.keys() <= {"min", "max"}:
        for key, value in node.items():
            yield from _limits_in(value, (*path, str(key)))
        return
    low, high = node.get("min"), node.get("max")
    for key, value in (("min", low), ("max", high)):
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise UserError("a limit is a number or null", where=f"{where}.{key}={value}", do=f"{where}.{key}=7")
    if low is not None and high is not None and low > high:
        raise UserError("nothing lies between these limits", where=f"{where}.min={low} max={high}", do=f"{where}.max={low}")
    if low is not None or high is not None:
        yield Limit(path, low, high)
