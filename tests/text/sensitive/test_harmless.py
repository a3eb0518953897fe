"""Why a random-looking string stays."""

from __future__ import annotations

import random
import secrets

import pytest

from minisc.text.sensitive.harmless import form_to_spare, is_words, place_of, reason_to_spare

HEX40 = "81fd1d6e7847c99f5862c9fb81387956d99ec7aa"
RELAY = "V2FyZWhvdXNlOjJjMGNiODAwLTU0N2ItNDM1ZS04Y2UwLTkyYTFiOTE1ZmFkMQ=="  # Warehouse:2c0cb800-547b-435e-8ce0-92a1b915fad1
JOB, VOLUME = "687fb701029421ae5549d998", "66Ojcd-ULtu-1cZa-Tywo-mx0d-RF4O-ysA9jK"


def reason(line: str, value: str, in_test: bool = False, lengths: tuple[int, ...] = ()) -> str:
    text = f"a = 1\nb = 2\n{line}\nc = 3\n"
    at = text.index(value)
    return reason_to_spare(value, place_of(text, at, at + len(value), in_test), lengths)


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("x = '744978844374498153493943'", "744978844374498153493943", "number"),
        ("x = '0123456789abcdefghijklm'", "0123456789abcdefghijklm", "alphabet"),
        ("x = 'image-classification/resnet'", "image-classification/resnet", "words"),
        (f"revision = '{HEX40}'", HEX40, "hash"),
        (f"git_rev('{HEX40}')", HEX40, "hash"),
        (f"y = x.shape, '{HEX40}'", HEX40, ""),
        (f"y = share, '{HEX40}'", HEX40, ""),
        (f"revision_token = '{HEX40}'", HEX40, ""),
        ("revision = '81fd1d6e7847c99'", "81fd1d6e7847c99", ""),
        (f"x = fromhex('{HEX40[:30]}')", HEX40[:30], "test_vector"),
        (f"key = fromhex('{HEX40[:30]}')", HEX40[:30], ""),
        ("x = 'iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAA'", "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAA", "data"),
        (f"'md5OfBody': '{HEX40[:32]}'", HEX40[:32], "hash"),
        (f"SHAPE = '{HEX40[:32]}'", HEX40[:32], ""),
        (f"Blob(author='jo', sha='{HEX40}')", HEX40, "hash"),
        (f"Blob(authority='jo', sha='{HEX40}')", HEX40, ""),
        (f"passWord, sha = '{HEX40}'", HEX40, ""),
        (f"Job(id='{JOB}', secrets={{}})", JOB, "object_id"),
        (f"Job(valid='{JOB}', secrets={{}})", JOB, ""),
        (f"client_secret = '{JOB}'", JOB, ""),
        (f"uid = '{VOLUME}'", VOLUME, "object_id"),
        (f"apt-key: '{HEX40[:16].upper()}'", HEX40[:16].upper(), "public"),
        (f"keyId = '{HEX40[:16].upper()}'", HEX40[:16].upper(), "public"),
        (f"publicKeyToken='{HEX40[:16]}'", HEX40[:16], "public"),
        (f"token='{HEX40[:16]}', public_key", HEX40[:16], ""),
        ("down_revision: str | None = '9e8c841d1a30'", "9e8c841d1a30", "hash"),
        ("down_revision = ('0ec979123ba4', 'd7d747033183')", "d7d747033183", "hash"),
        ("revised = '9e8c841d1a30'", "9e8c841d1a30", ""),
        (f"'eq': '{RELAY}'", RELAY, "object_id"),
        (f"'token': '{RELAY}'", RELAY, ""),
        ("'eq': 'YWRtaW46aHVudGVyMmh1bnRlcjI='", "YWRtaW46aHVudGVyMmh1bnRlcjI=", ""),  # admin:hunter2hunter2
        (f"fingerprint_api_key = '{HEX40}'", HEX40, ""),
    ],
)
def test_reasons(line: str, value: str, expected: str) -> None:
    assert reason(line, value) == expected


@pytest.mark.parametrize(
    ("before", "value", "expected"),
    [
        ("x = '", "AKIAIOSFODNN7EXAMPLQ", ""),
        ("AWS_KEY_", "AKIAIOSFODNN7EXAMPLQ", ""),
        (r"print('a\n", "AKIAIOSFODNN7EXAMPLQ", ""),
        (r"b'\x00", "AKIAIOSFODNN7EXAMPLQ", ""),
        ("?key%3D", "AKIAIOSFODNN7EXAMPLQ", ""),
        ("x = 'QAHAEwAAQAAgAH", "AKIAAQBDCC4ABECHFM0A", "piece"),
        ("'TATCGTCGAAATC", "ACCACGCTGACGCTGCAGGT", "piece"),
        ("x = '", "AC" + "x" * 32, "placeholder"),
        ("x = '", "AC" + "0123456789abcdef" * 2, ""),
    ],
)
def test_what_only_has_the_form_of_a_secret(before: str, value: str, expected: str) -> None:
    text = f"{before}{value}'"
    assert form_to_spare(text, len(before), len(before) + len(value)) == expected


def test_one_of_many_of_the_same_length_is_a_table() -> None:
    assert reason(f"'{HEX40[:30]}',", HEX40[:30], lengths=(30,) * 5) == "table"
    assert reason(f"'{HEX40[:30]}',", HEX40[:30], lengths=(30,) * 4) == ""


def test_a_word_two_lines_above_counts_but_not_three() -> None:
    for between, expected in (("b = 2\n", "hash"), ("b = 2\nd = 4\n", "")):
        text = f"checksum = (\n{between}'{HEX40}')\n"
        at = text.index(HEX40)
        assert reason_to_spare(HEX40, place_of(text, at, at + 40, False), ()) == expected


def test_random_letters_are_no_words() -> None:

    draw = random.Random(5)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    assert sum(is_words("".join(draw.choices(letters, k=32))) for _ in range(2000)) <= 1
    assert sum(is_words("".join(draw.choices(letters[26:52], k=24))) for _ in range(2000)) <= 20
    words = ["getUserAuthentication", "text_generation_pipeline", "transformers/models/bert", "application/octet-stream"]
    assert all(map(is_words, words)) and not is_words(secrets.token_hex(16))
