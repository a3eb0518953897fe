"""Numbers as people read them: 12.3 MB, 4 min 12 s, 1,234,567.

A figure's name says its unit (`bytes_kept`, `tokens_per_second`), so `figure` needs no table of figures. Bytes are decimal
(1 MB = 1,000,000 bytes), as disks and networks count them.
"""

from __future__ import annotations

import math

_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_COUNTS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def count(number: float) -> str:
    """1,234,567: every digit of a whole number."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """12.3 M: three figures, for a tile or an axis."""
    for size, unit in _COUNTS:
        if abs(number) >= size:
            return f"{three(number / size)} {unit}"
    return f"{number:,.0f}" if number == int(number) else three(number)


def size(number: float) -> str:
    """41.2 MB."""
    for unit_size, unit in _BYTES:
        if abs(number) >= unit_size:
            return f"{three(number / unit_size)} {unit}"
    return f"{number:,.0f} B"


def three(number: float) -> str:
    """Three significant figures, without an exponent where people would not write one."""
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    magnitude = math.floor(math.log10(abs(number)))
    if magnitude < -4:
        return f"{number:.2e}"
    return f"{number:,.{max(0, 2 - magnitude)}f}"


def seconds(number: float) -> str:
    """0.4 s, 12 s, 4 min 12 s, 3 h 05 min."""
    if number < 10:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def share(part: float, whole: float) -> str:
    """12.3 %; says 'under 0.1 %' rather than a zero that is none."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "under 0.1 %"
    return f"{percent:.1f} %" if percent < 99.95 or part >= whole else "99.9 %"


def figure(name: str, value: object) -> str:
    """A figure's value in the unit that its name says."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return f"{value:g}"
    words = name.split("_")
    if "per" in words:
        return short(value) if value >= 100 else f"{value:.4f}" if words[:1] == ["bits"] or "bits" in words else three(value)
    if "bytes" in words:
        return size(value)
    if "seconds" in words:
        return seconds(value)
    if words[-1] in ("share", "mfu"):
        return share(value, 1)
    return count(value) if float(value).is_integer() else three(value)


def plain(name: str) -> str:
    """`documents_kept` -> documents kept."""
    return name.replace("_", " ")
