"""Spans of personal data replaced in a source, which compiles afterwards if it compiled before.

In: a text, disjoint spans, the repository it is from. Out: the text with each span replaced, or None where no replacement
leaves Python source that compiles. Replacements: `<NAME>`, `<EMAIL>`, `<KEY>`, `<PASSWORD>` (StarCoder2's placeholders,
arXiv 2402.19173, section 3.2) and, for an IP address, a private one that is a hash of repository and address.
How it keeps source compiling: what lies inside one comment or plain literal, and holds neither an escape nor a quote nor the
end of a line, cannot break anything. All else is compiled, and on a break replaced in the shape of the value instead: every
letter one letter, every digit 0, so that names stay names and numbers numbers.
"""

from __future__ import annotations

import ast
import hashlib
import ipaddress
import re
import warnings
from collections.abc import Sequence
from functools import partial

from minisc.text.python_regions import Regions
from minisc.text.sensitive.addresses import IPV4, IPV6
from minisc.text.spans import Span, replace

_BREAKING = re.compile(r"""[\\\r\n"']""")
_MASKS = ("x", "a")  # \xff breaks with x, 0xff with a


def redacted(text: str, spans: Sequence[Span], repo: str, regions: Regions | None) -> str | None:
    """`regions` are those of Python source, None for anything else (which is never compiled)."""

    def placeholder(span: Span, value: str) -> str:
        return private_address(repo, value) if span.kind in (IPV4, IPV6) else f"<{span.kind}>"

    result = replace(text, spans, placeholder)
    if regions is None or all(_is_safe(text, span, regions) for span in spans) or parses(result) or not parses(text):
        return result
    for letter in _MASKS:
        result = replace(text, spans, partial(_in_shape, letter))
        if parses(result):
            return result
    return None


def _in_shape(letter: str, span: Span, value: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", letter, value))


def _is_safe(text: str, span: Span, regions: Regions) -> bool:
    """Only text of one comment or plain literal is replaced, and no backslash before it takes the first character of the new one."""
    if regions.around(span.start, span.end) not in ("comment", "string") or _BREAKING.search(text, span.start, span.end):
        return False
    return text[span.start - 1 : span.start] != "\\"


def parses(text: str) -> bool:
    """Whether CPython parses the text as a module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape warns
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def private_address(repo: str, value: str) -> str:
    """A private address (RFC 1918, RFC 4193) of the same family: the same one for the same address in a repository."""
    address = ipaddress.ip_address(value)
    digest = hashlib.sha256(f"{repo}\0{address}".encode("utf-8", "surrogatepass")).digest()
    if address.version == 4:
        return f"10.{digest[0]}.{digest[1]}.{digest[2] % 254 + 1}"
    return str(ipaddress.IPv6Address(b"\xfd" + digest[:15]))
