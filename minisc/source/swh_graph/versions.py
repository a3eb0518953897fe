"""Which version is the newest: PEP 440 for PyPI, dpkg's order for Debian.

PEP 440 is `packaging.version`; what it cannot parse lies below everything it can. A final release goes before any
pre-release, as pip chooses. dpkg's order is our own 30 lines (Debian Policy 5.6.12; held against `dpkg --compare-versions`
by the tests): no maintained package gives it without a Debian system.
"""

from __future__ import annotations

import re
from typing import Any

from packaging.version import InvalidVersion, Version

_LONGEST = 256  # bytes of a version that we look at: names come from strangers


def pep440_key(version: str) -> tuple[Any, ...]:
    """Greater is newer."""
    try:
        parsed = Version(version[:_LONGEST])
    except InvalidVersion:
        return (0, False, version)
    return (1, not parsed.is_prerelease, parsed, version)


_RUNS = re.compile(r"(\D*)(\d*)")


def dpkg_key(version: str) -> tuple[Any, ...]:
    """Greater is newer: epoch, upstream version, revision; digits by value, `~` before the end, letters before the rest."""
    version = version[:_LONGEST].strip()
    epoch, colon, rest = version.partition(":")
    if not colon or not (epoch.isascii() and epoch.isdigit()):
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return (int(epoch), _dpkg_part(upstream), _dpkg_part(revision))


def _dpkg_part(text: str) -> tuple[Any, ...]:
    """Alternating runs of other characters and digits. Each run of others ends in 0, which lies above `~` and below all else."""
    out: list[Any] = []
    for others, digits in _RUNS.findall(text):
        out.append((*(_weight(one) for one in others), 0))
        out.append(int(digits or 0))
    return tuple(out)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256
