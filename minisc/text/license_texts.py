"""Which licenses the text of a license file holds.

In: the text of a file called LICENSE, COPYING, NOTICE or the like. Out: an SPDX expression, every license of the file joined
by AND (by OR where the file says that one may choose), or None where it says nothing of licenses.
Method: the text becomes plain words (bytes, lower case, one space between words; comment leaders, quotes and line breaks go);
every known opening phrase is sought by `bytes.find`, the openings cut the text into pieces, and inside a piece the phrases
that tell siblings apart (two or three BSD clauses, MIT with or without its notice) decide. The phrases stand in
`licenses.toml`. So several licenses in one file are found, in order, which the tools that answer with one license miss.
Guarantees: a text that speaks of rights and that we do not know is `LicenseRef-unknown`, which is not permissive: what is not
understood never passes as free. A known license with extra restrictions ("Commons Clause") carries them as a second license.
Price: 0.1 to 0.4 ms for a license, 15 ms for a collection of 110 kB; what lies behind the first 500,000 characters is not read.
Rejected: ScanCode (right more often on rare licenses, 220 ms in the mean); bigram similarity (one answer a file, 115 ms);
hashes of whole texts (every copyright line and line break makes another hash).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import xxhash

UNKNOWN = "LicenseRef-unknown"
READ_CHARACTERS = 500_000
PIECE_BYTES = 6_000  # a short license and its disclaimer end within so many bytes of plain words
_PLAIN = bytes(code if chr(code).isascii() and chr(code).isalnum() else 32 for code in range(256))


def plain_words(text: str) -> bytes:
    """Lower-case ASCII letters and digits, everything else one space; a space at both ends, so that words can be sought whole."""
    return b" " + b" ".join(text.lower().encode("ascii", "replace").translate(_PLAIN).split()) + b" "


@dataclass(frozen=True, slots=True)
class Variant:
    id: str
    present: tuple[bytes, ...]
    absent: tuple[bytes, ...]

    def fits(self, piece: bytes) -> bool:
        return all(phrase in piece for phrase in self.present) and not any(phrase in piece for phrase in self.absent)


@dataclass(frozen=True, slots=True)
class Opening:
    """One `[[text]]` of licenses.toml."""

    head: bytes
    ends: tuple[bytes, ...]
    span: int
    bounds: bool
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Known:
    names: dict[bytes, str]
    openings: tuple[Opening, ...]
    choices: tuple[bytes, ...]  # phrases that say: one of these licenses, at your option
    rights: tuple[bytes, ...]  # phrases by which an unknown text is still seen to speak of rights


@functools.cache
def known() -> Known:
    """`licenses.toml`, parsed once a process (15 ms)."""
    told = tomllib.loads((files("minisc.text") / "licenses.toml").read_text(encoding="utf-8"))
    return Known(
        names={name.encode(): spdx for name, spdx in told["names"].items()},
        openings=tuple(_opening(entry) for entry in told["text"]),
        choices=tuple(f" {phrase} ".encode() for phrase in told["choices"]),
        rights=tuple(f" {phrase} ".encode() for phrase in told["rights"]),
    )


def _opening(entry: dict[str, Any]) -> Opening:
    return Opening(
        head=f" {entry['head']} ".encode(),
        ends=_phrases(entry, "end"),
        span=entry.get("span", PIECE_BYTES),
        bounds=entry.get("bounds", False),
        variants=tuple(Variant(one["id"], _phrases(one, "with"), _phrases(one, "without")) for one in entry["is"]),
    )


def _phrases(entry: dict[str, Any], key: str) -> tuple[bytes, ...]:
    return tuple(phrase.encode() for phrase in entry.get(key, ()))


_answers: dict[bytes, str | None] = {}  # xxh128 of a text -> its expression: license files repeat massively
_ANSWERS = 50_000  # entries of about 100 bytes


def identify(text: str) -> str | None:
    """The SPDX expression of a license file's text; None where it says nothing of rights. Each unique text is read once a process."""
    text = text[:READ_CHARACTERS]
    key = xxhash.xxh128_digest(text.encode("utf-8", "surrogatepass"))
    if key not in _answers:
        if len(_answers) >= _ANSWERS:
            _answers.clear()
        _answers[key] = _read(plain_words(text))
    return _answers[key]


def _read(words: bytes) -> str | None:
    found, before = _texts_in(words)
    found = found or _named_in(words) or _bare_name(words)
    if not found:
        return UNKNOWN if any(phrase in words for phrase in known().rights) else None
    parts = list(dict.fromkeys(found))
    chosen = len(parts) <= _MOST_CHOICES and any(phrase in before for phrase in known().choices)
    return (" OR " if chosen else " AND ").join(f"({part})" if " OR " in part else part for part in parts)


_MOST_CHOICES = 3  # "dual licensed" in a collection of twenty components speaks of one of them


def _texts_in(words: bytes) -> tuple[list[str], bytes]:
    """The licenses whose texts stand in the words, in order, and the words outside of them that come before the last."""
    heads = [(at, opening) for opening in known().openings for at in _all(words, opening.head)]
    heads.sort(key=lambda head: head[0])
    found: list[str] = []
    outside: list[bytes] = []
    done = 0
    for index, (at, opening) in enumerate(heads):
        if at < done:
            continue
        outside.append(words[done:at])
        closed = _closed_at(words, at, opening, heads[index + 1 :])
        following = heads[index + 1][0] if index + 1 < len(heads) else len(words)
        piece = words[at : closed or max(at + len(opening.head), min(following, at + opening.span))]
        found += [variant.id for variant in opening.variants if variant.fits(piece)][:1]
        done = closed or at + len(opening.head)
    return _without_bases(found), b" ".join(outside) if heads else words


def _closed_at(words: bytes, at: int, opening: Opening, later: Sequence[tuple[int, Opening]]) -> int:
    """Where a long text ends: at the first of its closing phrases that is there; 0 if none is.

    Another long text ("bounds") ends the search: its closing words are not ours, and what lies behind its head must be seen.
    """
    until = next((head for head, other in later if other.bounds and other is not opening), len(words))
    places = (words.find(end, at, min(until, at + opening.span)) for end in opening.ends)
    return next((place for place in places if place > 0), 0)


def _without_bases(found: Sequence[str]) -> list[str]:
    """ "Apache-2.0" beside "Apache-2.0 WITH LLVM-exception" is the same license: the exception stands behind its text or in it."""
    framed = ["", *found, ""]
    told = (
        spdx
        for before, spdx, after in zip(framed, found, framed[2:], strict=False)
        if not before.startswith(f"{spdx} WITH ") and not after.startswith(f"{spdx} WITH ")
    )
    return list(dict.fromkeys(told))


def _all(words: bytes, head: bytes) -> list[int]:
    out = []
    at = words.find(head)
    while at >= 0:
        out.append(at)
        at = words.find(head, at + len(head) - 1)
    return out


_GRANTS = (
    b" licensed under ",
    b" released under ",
    b" distributed under ",
    b" available under ",
    b" license ",
    b" licence ",
    b" covered by ",
)
FILLERS = frozenset(b"the terms of a an is under license licence version v permissive standard either".split())
_NAME_WORDS, _MOST_GRANTS = 9, 20


def _named_in(words: bytes) -> list[str]:
    """The licenses that the text names without giving their words: "released under the terms of the MIT license"."""
    found: list[tuple[int, str]] = []
    for grant in _GRANTS:
        for at in _all(words, grant)[:_MOST_GRANTS]:
            following = words[at + len(grant) : at + len(grant) + 160].split()[: 2 * _NAME_WORDS]
            spdx = longest_name(following)
            if spdx:
                found.append((at, spdx))
    return [spdx for _, spdx in sorted(found)]


def _bare_name(words: bytes) -> list[str]:
    """A license file that holds a name and nothing else: "Apache 2.0"."""
    listed = words.split()
    named = longest_name(listed, whole=True) if len(listed) <= _NAME_WORDS else None
    return [named] if named else []


def longest_name(words: list[bytes], *, whole: bool = False) -> str | None:
    """The license that the words begin with (or, `whole`, are), fillers aside; the longest known name wins."""
    kept = [word for word in map(unversioned, words) if word not in FILLERS][:_NAME_WORDS]
    for length in (len(kept),) if whole else range(len(kept), 0, -1):
        spdx = known().names.get(b" ".join(kept[:length]))
        if spdx:
            return spdx
    return None


def unversioned(word: bytes) -> bytes:
    """v2 -> 2"""
    return word[1:] if len(word) > 1 and word[:1] == b"v" and word[1:].isdigit() else word
