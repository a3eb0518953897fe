"""Values of foreign columns, believed only where they have the shape that they claim: what is not a commit id is no commit id.

In: a value as JSON or Parquet gave it. Out: the value for a column of ours, or nothing (None, ""): never an error, since one odd value
must not cost the row.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from minisc.source.license_files import Said, all_of
from minisc.text.licenses import normalise


def object_of(line: bytes) -> dict[str, Any]:
    """A line's JSON object; {} for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no JSON, no UTF-8, a number of 5,000 digits
        return {}
    return found if isinstance(found, dict) else {}


_WORD = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,4096}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


def word(value: object) -> str:
    """A value that may stand in a column: one line of text; "" for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def sha1(value: object) -> str | None:
    return value if isinstance(value, str) and _SHA1.fullmatch(value) else None


def integer(value: object) -> int | None:
    """A count; JSON writers turn those with gaps into floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def date(value: object) -> datetime | None:
    """ISO 8601, or a count of seconds, milli-, micro- or nanoseconds since 1970, as different writers have it; UTC where no zone stands."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        count = integer(value)
        if count is None:
            return None
        while count >= 10**11:  # seconds stay below it until the year 5138
            count //= 1000
        return datetime.fromtimestamp(count, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def stated(value: object, evidence: str) -> Said:
    """What a column says of the license: an id or a name, or a list of them that hold together."""
    ids = list(dict.fromkeys(one for item in (value if isinstance(value, list) else [value]) if (one := word(item))))
    return (all_of([normalise(one) or one for one in ids]), evidence) if ids else (None, None)
