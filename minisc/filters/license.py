"""Keeps documents whose license lets everybody use them: permissive ones, and (a setting) those without any.

In: what the source put into `license` (SPDX, a trove classifier, free text) and the document's own first lines, where an
`SPDX-License-Identifier:` wins for that file. Out: `license` as a canonical SPDX expression with its evidence, and
`non_permissive` or `no_license` as reasons; the copyright lines of the document's head as the note `copyright` of what is kept, from
which the curated corpus's `attribution.parquet` is made. So the filter stands before `pii`, which replaces the names in the texts.
The classes are those of The Stack v2 (arXiv 2402.19173, section 2.1): permissive is the Blue Oak Council's list and public
domain; expressions are read as logic, so `MIT OR GPL-2.0-only` passes and `MIT AND GPL-2.0-only` does not, which The Stack v2
does not tell apart. What names a license that we do not understand counts as not permissive.
With `scancode`, a file that has no such header and whose head speaks of a license is shown to ScanCode (`text/scancode.py`), and what that
finds in the head wins for the file: the notice `… under the terms of the GNU General Public License` in a package that calls itself MIT.
Not for: opinions about a license's obligations. Texts of license files are read by the sources, which know what lies where.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.attribution import NOTE as COPYRIGHT
from minisc.core.document import JSON, Doc
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters.base import within
from minisc.text.copyright import copyright_lines
from minisc.text.licenses import NO_LICENSE, NON_PERMISSIVE, data_digest, header, license_class, normalise
from minisc.text.scancode import ScanCode
from minisc.text.scancode import version_of as scancode_version

KEEP_UNKNOWN, DROP_UNKNOWN = "keep", "drop"


@dataclass(frozen=True, kw_only=True)
class License(Stage):
    version: ClassVar[int] = 4
    reasons: ClassVar[tuple[str, ...]] = (NON_PERMISSIVE, NO_LICENSE)
    private: ClassVar[bool] = True

    allow: Sequence[str]
    unknown: str
    scancode: str | None = free()  # type: ignore[misc]  # identity() has its version
    scancode_seconds: float = free()  # type: ignore[misc]
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        if self.unknown not in (KEEP_UNKNOWN, DROP_UNKNOWN):
            where = f"filters.license.unknown={self.unknown}"
            raise UserError(
                "what to do with documents without a license is unclear",
                where=where,
                do=did_you_mean(self.unknown, (KEEP_UNKNOWN, DROP_UNKNOWN)),
            )
        for name in self.allow:
            if " " in name.strip() or (normalise(name) is None and not name.startswith("LicenseRef-")):
                raise UserError(
                    f"{name!r} is not an SPDX license id", where="filters.license.allow", do="filters.license.allow=[MPL-2.0,CC-BY-4.0]"
                )
        within(self.scancode_seconds, 0.1, 3600, "filters.license.scancode_seconds")
        within(self.expected_drop, 0, 1, "filters.license.expected_drop")

    def identity(self) -> Mapping[str, str]:
        told = {"license-expression": importlib.metadata.version("license-expression"), "license data": data_digest()}
        return told | ({"scancode": scancode_version(self.scancode)} if self.scancode else {})

    @contextmanager
    def open(self, found: Path | None = None) -> Iterator[Judge]:
        with ScanCode(self.scancode, self.scancode_seconds) if self.scancode else nullcontext() as scancode:
            yield lambda docs: [self._verdict(doc, scancode) for doc in docs]

    def _verdict(self, doc: Doc, scancode: ScanCode | None) -> Verdict:
        expression, evidence = _found(doc, scancode)
        kind = license_class(expression, self.allow)
        drop = kind if kind == NON_PERMISSIVE or (kind == NO_LICENSE and self.unknown == DROP_UNKNOWN) else ""
        changed = expression != doc.license
        lines = [] if drop else copyright_lines(doc.text)
        if not (drop or changed or lines):
            return KEEP
        notes: dict[str, JSON] = {COPYRIGHT: [*lines]} if lines else {}
        return Verdict(drop=drop, notes=notes, license=expression if changed else None, license_evidence=evidence if changed else None)


def _found(doc: Doc, scancode: ScanCode | None) -> tuple[str | None, str | None]:
    """The document's license and where it was found; free text that says nothing or is not understood stays as it is."""
    if own := header(doc.text):
        return own, "header"
    if scancode and (noticed := scancode.identify(doc.text)):
        return noticed, "notice:scancode"
    if doc.license is None:
        return None, None
    return normalise(doc.license) or doc.license, doc.license_evidence or "metadata"
