"""Personal data and secrets are replaced, hardly ever a reason to drop: names, e-mail and IP addresses, keys, passwords.

In: documents. Out: the same documents with each finding replaced (`text/sensitive/redaction.py` says by what), and counts in
the notes: `pii` by kind, `pii_spared` by the reason why a high-entropy string is none.
Guarantees: everything that detect-secrets finds with the plugins and filters of the option file is replaced or spared for a
named reason (an empty `spare` spares nothing); overlapping findings are replaced once; the same value looks alike within a
repository; in Python, nothing outside comments and string literals is taken for a mail, address or name; source that CPython
compiles still compiles, and where no replacement achieves that the document is dropped. A pure function of a document.
Price: above 8 MB/s on one core, where detect-secrets alone has 0.9. Not for: names in running text, which need a model
(StarPII: 800 A100 hours for 800 GB).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version as version_of
from pathlib import Path
from platform import python_version
from typing import Any, ClassVar

from minisc.core.document import JSON, Doc
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters.base import within
from minisc.text.literals import Literals, Places
from minisc.text.python_regions import Regions
from minisc.text.sensitive import credentials, harmless, names
from minisc.text.sensitive.addresses import EMAIL, IPV4, IPV6, addresses
from minisc.text.sensitive.anchors import plain
from minisc.text.sensitive.engine import Finding, SecretsEngine
from minisc.text.sensitive.redaction import redacted
from minisc.text.spans import Span, merge

RANKS = (credentials.PASSWORD, credentials.KEY, EMAIL, IPV6, IPV4, names.NAME)
# Every occurrence of a found secret in its document goes, quoted or not, if it is long enough not to be an ordinary word.
_EVERYWHERE = range(16, 512)
_TEST_PATH = re.compile(r"(?:^|[/_.-])(?:tests?|testing|vectors?|fixtures?|testdata)(?:[/_.-]|\d|$)")


@dataclass(frozen=True, kw_only=True)
class Pii(Stage):
    """Raises UserError for plugins, filters and reasons that do not exist."""

    version: ClassVar[int] = 3
    reasons: ClassVar[tuple[str, ...]] = ("unredactable",)
    private: ClassVar[bool] = True
    writes: ClassVar[tuple[str, ...]] = ("pii", "pii_spared")

    plugins: Mapping[str, Mapping[str, Any] | None]
    filters: Sequence[str]
    spare: Sequence[str]
    names: bool
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.expected_drop, 0, 1, "filters.pii.expected_drop")
        for reason in self.spare:
            if reason not in harmless.REASONS:
                raise UserError(
                    f"there is no reason {reason!r} to spare a finding",
                    where="filters.pii.spare",
                    do=did_you_mean(reason, harmless.REASONS),
                )
        self._engine()

    def identity(self) -> Mapping[str, str]:
        return {"detect-secrets": version_of("detect-secrets"), "python": python_version()}

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        judge = self.judge()
        return nullcontext(lambda docs: [judge(doc) for doc in docs])

    def judge(self) -> PiiJudge:
        """What judges one document."""
        return PiiJudge(self._engine(), frozenset(self.spare), self.names)

    def _engine(self) -> SecretsEngine:
        return _engine_of(json.dumps([{name: arguments or {} for name, arguments in self.plugins.items()}, list(self.filters)]))


@lru_cache(maxsize=4)
def _engine_of(plugins_and_filters: str) -> SecretsEngine:
    """The engine of some settings, as JSON: 20 ms to build, so once a process."""
    plugins, filters = json.loads(plugins_and_filters)
    return SecretsEngine(plugins, filters, "filters.pii")


class PiiJudge:
    """Findings, merged, and what becomes of them in one document."""

    def __init__(self, engine: SecretsEngine, spare: frozenset[str], with_names: bool) -> None:
        self._engine, self._spare, self._names = engine, spare, with_names
        self._literals = Literals([*engine.literals, *credentials.LITERALS, *(names.LITERALS if with_names else ())])

    def __call__(self, doc: Doc) -> Verdict:
        spans, spared, regions = self.spans(doc)
        notes: dict[str, JSON] = {"pii_spared": dict(sorted(spared.items()))} if spared else {}
        if not spans:
            return Verdict(notes=notes) if notes else KEEP
        result = redacted(doc.text, spans, doc.repo, regions)
        notes["pii"] = dict(sorted(Counter(_LABELS.get(span.kind, span.kind.lower()) for span in spans).items()))
        return Verdict(drop="unredactable") if result is None else Verdict(text=result, notes=notes)

    def spans(self, doc: Doc) -> tuple[list[Span], Counter[str], Regions | None]:
        """What is to be replaced, how many findings were spared by reason, and the source's regions where they had to be known."""
        text = doc.text
        simple = plain(text)
        places = self._literals.places(simple.lower())
        spared: Counter[str] = Counter()
        secrets = [*self._findings(doc, simple, places, spared), *credentials.credentials(text, places)]
        marked = [*addresses(text), *(names.names(text, places) if self._names else ())]
        regions = Regions(text) if (secrets or marked) and _is_python(doc) else None
        if regions:
            marked = [span for span in marked if regions.around(span.start, span.end)]
        return merge([*_everywhere(text, secrets, regions), *marked], RANKS), spared, regions

    def _findings(self, doc: Doc, simple: str, places: Places, spared: Counter[str]) -> Iterator[Span]:
        """What detect-secrets finds, without what is harmless for a reason that is on."""
        found = sorted(set(self._engine.find(doc.text, simple, places)), key=lambda finding: (finding.start, finding.end, finding.plugin))
        lengths = [len(value) for value in {doc.text[finding.start : finding.end] for finding in found}]
        in_test = bool(_TEST_PATH.search(doc.path_text.lower()))
        for finding in found:
            reason = self._reason(doc.text, finding, lengths, in_test)
            if reason:
                spared[reason] += 1
            else:
                yield Span(finding.start, finding.end, credentials.KEY)

    def _reason(self, text: str, finding: Finding, lengths: Sequence[int], in_test: bool) -> str:
        """Only the entropy plugins guess; what a plugin knows by its form is a secret, unless it only happens to have it."""
        if not finding.by_entropy:
            reason = harmless.form_to_spare(text, finding.start, finding.end)
            return reason if reason in self._spare else ""
        place = harmless.place_of(text, finding.start, finding.end, in_test)
        reason = harmless.reason_to_spare(text[finding.start : finding.end], place, lengths)
        return reason if reason in self._spare else ""


_LABELS = {IPV4: "ip", IPV6: "ip"}


def _is_python(doc: Doc) -> bool:
    """By its name; code without a suffix is taken for Python, the language of this project."""
    return doc.kind == "code" and (doc.path_text.endswith((".py", ".pyi", ".pyw")) or "." not in doc.path_text.rpartition("/")[2])


def _everywhere(text: str, spans: Sequence[Span], regions: Regions | None) -> Iterator[Span]:
    """The spans, and every further place where a long found value stands by itself, in Python as text."""
    yield from spans
    values = {(text[span.start : span.end], span.kind) for span in spans if span.end - span.start in _EVERYWHERE}
    kinds = dict(sorted(values))
    for value, places in (Literals(kinds).places(text) if kinds else {}).items():
        for at in places:
            end = at + len(value)
            if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()) and (regions is None or regions.around(at, end)):
                yield Span(at, end, kinds[value])
