"""What looks like a secret and is none: the reason why a random-looking string stays in the text, or ''.

In: a value that an entropy limit or a loose pattern calls secret, and its place. Out: one of REASONS or ''.
Each reason is judged for one place, never for a file: bigcode-dataset spares every key of a file in which `sha` occurs once
in fifty lines, be it in `x.shape`. A word like `secret` or `token` on the line takes the benefit of the doubt away.

    number       decimal digits only
    alphabet     half of its neighbours follow one another: 0123456789abcdef, ZYXWV
    identifier   a name that the source defines, imports or calls
    words        made of the letter pairs of English identifiers: image-classification/resnet50
    hash         hexadecimal or base64 as long as a digest, and its line or the two before call it hash, revision, etag, …, or it is the
                 value of a file's name; 12 hexadecimal digits given as a (down_)revision, as alembic numbers migrations
    object_id    24 hexadecimal digits, the first eight a time between 2004 and 2040 in seconds: MongoDB's ids, whatever else is on
                 the line where an `id` is given; LVM's ids of volumes; Relay's ids, base64 of Type:number or Type:uuid
    public       hexadecimal as long as the id of a public key, and its line or the two before speak of public keys or OpenPGP
    test_vector  hexadecimal bytes handed to `fromhex` and the like, or compared, or in a test
    table        one of five or more different ones of the same length: tables of digests, primes, vectors
    data         an image, font, archive, certificate or public key in base64, by its first bytes, 500 and more characters, or bytes with
                 escapes: no key holds a backslash

What a plugin knows by its form (`AKIA…`, `SK…`) is no guess. Of such a finding only two things are asked, by `form_to_spare`:

    placeholder  half of it is one character: ACxxxxxxxx
    piece        a letter or digit stands right before it: four letters of a font or a genome in base64, not the beginning of a key
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

REASONS = (
    "number",
    "alphabet",
    "identifier",
    "words",
    "hash",
    "object_id",
    "test_vector",
    "table",
    "data",
    "public",
    "placeholder",
    "piece",
)
_HEX = re.compile(r"[0-9a-fA-F]+")
# The 200 commonest letter pairs of identifiers in CPython's library: 90 % of the pairs in words, 30 % in random letters.
_PAIRS = frozenset(
    pair[0] + second
    for pair in [
        "abcdgilmnprstuy",
        "baeilou",
        "cacehiklortu",
        "daeiosu",
        "eacdefglmnpqrstvx",
        "faefiloru",
        "gaeir",
        "haeio",
        "iabcdefglmnoprstvz",
        "ke",
        "ladeilostuy",
        "maeimopsu",
        "nacdefginostv",
        "oabcdglmnoprstuvw",
        "paeiloprstu",
        "qu",
        "racdegimnorstuy",
        "sacehiopstu",
        "tacehilorstuy",
        "uabcelmnprst",
        "vaei",
        "wai",
        "xpt",
        "yp",
        "ze",
    ]
    for second in pair[1:]
)
_HASH_WORD = re.compile(
    r"(?<![a-z])(?:sha\d*|md5|blake\w?|hash(?:e[sd])?|digests?|checksums?|crc\d*|commits?|revisions?|rev|git|etag|fingerprint|serial|integrity|blob"
    r"|oid|image|signature|[ug]uid|snapshot|version|bytes|build)(?![a-z])",
    re.IGNORECASE,
)
_KEY_WORD = re.compile(
    r"secret|(?<!public_key_)token|pass_?w|pwd|api_?key|access_?key|private_?key|auth(?!or(?!i))|credential", re.IGNORECASE
)
_BARE_KEY = re.compile(r"(?<![a-z])keys?(?![a-z])", re.IGNORECASE)
_VECTOR_WORD = re.compile(
    r"fromhex|unhexlify|a2b_hex|b2a_hex|hexlify|hexdigest|vector|expect|assert|b64decode|b64encode|b16", re.IGNORECASE
)
_DIGESTS = frozenset((32, 40, 48, 56, 64, 96, 128))
_DIGESTS_BASE64 = frozenset((22, 24, 27, 28, 38, 40, 43, 44, 64, 86, 88))
_FILE_KEY = re.compile(r"\.[A-Za-z]\w{0,5}[\"']\s{0,4}:\s{0,8}[\"']?\s")  # "ecg.dat": "…"
_OBJECT_ID = re.compile(r"[4-8][0-9a-f]{23}")
_ID_GIVEN = re.compile(r"(?:^|[^A-Za-z])ids?[\"']?\s{0,4}[:=]\s{0,4}[\"']?\Z", re.IGNORECASE)  # JobInfo(id="…
_LVM_ID = re.compile(r"\w{6}(?:-\w{4}){5}-\w{6}")
_PUBLIC_WORD = re.compile(r"public_?key|key_?id|key_?server|fingerprint|(?<![a-z])(?:pgp|gpg|apt)(?![a-z])", re.IGNORECASE)
_PUBLIC_IDS = frozenset((8, 16, 40))  # hexadecimal digits: OpenPGP's ids and fingerprints, .NET's tokens of public keys
_RELAY_ID = re.compile(rb"[A-Z][A-Za-z]{2,40}:(?:\d{1,20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_REVISION = re.compile(r"revision(?:\s?:[^=\n]{1,60})?\s?=[\s('\",]")  # revision: str = "…
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ESCAPE = re.compile(r"(?:\\(?:[abfnrtv0]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})|%[0-9a-fA-F]{2})\Z")
_YEAR_2040 = "83aa7e80"  # seconds since 1970; 40000000 is 2004
_MAGIC = re.compile(
    r"iVBORw0KGgo|/9j/|R0lGOD|UklGR|PHN2Zy|d09G|H4sI|JVBERi|UEsDB|AAABAA|Qk0|AAEAAAA|T2dnUw|SUkq|TU0AK|gA[ASUWX]|AAAA[BCE]3NzaC1|LS0tLS1CRUdJTiB"
)
_CERTIFICATE = re.compile(r"M[I-L][A-Z][A-Za-z0-9+/]{60}")
_LONG = 500
_TABLE = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its line, that line with the two before it, whether the file's path is that of a test, and the document."""

    line: str
    nearby: str
    in_test: bool
    text: str


def place_of(text: str, start: int, end: int, in_test: bool) -> Place:
    """The place of characters `start` to `end`; lines are cut to 500 characters on either side."""
    begin = max(text.rfind("\n", 0, start) + 1, start - _LONG)
    stop = text.find("\n", end, end + _LONG)
    above = begin
    for _ in range(2):
        above = max(0, text.rfind("\n", max(0, above - _LONG), max(0, above - 1)) + 1)
    return Place(text[begin : stop if stop >= 0 else end + _LONG], text[above:start], in_test, text)


def reason_to_spare(value: str, place: Place, lengths: Iterable[int] = ()) -> str:
    """Why `value` is no secret, or ''. `lengths`: of all the different values of its sort in the document, for `table`."""
    if value.isdecimal():
        return "number"
    if _is_alphabet(value):
        return "alphabet"
    if value.isidentifier() and re.search(rf"(?m)(?:\b(?:class|def|import|as)\s+|^\s*+|[.=(]\s?){value}\s?[(:=,\[]", place.text):
        return "identifier"
    if is_words(value):
        return "words"
    outside = _in_words(place.line.replace(value, " "))
    if _OBJECT_ID.fullmatch(value) and value[:8] < _YEAR_2040 and _ID_GIVEN.search(place.nearby):
        return "object_id"
    if _KEY_WORD.search(outside):
        return ""
    if _is_hash(value, place):
        return "hash"
    if (_OBJECT_ID.fullmatch(value) and value[:8] < _YEAR_2040) or _LVM_ID.fullmatch(value) or _is_relay_id(value):
        return "object_id"
    if len(value) in _PUBLIC_IDS and _HEX.fullmatch(value) and _PUBLIC_WORD.search(_in_words(place.nearby) + outside):
        return "public"
    if _VECTOR_WORD.search(outside) and (place.in_test or not _BARE_KEY.search(outside)):
        return "test_vector"
    if place.in_test and _HEX.fullmatch(value):
        return "test_vector"
    if "\\" in value or _MAGIC.match(value) or len(value) >= _LONG or _CERTIFICATE.match(value):
        return "data"
    return "table" if sum(length == len(value) for length in lengths) >= _TABLE else ""


def form_to_spare(text: str, start: int, end: int) -> str:
    """Why characters `start` to `end`, which have the form of a known kind of secret, are none, or ''."""
    value = text[start:end]
    if 2 * max(map(value.count, set(value))) >= len(value):
        return "placeholder"
    before = text[max(0, start - 6) : start]
    return "piece" if before[-1:].isalnum() and not _ESCAPE.search(before) else ""


def _is_relay_id(value: str) -> bool:
    try:
        return bool(_RELAY_ID.fullmatch(base64.b64decode(value, validate=True)))
    except ValueError:
        return False


def _in_words(line: str) -> str:
    """`md5OfBody` as `md5_Of_Body`, so that words in it are found as words."""
    return _HUMP.sub("_", line)


def _is_alphabet(value: str) -> bool:
    steps = [abs(ord(right) - ord(left)) == 1 for left, right in itertools.pairwise(value)]
    return 2 * sum(steps) >= len(value) - 1


def is_words(value: str) -> bool:
    """Whether most of it is letters that follow each other as in words: two of three pairs are common ones, in half of its length."""
    pairs = [value[at : at + 2] for at in range(len(value) - 1)]
    inside = [pair.lower() for pair in pairs if pair.isascii() and pair.isalpha() and not (pair[0].islower() and pair[1].isupper())]
    return 2 * len(inside) >= len(pairs) and 3 * sum(pair in _PAIRS for pair in inside) >= 2 * len(inside)


def _is_hash(value: str, place: Place) -> bool:
    digest = (
        len(value) in _DIGESTS
        if _HEX.fullmatch(value)
        else len(value) in _DIGESTS_BASE64 or value.startswith(("sha256", "sha384", "sha512"))
    )
    line = place.line.replace(value, " ")
    if len(value) == 12 and _HEX.fullmatch(value) and _REVISION.search(line):
        return True
    return digest and bool(_HASH_WORD.search(_in_words(place.nearby + line)) or _FILE_KEY.search(line))
