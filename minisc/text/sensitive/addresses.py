"""E-mail and IP addresses in source text, whole, and only where they are addresses.

In: a text. Out: spans of kind `EMAIL`, `IPV4`, `IPV6`. Every search starts at `@`, `.` or `:` and looks at most 320 characters
either way, so it is linear whatever the text. Price: 3 ms a megabyte (the usual pattern that starts at the first letter of
every word: 60).

What stays: `git@github.com` (a service, not a person), example.com and its kin (RFC 2606), domains whose last label is no
top-level domain (`W@x.shape`, `lib@latest.min.js`), private, loopback and other non-global addresses, public name servers,
version numbers, `a::b` of C++ (only 2000::/3 is given out to anybody).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from minisc.text.spans import Span

EMAIL, IPV4, IPV6 = "EMAIL", "IPV4", "IPV6"

_AT = re.compile(r"@(?<=[A-Za-z0-9_]@)[A-Za-z0-9]")
_LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}+){1,8}+")
# Names of algorithms in SSH look like mail to these.
_SERVICE_DOMAINS = frozenset(("openssh.com", "libssh.org"))
_AZURE = "core.windows.net"  # abfss://container@account.dfs.core.windows.net
_SERVICES = frozenset(("git", "svn", "hg", "cvs", "ssh", "org-git"))
_EXAMPLES = ("example", "invalid", "test", "localhost", "local")  # RFC 2606, RFC 6762
# Country codes that are also file suffixes need a second label before them (joe@x.com.py, not setup@x.py).
_SUFFIXES = frozenset(("py", "md", "so", "sh", "ps", "cc", "ml", "rs", "pl", "st", "am"))
_COUNTRIES_TEXT = """
ac ad ae af ag ai al am ao ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co
cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm
hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk
ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs
ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va
vc ve vg vi vn vu wf ws ye yt za zm zw
"""
_COUNTRIES = frozenset(_COUNTRIES_TEXT.split())
_GENERIC_TEXT = """
com org net edu gov mil int info biz name pro museum coop aero jobs mobi travel tel cat asia dev app tech online xyz site cloud email club
software science systems solutions academy agency digital network media design studio group team company global world live space website
store shop page wiki work works berlin paris london moe ninja guru engineering institute university foundation security consulting
services technology
"""
_GENERIC = frozenset(_GENERIC_TEXT.split())

_DOTTED = re.compile(r"\.(?<=\d\.)(?:\d{1,3}\.){2}\d{1,3}(?![\w]|\.\d)")
_VERSION_WORD = re.compile(r"version|\bver\b|release|changelog|firmware|\bbuild\b|revision|rfc|section|[=><~!]=|\bv$", re.IGNORECASE)
_ADDRESS_WORD = re.compile(
    r"host|\bip|ip\b|_ip|ip_|inet|addr|server|dns|port|url|http|ping|socket|connect|listen|bind|subnet|network|gateway|proxy|client|remote|router|peer|node"
    r"|broker|endpoint|://|cidr|route|forwarded",
    re.IGNORECASE,
)
_OID = re.compile(r"object_?identifier|(?<![a-z])oids?(?![a-z])", re.IGNORECASE)  # ASN.1 numbers its objects as 2.5.4.17
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6 = "0123456789abcdefABCDEF:."
# Resolvers that anybody may name: Google, Cloudflare, Quad9, OpenDNS, Level3, AdGuard.
_PUBLIC_TEXT = """
8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220 4.2.2.1 4.2.2.2 94.140.14.14 94.140.15.15
2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe
"""
_PUBLIC = frozenset(_PUBLIC_TEXT.split())
_DOCUMENTATION = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))


# IANA's registry of special-purpose addresses, of which Python 3.11 calls these global: nobody's machine is there.
_SPECIAL_TEXT = "192.0.0.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.175.48.0/24 2620:4f:8000::/48 2001::/23"
_SPECIAL = tuple(map(ipaddress.ip_network, _SPECIAL_TEXT.split()))


def addresses(text: str) -> Iterator[Span]:
    """All addresses of a text that may be somebody's."""
    yield from _emails(text)
    yield from _ipv4(text)
    yield from _ipv6(text)


def _emails(text: str) -> Iterator[Span]:
    for match in _AT.finditer(text):
        at = match.start()
        before = text[max(0, at - 64) : at]
        local = before[len(before.rstrip(_LOCAL)) :].lstrip("._%+-")
        domain = _domain(text, at + 1)
        if local and domain and not _in_userinfo(text, at, len(local)) and local.lower() not in _SERVICES:
            yield Span(at - len(_unescaped(local, before)), at + 1 + len(domain), EMAIL)


def _unescaped(local: str, before: str) -> str:
    r"""`local` without the letter of an escape before it: "\njoe@corp.org" is joe's."""
    at = len(before) - len(local)
    return local[1:] if at > 0 and before[at - 1] == "\\" and local[0] in "nrt" and len(local) > 1 else local


def _domain(text: str, start: int) -> str:
    """The domain that begins at `start`, or '' where it is none; a sentence that goes on after its dot is left out."""
    found = _DOMAIN.match(text, start, start + 256)
    labels = found[0].split(".") if found else []
    while len(labels) > 2 and labels[-1][:1].isupper() and not _is_top(labels):
        labels.pop()
    if ".".join(labels).lower() in _SERVICE_DOMAINS or ".".join(labels[-3:]).lower() == _AZURE:
        return ""
    if len(labels) < 2 or not _is_top(labels) or any(not label or label[0] == "-" or label[-1] == "-" for label in labels):
        return ""
    return "" if {label.lower() for label in labels[-2:]} & set(_EXAMPLES) else ".".join(labels)


def _is_top(labels: list[str]) -> bool:
    top = labels[-1].lower()
    return top in _GENERIC or (top in _COUNTRIES and (len(labels) > 2 or top not in _SUFFIXES))


def _in_userinfo(text: str, at: int, length: int) -> bool:
    """Whether the `@` ends the `user:password` of a URL, whose host is nobody's mail."""
    begin = text.rfind("://", max(0, at - length - 200), at)
    between = text[begin + 3 : at]
    return begin >= 0 and ":" in between and not any(map(str.isspace, between)) and "/" not in between


def _ipv4(text: str) -> Iterator[Span]:
    for match in _DOTTED.finditer(text):
        dot = match.start()
        head = text[max(0, dot - 3) : dot]
        first = head[len(head.rstrip("0123456789")) :]
        start = dot - len(first)
        if _stands_alone(text, start) and _is_somebodys(text[start : match.end()]) and not _is_version(text, start, match.end()):
            yield Span(start, match.end(), IPV4)


def _stands_alone(text: str, start: int) -> bool:
    r"""Nothing before it makes it the end of something longer; `\n` of a literal does not."""
    before = text[max(0, start - 2) : start]
    if not before:
        return True
    escaped = len(before) == 2 and before[0] == "\\" and before[1] in "nrt"
    return escaped or not (before[-1].isalnum() or before[-1] in "._" or (before[-1] == "-" and before[:-1].isalpha()))


def _is_somebodys(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    if any(address in network for network in _DOCUMENTATION if network.version == address.version):
        return not any(
            address == network.network_address for network in _DOCUMENTATION
        )  # a made-up address for a made-up one costs nothing, and real text keeps real ones there
    return address.is_global and not address.is_multicast and value.lower() not in _PUBLIC and not value.endswith(".0.0.0")


def _is_version(text: str, start: int, end: int) -> bool:
    """Words on the line decide; without any, only single digits (1.2.3.4) are a version."""
    begin = text.rfind("\n", max(0, start - 60), start) + 1 or max(0, start - 60)
    before, after = text[begin:start], text[end : end + 20].partition("\n")[0]
    if _OID.search(before[-40:]):
        return True
    if _ADDRESS_WORD.search(before) or re.match(r":\d|/\d", after):
        return False
    product = len(before) > 1 and before[-1] == "/" and before[-2].isalpha()
    return product or bool(_VERSION_WORD.search(before)) or after[:1] == "-" or (end - start == 7 and not _ADDRESS_WORD.search(after))


def _ipv6(text: str) -> Iterator[Span]:
    done = 0
    for match in _COLONS.finditer(text):
        if match.start() < done:
            continue
        before, after = text[max(0, match.start() - 45) : match.start()], text[match.end() : match.end() + 45]
        start = match.start() - (len(before) - len(before.rstrip(_IPV6)))
        end = match.end() + (len(after) - len(after.lstrip(_IPV6)))
        while end > start and text[end - 1] in ":." and text[end - 2 : end] != "::":
            end -= 1
        while start < end and text[start] in ":.":
            start += 1
        done = end
        alone = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()) or text[max(0, start - 2) : start] in (
            "\\n",
            "\\t",
        )
        if alone and text[start : start + 1] in ("2", "3") and _groups(text[start:end]) and _is_somebodys(text[start:end]):
            yield Span(start, end, IPV6)


def _groups(value: str) -> bool:
    """At least three groups, the first of four digits: 2001:db8::1, not 2::3 or 20:30:40."""
    groups = [group for group in value.split(":") if group]
    return len(groups) >= 3 and len(groups[0]) == 4
