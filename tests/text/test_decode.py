"""Bytes to text: encodings by sample, refusals by reason, and laws for any bytes at all."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text import decode as module
from minisc.text.decode import Decoded, as_text, decode

CODE = "def sum_of(a, b):\n    # {}\n    return a + b  # the sum, in plain ASCII as most of any source file is\n"

GERMAN = "Größe der Stichprobe, häufig über fünf; Prüfung für Übergänge"
FRENCH = "la fenêtre a été créée à l'entrée, où c'était déjà prêt: cœur"
SPANISH = "función que devuelve el tamaño, ¿cuántos años? también así"
PORTUGUESE = "função não válida: coleção, três opções, também é só isso"
RUSSIAN = "Функция возвращает сумму двух чисел и печатает её"
GREEK = "η συνάρτηση επιστρέφει το άθροισμα δύο αριθμών"
POLISH = "Zażółć gęślą jaźń: mała łódka płynie, ląd już był blisko, więc ząb"


@pytest.mark.parametrize("comment", [GERMAN, FRENCH, SPANISH, PORTUGUESE])
def test_western_text_without_a_cookie_is_windows_1252(comment: str) -> None:
    text = CODE.format(comment)
    assert decode(text.encode("cp1252")) == Decoded(text, "cp1252")


@pytest.mark.parametrize(
    ("comment", "codec"),
    [
        (RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r"), (RUSSIAN, "cp866"), (GREEK, "cp1253"), (POLISH, "cp1250"),
        ("返回两个数的和并打印出来", "gbk"), ("二つの数の和を返して表示する", "shift_jis"), ("二つの数の和を返す", "euc_jp"), ("두 수의 합을 반환한다", "cp949"),
    ],
)  # fmt: skip
def test_other_scripts_without_a_cookie_are_not_guessed(comment: str, codec: str) -> None:
    assert decode(CODE.format(comment).encode(codec)) == Decoded(None, reason="not_text")


@pytest.mark.parametrize(
    ("cookie", "codec", "comment", "encoding"),
    [
        ("# -*- coding: latin-1 -*-", "latin-1", GERMAN, "latin_1"),
        ("# -*- coding: iso-8859-15 -*-", "iso8859-15", FRENCH, "iso8859_15"),
        ("# vim: set fileencoding=cp1251 :", "cp1251", RUSSIAN, "cp1251"),
        ("#!/usr/bin/python\n# coding=KOI8-R", "koi8_r", RUSSIAN, "koi8_r"),
        ("# coding: latin-1-unix", "latin-1", GERMAN, "latin_1"),
        ("\n# coding: gbk", "gbk", "返回两个数的和", "gbk"),
        ("# coding: sjis", "shift_jis", "二つの数の和を返す", "shift_jis"),
        ("# coding: iso-2022-jp", "iso2022_jp", "二つの数の和を返す", "iso2022_jp"),
    ],
)
def test_the_cookie_of_pep_263_is_honoured(cookie: str, codec: str, comment: str, encoding: str) -> None:
    text = f"{cookie}\n{CODE.format(comment)}"
    found = decode(text.encode(codec))
    assert found == Decoded(text, encoding)
    assert text.encode(codec).decode(found.encoding) == text


def test_a_cookie_after_code_or_on_the_third_line_is_none() -> None:
    for head in ("import os\n# coding: cp1251\n", "#\n#\n# coding: cp1251\n"):
        assert decode(f"{head}# {RUSSIAN}\n".encode("cp1251")).reason == "not_text"


@pytest.mark.parametrize(
    "name", ["rot13", "zlib", "hex", "base64", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf-7", "mbcs", "no_such"]
)
def test_codecs_that_are_no_text_encodings_are_not_used(name: str) -> None:
    text = f"# coding: {name}\nvalue = '+ADw- \\x41 Grfg'\n"
    assert decode(text.encode()) == Decoded(text, "utf-8")
    assert decode(text.encode() + b"# \xff\xfe\xfd\xfc\xfb\n").reason == "not_text"


def test_utf8_comes_before_a_cookie_that_contradicts_it() -> None:
    text = f"# coding: latin-1\n# {GERMAN}\n"
    assert decode(text.encode("utf-8")) == Decoded(text, "utf-8")


def test_the_byte_order_mark_is_taken_off() -> None:
    assert decode(codecs.BOM_UTF8 + b"x = 1\n") == Decoded("x = 1\n", "utf-8-sig")
    assert decode(codecs.BOM_UTF8 * 3 + b"x = 1\n").text == "x = 1\n"
    assert decode(codecs.BOM_UTF8 + b"x = '\xff'\n").reason == "not_text"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty"), (b" \n\t\r\n", "empty"), (codecs.BOM_UTF8, "empty"),
        (b"x = 1\0\n", "holds_nul"), ("x = 1\n".encode("utf-16"), "holds_nul"),
        (bytes(range(1, 32)) * 4, "not_text"), (b"\xed\xa0\x80 x = 1\n", "not_text"),
        (b"x = 1\n" + bytes(range(128, 256)), "not_text"), (b"# \x81 alone is no Windows-1252\n", "not_text"),
    ],
)  # fmt: skip
def test_what_is_no_text_says_why(raw: bytes, reason: str) -> None:
    assert decode(raw) == Decoded(None, reason=reason)


@pytest.mark.parametrize(
    ("raw", "text", "newlines"),
    [
        (b"a\nb\n", "a\nb\n", "lf"), (b"a\r\nb\r\n", "a\nb\n", "crlf"), (b"a\rb\r", "a\nb\n", "cr"), (b"a\r\nb\nc\r", "a\nb\nc\n", "mixed"),
        (b"a\n\r\nb", "a\n\nb", "mixed"), (b"a\x0cb\x0b\n", "a\x0cb\x0b\n", "lf"),
    ],
)  # fmt: skip
def test_lines_end_in_line_feeds_and_the_original_convention_is_told(raw: bytes, text: str, newlines: str) -> None:
    assert decode(raw) == Decoded(text, "utf-8", newlines=newlines)


def test_characters_from_elsewhere_follow_the_same_rules() -> None:
    assert as_text("a\r\n") == Decoded("a\n", "utf-8", newlines="crlf")
    assert as_text("\ud800") == Decoded(None, reason="not_text")
    assert as_text("a\0") == Decoded(None, reason="holds_nul")
    assert as_text("") == Decoded(None, reason="empty")


def test_every_codec_of_the_list_exists_and_agrees_with_ascii() -> None:
    plain = bytes(byte for byte in range(32, 127) if byte not in b"\\~")  # Shift JIS and its kin have yen and overline there
    for name in module._CODECS:
        assert plain.decode(name) == plain.decode("ascii"), name


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")), st.sampled_from(sorted(module._CODECS)).flatmap(
    lambda name: st.binary(max_size=80).map(lambda raw: f"# coding: {name}\n".encode() + raw))))  # fmt: skip
def test_any_bytes_give_clean_text_or_a_reason(raw: bytes) -> None:
    found = decode(raw)
    assert (found.text is None) == (found.reason in ("empty", "holds_nul", "not_text")) and (found.text is None) == (found.encoding is None)
    if found.text is not None:
        assert "\0" not in found.text and "\r" not in found.text and not found.text.startswith("\ufeff")
        assert found.text.encode("utf-8").decode("utf-8") == found.text
        assert as_text(found.text).text == found.text


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(str.strip))
def test_utf8_text_comes_back_as_it_is(text: str) -> None:
    assert decode(b"#\n" + text.encode("utf-8")).text == "#\n" + text
