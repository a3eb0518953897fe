"""One line of swallow-code-v2 to a row: which of its 34 columns go where, and what is believed of them.

    text                                    text (a language model's rewrite: `notes.derived`)
    content_id, blob_id, length_bytes       sha1_git, sha1, size of the original
    repo_name, revision_id, directory_id    repo, revision, directory
    path                                    path, without the slash that The Stack v2 puts before it
    detected_licenses, gha_license_id       license, with its evidence; license_type and score go into the notes
    star_events_count                       stars
    committer_date, revision_date           date, the first that can be read

The other columns (old versions of the text, the score's explanation, dates of GitHub events) are left out. A value of the wrong shape is
null, never an error; a line without a text is a row with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.source.fields import date, integer, object_of, sha1, stated, word
from minisc.source.files import TOO_LARGE, UNREADABLE, row_of
from minisc.source.license_files import Said
from minisc.text.decode import Decoded, as_text

DATASET = "tokyotech-llm/swallow-code-v2"

# Licenses of contributions and legal notices, which do not bear on whether a file may be used (The Stack v2, file_dataset).
HARMLESS = frozenset(
    f"LicenseRef-scancode-{name}"
    for name in (
        "dco-1.1", "generic-cla", "google-cla", "jetty-ccla-1.1", "newton-king-cla", "generic-exception", "generic-export-compliance",
        "generic-tos", "generic-trademark", "warranty-disclaimer",
    )
)  # fmt: skip
UNKNOWN_REFERENCE = "LicenseRef-scancode-unknown-license-reference"  # means nothing beside a license that is known


_DATE_COLUMNS = ("committer_date", "revision_date")


def row_of_line(line: bytes | None, offset: int, line_bytes: int, shard: str) -> dict[str, Any]:
    """A row of `SCHEMA` for one line; what it was read from stands in `notes.shard` and `notes.offset`."""
    notes: dict[str, Any] = {"shard": shard, "offset": offset}
    found = object_of(line) if line is not None else {}
    text = found.get("text")
    if not isinstance(text, str):
        decoded = Decoded(None, reason=TOO_LARGE if line is None else UNREADABLE)
        place = f"{shard}:{offset}".encode()
        return row_of(decoded, source="swallow", repo=DATASET, path=place, size=line_bytes, revision=None, sha1_git=None, notes=notes)
    license_, evidence = _license(found)
    size = integer(found.get("length_bytes"))
    score, license_type = found.get("score"), word(found.get("license_type"))
    notes |= (
        {"derived": "llm_rewrite"}
        | ({"score": score} if isinstance(score, int) else {})
        | ({"license_type": license_type} if license_type else {})
    )
    return row_of(
        as_text(text), source="swallow", repo=word(found.get("repo_name")) or DATASET, revision=sha1(found.get("revision_id")),
        path=(word(found.get("path")) or f"{shard}:{offset}").lstrip("/").encode("utf-8", "surrogatepass"), sha1_git=sha1(found.get("content_id")), sha1=sha1(found.get("blob_id")),
        size=len(text.encode("utf-8", "replace")) if size is None else size, directory=sha1(found.get("directory_id")), license=license_, license_evidence=evidence,
        stars=integer(found.get("star_events_count")), date=next((day for column in _DATE_COLUMNS if (day := date(found.get(column)))), None), notes=notes,
    )  # fmt: skip


def _license(found: Mapping[str, Any]) -> Said:
    """What was detected above the file, all together; else what GitHub says of the repository."""
    detected = found.get("detected_licenses")
    ids = [one for item in detected if (one := word(item)) and one not in HARMLESS] if isinstance(detected, list) else []
    ids = [one for one in ids if one != UNKNOWN_REFERENCE] or ids
    return stated(ids, "swallow:detected_licenses") if ids else stated(word(found.get("gha_license_id")), "swallow:gha_license_id")
