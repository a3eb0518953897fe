"""One record of a foreign data set to a row, by a map of columns: ours -> theirs.

A value of the wrong shape is null, never an error; a record without a text is a row with a reason. `sha1_git` and `sha1` are taken where
the set gives them: they name the original bytes, which a text in a data set need not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.source.fields import date, integer, sha1, stated, word
from minisc.source.files import TOO_LARGE, UNREADABLE, row_of
from minisc.text.decode import Decoded, as_text

KNOWN = ("text", "repo", "path", "license", "revision", "directory", "sha1_git", "sha1", "stars", "date")


def row_of_record(
    record: Mapping[str, Any] | None, size: int, place: str, dataset: str, columns: Mapping[str, str | None]
) -> dict[str, Any]:
    """A row of `SCHEMA`; None is a record that was too long to be read. `place` says where it stood, in the notes too."""

    def theirs(ours: str) -> Any:
        name = columns.get(ours)
        return None if record is None or not name else record.get(name)

    text, notes = theirs("text"), {"dataset": dataset, "place": place}
    if not isinstance(text, str):
        decoded = Decoded(None, reason=TOO_LARGE if record is None else UNREADABLE)
        return row_of(decoded, source="hub", repo=dataset, path=place.encode(), size=size, revision=None, sha1_git=None, notes=notes)
    license_, evidence = stated(theirs("license"), f"hub:{columns.get('license')}")
    return row_of(
        as_text(text), source="hub", repo=word(theirs("repo")) or dataset, revision=sha1(theirs("revision")),
        path=(word(theirs("path")) or place).lstrip("/").encode("utf-8", "surrogatepass"), sha1_git=sha1(theirs("sha1_git")), sha1=sha1(theirs("sha1")),
        size=len(text.encode("utf-8", "replace")), directory=sha1(theirs("directory")), license=license_, license_evidence=evidence,
        stars=integer(theirs("stars")), date=date(theirs("date")), notes=notes,
    )  # fmt: skip
