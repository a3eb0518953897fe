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

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from minisc.source.files import TOO_LARGE, UNREADABLE, row_of
from minisc.source.license_files import Said, all_of
from minisc.text.decode import Decoded, as_text
from minisc.text.licenses import normalise

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


def object_of(line: bytes) -> dict[str, Any]:
    """A line's JSON object; {} for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no JSON, no UTF-8, a number of 5,000 digits
        return {}
    return found if isinstance(found, dict) else {}


_DATE_COLUMNS = ("committer_date", "revision_date")
_SHA1 = re.compile(r"[0-9a-f]{40}")


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
    size = _integer(found.get("length_bytes"))
    score, license_type = found.get("score"), _word(found.get("license_type"))
    notes |= (
        {"derived": "llm_rewrite"}
        | ({"score": score} if isinstance(score, int) else {})
        | ({"license_type": license_type} if license_type else {})
    )
    return row_of(
        as_text(text), source="swallow", repo=_word(found.get("repo_name")) or DATASET, revision=_sha1(found.get("revision_id")),
        path=(_word(found.get("path")) or f"{shard}:{offset}").lstrip("/").encode("utf-8", "surrogatepass"), sha1_git=_sha1(found.get("content_id")), sha1=_sha1(found.get("blob_id")),
        size=len(text.encode("utf-8", "replace")) if size is None else size, directory=_sha1(found.get("directory_id")), license=license_, license_evidence=evidence,
        stars=_integer(found.get("star_events_count")), date=next((date for column in _DATE_COLUMNS if (date := _date(found.get(column)))), None), notes=notes,
    )  # fmt: skip


def _license(found: Mapping[str, Any]) -> Said:
    """What was detected above the file, all together; else what GitHub says of the repository."""
    detected = found.get("detected_licenses")
    ids = [word for item in detected if (word := _word(item))] if isinstance(detected, list) else []
    ids = [one for one in dict.fromkeys(ids) if one not in HARMLESS]
    ids = [one for one in ids if one != UNKNOWN_REFERENCE] or ids
    if ids:
        return all_of([normalise(one) or one for one in ids]), "swallow:detected_licenses"
    stated = _word(found.get("gha_license_id"))
    return (normalise(stated) or stated, "swallow:gha_license_id") if stated else (None, None)


_WORD = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,4096}")


def _word(value: object) -> str:
    """A value that may stand in a column: one line of text; "" for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _sha1(value: object) -> str | None:
    return value if isinstance(value, str) and _SHA1.fullmatch(value) else None


def _integer(value: object) -> int | None:
    """A count; JSON writers turn those with gaps into floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _date(value: object) -> datetime | None:
    """ISO 8601, or a count of seconds, milli-, micro- or nanoseconds since 1970, as different JSON writers have it; UTC where no zone stands."""
    try:
        if isinstance(value, str):
            date = datetime.fromisoformat(value)
            return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        count = _integer(value)
        if count is None:
            return None
        while count >= 10**11:  # seconds stay below it until the year 5138
            count //= 1000
        return datetime.fromtimestamp(count, UTC)
    except (ValueError, OverflowError, OSError):
        return None
