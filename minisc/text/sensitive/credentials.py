"""Credentials that detect-secrets' plugins miss: key blocks, passwords in URLs and assignments, tokens known by their prefix.

In: a text. Out: spans of kind `KEY` or `PASSWORD`, covering the secret alone: quotes, names, schemes and hosts stay.
Guarantees: linear; every search starts at a literal and looks at a bounded number of characters around it. Templates
(`{password}`, `%s`, `$PASS`, `<password>`, `****`) are no secrets. Price: 8 ms a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from minisc.text.literals import Places
from minisc.text.sensitive.harmless import is_words
from minisc.text.spans import Span

KEY, PASSWORD = "KEY", "PASSWORD"
_BLOCK = 16_384  # characters of the longest key block (RSA 16384 in PEM has 12,800)

_PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"[A-Za-z0-9+/]{12}")
_BARE_BODY = re.compile(r"""(?:[\s"'+\\,()bnr]{0,16}[A-Za-z0-9+/=]{16,128}){2,400}""")

_URL_PASSWORD = re.compile(r"""://([^\s/@:"'<>`\\]{0,128}):([^\s/"'<>`\\]{1,128})@(?=[\w\[{$%<(-])""")
_ANY_USER = frozenset(("", "user", "username"))  # user:pass@ shows what a URL looks like
_TEMPLATE = re.compile(r"""\{.*\}|%\(?\w*\)?[sdr]|\$|<.*>|\[.*\]|[*.xX#?_-]{2,}$|^\W*$""")

# Names end in the keyword, so that password_field = "…" names no password.
_NAME = r"(?:passw(?:or)?d|passphrase|passcode|pwd|(?<![a-z])pass)"
_KEY_NAME = r"(?:secret|(?<!publickey)(?<!public_key_)token|api[_-]?key|secret[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|credentials?)"
_GIVEN = r"""(?P<mark>\d{0,2}["']?\]?\s{0,8}(?::\s{0,4}[A-Za-z_][\w.\[\]| ]{0,40})?(?:=>|:=|==|!=|=|:)\s{0,8}(?:[(\[]\s{0,4})?[bBuUrRfF]{0,2})(?P<quote>["'])(?P<value>(?:(?!(?P=quote))[^\\\r\n]|\\.){1,256}+)(?P=quote)"""
_PASSWORD_GIVEN = re.compile(_NAME + _GIVEN, re.IGNORECASE)
_KEY_GIVEN = re.compile(_KEY_NAME + _GIVEN, re.IGNORECASE)
_UNQUOTED = re.compile(r"""(?:password|pwd)=([^\s;"'<>{}$%*]{3,128})(?=;)""", re.IGNORECASE)
_HINTS = ("pass", "pwd")
_KEY_HINTS = (
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "access-key",
    "auth_key",
    "private_key",
    "encryption_key",
    "signing_key",
    "credential",
)
# What people write where no password stands.
_STAND_INS = """
password passwd pass pwd passphrase secret token key none null nil true false str string text bytes int bool hidden required optional
prompt input field test tests testing testpass example sample dummy fake foo bar baz user username login name email host value default
empty unknown changeme change_me your_password yourpassword mypassword my_password xxx yyy abc redacted masked hidden basic digest bearer
plain md5 sha256 bcrypt scrypt ascii utf-8 get post
"""
_NOTHING_SECRET = frozenset(_STAND_INS.split())
_NAMELIKE = re.compile(r"[A-Za-z]+(?:[_.\- ][A-Za-z]+)+|[a-z]+(?:[A-Z][a-z]+)+|[A-Z_]+")
_KEYISH = re.compile(r"[\x21-\x7e]{12,256}")

# Kinds of token by the prefix that their makers gave them. Literal prefix -> the whole token.
_TOKENS = {
    "sk-": r"sk-[A-Za-z0-9_-]{20,200}+",
    "glpat-": r"glpat-[\w-]{20,60}+",
    "xox": r"xox[abceoprs]-[\w-]{10,250}+",
    "xapp-": r"xapp-[\w-]{20,200}+",
    "github_pat_": r"github_pat_\w{22,200}+",
    **{prefix: prefix + r"[A-Za-z0-9]{20,200}+" for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")},
    "AIza": r"AIza[\w-]{35}",
    "ya29.": r"ya29\.[\w-]{20,300}+",
    "hf_": r"hf_[A-Za-z0-9]{30,60}+",
    "npm_": r"npm_[A-Za-z0-9]{36}",
    "pypi-AgE": r"pypi-AgE[\w-]{50,300}+",
    "dop_v1_": r"dop_v1_[a-f0-9]{64}",
    "shp": r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    **{prefix: prefix + r"[A-Za-z0-9]{16,120}+" for prefix in ("sk_live_", "rk_live_", "sk_test_", "rk_test_")},
    "dckr_pat_": r"dckr_pat_[\w-]{20,60}+",
    "nvapi-": r"nvapi-[\w-]{40,100}+",
    "gsk_": r"gsk_[A-Za-z0-9]{40,60}+",
    "lin_api_": r"lin_api_[A-Za-z0-9]{32,60}+",
    "SG.": r"SG\.[\w-]{16,32}\.[\w-]{16,64}+",
    "eyJ": r"eyJ[\w-]{10,4000}+\.eyJ[\w-]{10,4000}+(?:\.[\w-]{10,4000}+)?",
    "bearer ": r"[Bb]earer (?P<token>[\w.~+/-]{20,2000}+=*)",
    "AccountKey=": r"AccountKey=(?P<token>[A-Za-z0-9+/]{40,100}+={0,2})",
    "SharedAccessKey=": r"SharedAccessKey=(?P<token>[A-Za-z0-9+/]{40,100}+={0,2})",
}
_COMPILED = {literal: re.compile(rf"(?<![A-Za-z0-9]){pattern}") for literal, pattern in _TOKENS.items()}


LITERALS = ("-----begin", "://", "password=", "pwd=", *_HINTS, *_KEY_HINTS, *(literal.lower() for literal in _COMPILED))


def credentials(text: str, places: Places) -> Iterator[Span]:
    """All credentials of a text; `places` are those of LITERALS in its lower case (of the same length)."""
    yield from _key_blocks(text, places)
    yield from _url_passwords(text, places)
    yield from _tokens(text, places)
    yield from _assigned(text, places)


def _key_blocks(text: str, places: Places) -> Iterator[Span]:
    """From BEGIN to END; without an END (a block that was cut) as far as lines of base64 go. Bare markers are no keys."""
    done = 0
    for at in places.get("-----begin", ()):
        begin = _PEM_BEGIN.match(text, at) if at >= done else None
        if not begin:
            continue
        end = _PEM_END.search(text, begin.end(), begin.end() + _BLOCK)
        body = _BARE_BODY.match(text, begin.end(), begin.end() + _BLOCK) if not end else None
        stop = end.end() if end and _BODY.search(text, begin.end(), end.start()) else body.end() if body else 0
        if stop:
            done = stop
            yield Span(at, stop, KEY)


def _url_passwords(text: str, places: Places) -> Iterator[Span]:
    for at in places.get("://", ()):
        found = _URL_PASSWORD.match(text, at)
        if found and not _TEMPLATE.search(found[2]) and not (found[1].lower() in _ANY_USER and found[2].lower() in _NOTHING_SECRET):
            yield Span(*found.span(2), PASSWORD)


def _tokens(text: str, places: Places) -> Iterator[Span]:
    for literal, pattern in _COMPILED.items():
        for at in places.get(literal.lower(), ()):
            found = pattern.match(text, at)
            if found:
                name = "token" if "token" in pattern.groupindex else 0
                if not is_words(found[name]) and any(map(str.isdigit, found[name])):
                    yield Span(*found.span(name), KEY)


def _assigned(text: str, places: Places) -> Iterator[Span]:
    for hints, given, judge, kind in ((_HINTS, _PASSWORD_GIVEN, _is_password, PASSWORD), (_KEY_HINTS, _KEY_GIVEN, _is_key, KEY)):
        tried = set()
        for hint in hints:
            for at in places.get(hint, ()):
                found = given.match(text, at) if at not in tried else None
                tried.add(at)
                if found and judge(found["value"]):
                    yield Span(*found.span("value"), kind)
    for hint in ("password=", "pwd="):
        for at in places.get(hint, ()):
            if (found := _UNQUOTED.match(text, at)) and _is_password(found[1]):
                yield Span(*found.span(1), PASSWORD)


def _is_password(value: str) -> bool:
    """A word that is neither a template, nor a pattern, nor the name of a field, nor what stands for no password."""
    plain = value.strip().casefold()
    if (
        len(value) < 3
        or any(map(str.isspace, value))
        or _TEMPLATE.search(value)
        or "(?" in value
        or plain.strip("_-.:*!?") in _NOTHING_SECRET
    ):
        return False
    return not (_NAMELIKE.fullmatch(value) and ("pass" in plain or "pwd" in plain or "_" in plain or "." in plain)) and "://" not in value


def _is_key(value: str) -> bool:
    """Twelve and more printable characters with a digit or an odd sign among them, not words, not a path."""
    if not _KEYISH.fullmatch(value) or _TEMPLATE.search(value) or is_words(value) or "://" in value or value.startswith(("/", ".")):
        return False
    return any(map(str.isdigit, value)) and len(set(value)) >= 8
