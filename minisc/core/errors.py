"""What we say when something is wrong.

An error for a person has three parts: what is wrong, where (key, file, value), what to type next. `UserError` carries them
apart, so that the terminal can print them on three lines and a test can ask for each. It is a `ValueError`, because it is
always about a value somebody gave. Mistakes of our own stay `assert`s.

    UserError            anything a person can mend
    ├── BadInput         data that cannot be read as what it claims to be
    ├── DamagedArtifact  bytes in the store that are not the bytes that were committed
    └── MissingExtra     an optional package that this option needs
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """`what` is wrong, `where`, and what to `do` next; each one sentence or empty."""

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        super().__init__(what, where, do)
        self.what, self.where, self.do = what, where, do

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.do:
            lines.append(f"  do:    {self.do}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:  # a worker process sends it home whole
        return (_rebuild, (type(self), self.what, self.where, self.do))


def _rebuild(kind: type[UserError], what: str, where: str, do: str) -> UserError:
    return kind(what, where=where, do=do)


class BadInput(UserError):
    """Data that cannot be read as what it claims to be."""


class DamagedArtifact(UserError):
    """Bytes in the store that are not the bytes that were committed."""


class MissingExtra(UserError):
    """An optional package is not installed."""

    @classmethod
    def named(cls, package: str, extra: str, needed_by: str) -> MissingExtra:
        return cls(f"the package {package!r} is not installed", where=needed_by, do=f"pip install 'minisc[{extra}]'")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'did you mean near_dup?' or, with nothing close, the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"choose from: {', '.join(names)}"
