"""What is known of a document's license: SPDX expressions from free text, from headers and from license files, and their class.

    normalise(text)     "Apache 2.0 License", "License :: OSI Approved :: MIT License", "MIT/Apache-2.0" -> an SPDX expression
    identify(text)      the text of a LICENSE file -> an SPDX expression (see license_texts.py)
    header(text)        the `SPDX-License-Identifier:` of a source file's first lines
    license_class(...)  permissive, no_license or non_permissive, as The Stack v2 has them

Expressions are parsed by the `license-expression` package, which knows SPDX's and ScanCode's ids and their old spellings
(GPL-2.0+ becomes GPL-2.0-or-later). The permissive ids stand in `permissive.txt`, with their source.
What is not understood is never permissive. A lax reading of names ("BSD" is taken as BSD-3-Clause, as ScanCode does) can only
confuse licenses of one class: every loose name of a copyleft license stays a copyleft one.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import Any

from license_expression import (
    AND,
    OR,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    Licensing,
    get_spdx_licensing,
)

from minisc.text.license_texts import FILLERS, UNKNOWN, identify, longest_name, plain_words

__all__ = ["NON_PERMISSIVE", "NO_LICENSE", "PERMISSIVE", "UNKNOWN", "data_digest", "header", "identify", "license_class", "normalise"]

PERMISSIVE, NO_LICENSE, NON_PERMISSIVE = "permissive", "no_license", "non_permissive"
_LONGEST_NAME = 300  # characters; what is longer is a license text in a metadata field
_SAYS_NOTHING = frozenset(
    b"|unknown|none|other|n a|na|see license|see license file|license|licence|license txt|license md|file license|dual license|dual|custom|"
    b"noassertion|various|multiple|copying|osi approved|dfsg approved|other oss|open source|free|tbd|todo|unlicensed".split(b"|")
)


@functools.cache
def _licensing() -> Licensing:
    """license-expression's index of SPDX ids: 25 ms, once a process."""
    return get_spdx_licensing()


@functools.lru_cache(maxsize=20_000)
def normalise(text: str) -> str | None:
    """The SPDX expression that a piece of metadata means; None where it says nothing or is not understood.

    Takes an SPDX expression in any case and old spelling, a name, a trove classifier (several, one a line, are joined by AND),
    names joined by "or", "/", "and", ",", "&", ";", or a whole license text.
    """
    text = text.strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(line.startswith("License ::") for line in lines):
        named = [name for line in lines if (name := _name(line.rpartition("::")[2]))]
        return _joined(named, " AND ")
    if len(text) > _LONGEST_NAME or len(lines) > 3:
        return identify(text)
    return _expression(text) or _combined(" ".join(lines))


@functools.lru_cache(maxsize=20_000)
def _expression(text: str) -> str | None:
    """A valid SPDX expression in canonical spelling."""
    parsed = _parsed(text, validate=True)
    return None if parsed is None else str(parsed)


_LONGEST_EXPRESSION = 2_000  # characters: the parser is recursive


def _parsed(text: str, *, validate: bool) -> Any:
    """The tree of an expression; None where it is not one. The parser answers some texts with errors of its own: "()", "(OR 0"."""
    try:
        return _licensing().parse(text, validate=validate, strict=True) if len(text) <= _LONGEST_EXPRESSION else None
    except Exception:  # IndexError, AssertionError, TypeError … beside its two: whatever it is, this is no expression
        return None


_OR = re.compile(r"\s+or\s+(?!later|newer|any)|/|\|+|\s+\|\s+", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+|\s*[,;&]\s*|\s+\+\s+", re.IGNORECASE)


def _combined(text: str) -> str | None:
    """Names joined by words or punctuation; a name that holds such a joint itself ("zlib/libpng") is tried whole first."""
    if whole := _name(text):
        return whole
    if len(parts := _OR.split(text)) > 1:
        return _joined([_expression(part) or _combined(part) for part in parts], " OR ")
    if len(parts := [part for part in _AND.split(text) if part.strip()]) > 1:
        return _joined([_expression(part) or _name(part) for part in parts], " AND ")
    return None


def _joined(found: Sequence[str | None], joint: str) -> str | None:
    """One expression of several; None as soon as one part was not understood."""
    parts = list(dict.fromkeys(part for part in found if part))
    if None in found or not parts:
        return None
    written = joint.join(f"({part})" if " OR " in part or " AND " in part else part for part in parts)
    return parts[0] if len(parts) == 1 else _expression(written) or written


_OR_LATER = re.compile(r"\bor (later|newer|any later version|\(at your option\) any later version)\b|\+", re.IGNORECASE)
_BRACKETED = re.compile(r"\(([^()]*)\)")


def _name(text: str) -> str | None:
    """A single license's name."""
    if not text.strip() or plain_words(text).strip() in _SAYS_NOTHING:
        return None
    later = bool(_OR_LATER.search(text))
    candidates = [text, _BRACKETED.sub(" ", text), *_BRACKETED.findall(text)]
    for candidate in candidates:
        words = plain_words(_OR_LATER.sub(" ", candidate)).split()
        spdx = _expression(candidate) or _gnu(words, later) or longest_name(words, whole=True)
        if spdx:
            return spdx
    return None


_GNU = re.compile(r"(?:gnu ?)?(affero |lesser |library |library or lesser |)(?:general public|([al]?)gpl) ?v? ?(\d)?( \d)?")


def _gnu(words: list[bytes], later: bool) -> str | None:
    """The GNU licenses under their many spellings: GPLv3+, GNU LGPL 2.1, GNU Affero General Public License v3 or later."""
    found = _GNU.fullmatch(b" ".join(word for word in words if word not in FILLERS).decode())
    if not found:
        return None
    family = {"affero ": "AGPL", "": {"a": "AGPL", "l": "LGPL"}.get(found[2] or "", "GPL")}.get(found[1], "LGPL")
    oldest = {"GPL": "1", "LGPL": "2", "AGPL": "3"}[family]
    number = f"{found[3] or oldest}.{(found[4] or '0').strip()}"
    return _expression(f"{family}-{number}-{'or-later' if later or not found[3] else 'only'}")


_HEADER = re.compile(r"^[^\w\n'\"]{0,20}SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+\-() \t]{1,200})", re.MULTILINE)
HEADER_CHARACTERS = 4_000


def header(text: str) -> str | None:
    """The SPDX expression of a file's own header, in its first 4,000 characters; `LicenseRef-unknown` if it is not one.

    Several headers are joined by AND, as the REUSE specification has it.
    """
    if "SPDX-License-Identifier:" not in text[:HEADER_CHARACTERS]:
        return None
    told = [words.strip(" \t-") for words in _HEADER.findall(text[:HEADER_CHARACTERS])]
    found = [_expression(words) or _reference(words) or normalise(words) or UNKNOWN for words in told if words]
    return _joined(found, " AND ")


_LICENSE_REF = re.compile(r"LicenseRef-[A-Za-z0-9.\-]{1,100}")


def _reference(words: str) -> str | None:
    """SPDX's way to name a license that it does not list."""
    return words if _LICENSE_REF.fullmatch(words) else None


@functools.cache
def data_digest() -> str:
    """A hash of the names, phrases and permissive ids in our data files, for the identity of what depends on them."""
    texts = [(files("minisc.text") / name).read_bytes() for name in ("licenses.toml", "permissive.txt")]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]


@functools.cache
def _permissive_ids() -> frozenset[str]:
    lines = (files("minisc.text") / "permissive.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def license_class(expression: str | None, allow: Collection[str] = ()) -> str:
    """permissive, no_license or non_permissive. `allow`: further SPDX ids that count as permissive.

    Of an OR one side must be permissive, of an AND both; `X WITH exception` is as permissive as X, since an exception only
    adds rights. Free text is normalised first; what says something that we do not understand is not permissive.
    """
    return _class_of(expression or "", frozenset(allow))


@functools.lru_cache(maxsize=20_000)
def _class_of(text: str, allow: frozenset[str]) -> str:
    if plain_words(text).strip() in _SAYS_NOTHING:
        return NO_LICENSE
    parsed = _parsed(normalise(text) or text, validate=False)
    return PERMISSIVE if parsed is not None and _holds(parsed, _permissive_ids() | allow) else NON_PERMISSIVE


def _holds(node: Any, permissive: frozenset[str]) -> bool:
    if isinstance(node, LicenseWithExceptionSymbol):
        return node.license_symbol.key in permissive
    if isinstance(node, LicenseSymbol):
        return node.key in permissive
    assert isinstance(node, (AND, OR)), type(node)
    return (any if isinstance(node, OR) else all)(_holds(part, permissive) for part in node.args)
