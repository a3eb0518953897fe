r"""Bytes of a source file to text, or the reason why they are none.

In: the bytes of one file, from anybody. Out: `Decoded`: text with its encoding, or a reason.
Guarantees: the text never holds NUL nor lone surrogates, begins with no byte order mark, and breaks lines with "\n" only
(CPython's own tokenizer sees no difference; the model would otherwise learn that lines end in two ways). What the file used
stays in `newlines`, the codec in `encoding`: together they lead back to the original bytes, which `sha1_git` names in any
case. Linear in the size of the file;

Order: a byte order mark; strict UTF-8; the coding cookie of PEP 263; Windows-1252, if the text is plausible as such. UTF-8 comes
before the cookie because text that is valid UTF-8 beyond ASCII is hardly ever anything else, while cookies are copied from file to
file. Only a cookie for a seven-bit code (ISO-2022, HZ), whose files are valid ASCII by design, comes first.
Only codecs of `_CODECS` are ever looked up: `rot13`, `zlib`, `idna`, `unicode_escape` and `utf-7` turn bytes into something that the
reader of the file does not see.

Rejected: a statistical detector (chardet, charset-normalizer): milliseconds a file, and wrong answers that look like text.
Latin-1 as the last resort: it decodes everything; Windows-1252 holds its printable half and refuses five bytes.
Not covered: UTF-16 and UTF-32 hold NUL bytes as a rule and leave as `holds_nul`, as in The Stack v2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from encodings.aliases import aliases

EMPTY, HOLDS_NUL, NOT_TEXT = "empty", "holds_nul", "not_text"
BOM = b"\xef\xbb\xbf"
COOKIE_WITHIN = 4096  # bytes from the start in which the two lines of the cookie are looked for

# PEP 263, "Defining the Encoding"; the first line without the `#` of a comment ends the search.
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
_COMMENT_OR_BLANK = re.compile(rb"[ \t\f]*(?:#.*)?$")

# Text codecs of the standard library, by their module names: those of seven bits, and those of eight that agree with ASCII.
_NAMED_SEVEN_BIT = "hz iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr"
_NAMED_EIGHT_BIT = """
    ascii big5 big5hkscs euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk johab koi8_r koi8_t koi8_u kz1048 latin_1
    mac_croatian mac_cyrillic mac_greek mac_iceland mac_latin2 mac_roman mac_romanian mac_turkish ptcp154 tis_620 utf_8
    cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp865 cp866 cp869 cp874 cp932 cp949 cp950
    cp1006 cp1125 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11 iso8859_13 iso8859_14
    iso8859_15 iso8859_16 shift_jis shift_jis_2004 shift_jisx0213
"""
_SEVEN_BIT = frozenset(_NAMED_SEVEN_BIT.split())
_CODECS = _SEVEN_BIT | frozenset(_NAMED_EIGHT_BIT.split())

# Control characters that text has no use for: all of C0 and DEL but tab, the line breaks, form feed and escape.
_CONTROLS = bytes(byte for byte in (*range(1, 32), 127) if byte not in b"\t\n\v\f\r\x1b")
_CONTROLS_AT_MOST = 0.05

# What Windows-1252 text of Western Europe looks like; the numbers hold German, French, Spanish and Portuguese in, and Cyrillic,
# Greek, Chinese, Japanese, Korean and Polish out (tests/text/test_decode.py has a sample of each).
_HIGH = bytes(range(128, 256))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_HIGH_AT_MOST = 0.25  # of all bytes
_SHORT_RUN, _SHORT_RUNS_AT_LEAST = 2, 0.9  # accents and signs stand alone or in pairs, other scripts and binary data in long runs
_SIGN_IN_WORD = re.compile(rb"(?<=[A-Za-z])[\x80-\x89\x8b\x91\x93-\x99\x9b\xa1-\xa9\xab\xac\xae-\xb4\xb6\xb8\xb9\xbb-\xbf](?=[a-z])")
_SIGNS_IN_WORDS_AT_MOST = 0.1  # of the runs: a currency sign or a raised 3 inside a word was a letter of another code page


@dataclass(frozen=True, slots=True)
class Decoded:
    """`text` is null exactly when `reason` is one of `empty`, `holds_nul`, `not_text`."""

    text: str | None
    encoding: str | None = None  # a codec name that Python knows; "utf-8-sig" where a byte order mark was taken off
    reason: str = ""
    newlines: str = "lf"  # of the original: lf, crlf, cr or mixed


def decode(raw: bytes) -> Decoded:
    """The text of a file's bytes. Never raises."""
    if not raw:
        return Decoded(None, reason=EMPTY)
    if b"\0" in raw:
        return Decoded(None, reason=HOLDS_NUL)
    if len(raw) - len(raw.translate(None, _CONTROLS)) > _CONTROLS_AT_MOST * len(raw):
        return Decoded(None, reason=NOT_TEXT)
    for encoding in _candidates(raw):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return as_text(text, encoding)
    return Decoded(None, reason=NOT_TEXT)


def as_text(text: str, encoding: str = "utf-8") -> Decoded:
    """The same rules for what arrives as characters (JSON, an API): no NUL, no lone surrogates, line feeds only."""
    if "\0" in text:
        return Decoded(None, reason=HOLDS_NUL)
    if not _is_encodable(text):
        return Decoded(None, reason=NOT_TEXT)
    text = text.lstrip("\ufeff")
    newlines = _newlines(text)
    if newlines != "lf":
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Decoded(text, encoding, newlines=newlines) if text.strip() else Decoded(None, reason=EMPTY)


def _candidates(raw: bytes) -> Iterator[str]:
    """Codecs to try, in order; each is looked for only when those before it failed."""
    if raw.startswith(BOM):
        yield "utf-8-sig"
        return
    cookie = _cookie(raw)
    if cookie in _SEVEN_BIT:
        yield cookie
    yield "utf-8"
    if cookie:
        yield cookie
    elif _is_plausible_western(raw):
        yield "cp1252"


def _cookie(raw: bytes) -> str:
    """The codec that the first two lines declare, as its module's name, or '' for none, an unknown one, or UTF-8."""
    for line in raw[:COOKIE_WITHIN].splitlines()[:2]:
        if found := _COOKIE.match(line):
            return _known(found[1].decode("ascii"))
        if not _COMMENT_OR_BLANK.match(line):
            break
    return ""


def _known(name: str) -> str:
    name = re.sub(r"[-_.]+", "_", name.lower())
    name = re.sub(r"_(?:unix|dos|mac)$", "", name)  # Emacs: latin-1-unix
    name = aliases.get(name, name)
    return name if name in _CODECS and name != "utf_8" else ""


def _is_plausible_western(raw: bytes) -> bool:
    """Whether bytes that are not UTF-8 may be Windows-1252. Central European Latin alphabets but Polish pass too: a guess, said so."""
    high = len(raw) - len(raw.translate(None, _HIGH))
    if high > _HIGH_AT_MOST * len(raw):
        return False
    runs = short = 0
    for run in _HIGH_RUN.finditer(raw):
        runs, short = runs + 1, short + (run.end() - run.start() <= _SHORT_RUN)
    signs = sum(1 for _ in _SIGN_IN_WORD.finditer(raw))
    return short >= _SHORT_RUNS_AT_LEAST * runs and signs <= _SIGNS_IN_WORDS_AT_MOST * runs


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _newlines(text: str) -> str:
    if "\r" not in text:
        return "lf"
    pairs = text.count("\r\n")
    bare_cr, bare_lf = text.count("\r") - pairs, text.count("\n") - pairs
    if pairs and not bare_cr and not bare_lf:
        return "crlf"
    return "cr" if bare_cr and not pairs and not bare_lf else "mixed"
