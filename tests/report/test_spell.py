"""Numbers as people read them, and verdicts that are as plain about a loss as about a win."""

from __future__ import annotations

import dataclasses

import pytest

from minisc.report import spell
from minisc.report.verdict import verdict
from tests.report import stories


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("bytes_kept", 41_234_567, "41.2 MB"), ("documents_kept", 1_234_567, "1,234,567"), ("bits_per_byte", 1.81234, "1.8123"),
        ("zlib_bits_per_byte", 2.0, "2.0000"), ("tokens_per_second", 91_220.4, "91,220"), ("bytes_per_token", 3.2111, "3.21"),
        ("seconds", 252, "4 min 12 s"), ("mfu", 0.314, "31.4 %"), ("lr", 0.00002, "2.00e-05"), ("name", "x", "x"), ("cached", True, "True"),
        ("loss", float("nan"), "nan"),
    ],
)  # fmt: skip
def test_a_figure_is_told_in_the_unit_of_its_name(name: str, value: object, told: str) -> None:
    assert spell.figure(name, value) == told


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "0.0 s"), (9.96, "10.0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (7500, "2 h 05 min")]
)
def test_seconds(seconds: float, told: str) -> None:
    assert spell.seconds(seconds) == told


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    assert [spell.share(*pair) for pair in ((0, 0), (0, 9), (1, 9_999), (9_999, 10_000), (1, 1))] == [
        "0 %",
        "0.0 %",
        "under 0.1 %",
        "99.9 %",
        "100.0 %",
    ]


def scored(bits: float) -> str:
    figures = {"bits_per_byte": bits, "zlib_bits_per_byte": 2.0, "xz_bits_per_byte": 2.2}
    return verdict(dataclasses.replace(stories.full(), scores={"bits_per_byte": {"figures": figures}}))


def test_the_verdict_says_where_the_model_stands() -> None:
    assert scored(1.8).endswith("never seen: 10 % below zlib -9 (2.00), 18 % below xz -9 (2.20).")
    assert scored(2.1).endswith("never seen: 5 % above zlib -9 (2.00), 5 % below xz -9 (2.20).")
    assert "level with zlib -9" in scored(2.004)


def test_without_scores_the_verdict_counts_documents() -> None:
    assert verdict(dataclasses.replace(stories.full(), scores={})) == "6,225 of 9,812 documents were kept for training."
