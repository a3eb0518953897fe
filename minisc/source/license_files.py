"""The license files of a folder, and what they say.

In: folders with the names in them. Out: an SPDX expression and its evidence, `file:LICENSE`.
The names are those by which The Stack v2 knows license files (`facts`: the patterns of its detection script), in two ranks: files that
are made to hold a license, and files that may speak of one (readme, notice, about, …). Of the second rank only a license that we
know counts, and only where no folder above has a file of the first.
Several license files in one folder hold all together (AND): the careful reading, since which file rules which is not written anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from minisc.source.files import readable
from minisc.text.licenses import UNKNOWN, identify, normalise

Said = tuple[str | None, str | None]  # SPDX expression, evidence; both None where nothing is said
READ_BYTES = 1 << 20  # of one license file; a regular file's beginning
FILES_AT_MOST = 20  # of one folder

# The Stack v2, file_contents: `^(|.*[-_. ])(NAME)(|[-_. ].*)$`, case-insensitive.
_PATTERN = r"(?:.*[-_. ])?(?:{})(?:[-_. ].*)?"
_MADE_FOR_IT = re.compile(
    _PATTERN.format(r"li[cs]en[cs]es?|copy(?:left|right|ing)|unlicense|[al]?gpl(?:[-_ v]?)(?:\d\.?\d?)?|bsdl?|mitx?|apache|artistic|copyingv?\d?|eupl|gfdl|[cm]pl|cc0|al(?:[-_ v]?)\d\.?\d"),
    re.IGNORECASE,
)  # fmt: skip
_MAY_SPEAK_OF_IT = re.compile(_PATTERN.format("legal|disclaimer|about|notice|readme|guidelines"), re.IGNORECASE)
_CODE = frozenset(
    [
        ".py",
        ".pyi",
        ".pyx",
        ".pyc",
        ".pyd",
        ".so",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".js",
        ".ts",
        ".java",
        ".go",
        ".rs",
        ".rb",
        ".sh",
        ".json",
        ".toml",
        ".yaml",
        ".yml",
        ".xml",
        ".html",
        ".css",
        ".png",
        ".svg",
    ]
)


def rank(name: str) -> int:
    """1 for a name made to hold a license, 2 for one that may speak of it, 0 for any other, and for code (`license.py`)."""
    if Path(name).suffix.lower() in _CODE:
        return 0
    return 1 if _MADE_FOR_IT.fullmatch(name) else 2 if _MAY_SPEAK_OF_IT.fullmatch(name) else 0


def read_licenses(folder: Path, names: Iterable[str], shown_below: str = "") -> Said:
    """What these files of a folder say together. `shown_below`: what stands before their names in the evidence."""
    found = [(name, said) for name in sorted(names)[:FILES_AT_MOST] if (said := identify(_text(folder / name)))]
    if not found:
        return None, None
    evidence = "file:" + ", ".join(readable(f"{shown_below}{name}".encode("utf-8", "surrogateescape")) for name, _ in found)
    return all_of([said for _, said in found]), evidence


def all_of(expressions: Sequence[str]) -> str:
    """One SPDX expression that asks for all of them."""
    unique = list(dict.fromkeys(expressions))
    if len(unique) == 1:
        return unique[0]
    joined = " AND ".join(f"({one})" if " " in one else one for one in unique)
    return normalise(joined) or joined  # `normalise` knows no LicenseRef: then as it stands


def _text(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


class NearestLicense:
    """The license of a folder in a tree: that of the nearest license file in it or above it, up to a root."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[list[str], list[str]]] = {}  # folder -> license-like names of the first and the second rank
        self._said: dict[tuple[str, str, int], Said] = {}

    def learn(self, folder: str, names: Iterable[str]) -> None:
        """Tell what regular files a folder holds; every folder from the root down is learned before it is asked for."""
        ranked = [(rank(name), name) for name in names]
        self._names[folder] = ([name for at, name in ranked if at == 1], [name for at, name in ranked if at == 2])

    def of(self, root: str, folder: str) -> Said:
        """(expression, evidence) for files in `folder`; `root` is the folder itself or one above it."""
        above = [folder]
        while above[-1] != root:
            above.append(str(Path(above[-1]).parent))
        for level in (1, 2):
            nearest = self._nearest(root, above, level)
            if nearest[0] is not None:
                return nearest
        return None, None

    def _nearest(self, root: str, above: Sequence[str], level: int) -> Said:
        """Looks up `above`, from the folder to the root, as far as it was not looked up before."""
        said: Said = (None, None)
        unknown = []
        for folder in above:
            if (root, folder, level) in self._said:
                said = self._said[root, folder, level]
                break
            unknown.append(folder)
        for folder in reversed(unknown):
            own = self._own(root, folder, level)
            said = own if own[0] is not None else said
            self._said[root, folder, level] = said
        return said

    def _own(self, root: str, folder: str, level: int) -> Said:
        names = self._names[folder][level - 1]
        if not names:
            return None, None
        said = read_licenses(Path(folder), names, "" if folder == root else f"{os.path.relpath(folder, root)}/")
        return (None, None) if level == 2 and said[0] and UNKNOWN in said[0] else said
