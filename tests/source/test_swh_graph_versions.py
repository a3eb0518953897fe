"""The order of versions against dpkg itself, and against pip's rules."""

from __future__ import annotations

import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.source.swh_graph.versions import dpkg_key, pep440_key

DEBIAN = [
    "0", "0~", "0~~", "1", "1.0", "1.0-1", "1.0-1.1", "1.0-2", "1.0-10", "1.0+dfsg-1", "1.0~rc1-1", "1.0~rc1-2", "1.0a-1", "1.0A-1", "1.0.1-1", "1.10-1", "1.9-1", "1:0.1-1",
    "2:0.1-1", "1.0-1+deb9u1", "1.0-1~bpo9+1", "2018.01.01", "1.0-0ubuntu1", "3.0-1-2", "1.001-1", "1.01-1", "a", "1.0+", "1.0-", "09", "9",
]  # fmt: skip


def test_debian_s_order_is_dpkg_s_own() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("no dpkg on this machine")
    pairs = [
        (a, b)
        for a in DEBIAN
        for b in DEBIAN
        if a < b and a[0].isdigit() and b[0].isdigit() and not a.endswith("-") and not b.endswith("-")
    ]
    for first, second in random.Random(1).sample(pairs, 150):
        less = subprocess.run(["dpkg", "--compare-versions", first, "lt", second], check=False).returncode == 0
        assert (dpkg_key(first) < dpkg_key(second)) == less, (first, second)
        assert (dpkg_key(first) == dpkg_key(second)) == (
            not less and subprocess.run(["dpkg", "--compare-versions", first, "eq", second], check=False).returncode == 0
        )


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_can_be_ordered(first: str, second: str) -> None:
    for key in (dpkg_key, pep440_key):
        assert (key(first) < key(second)) + (key(second) < key(first)) + (key(first) == key(second)) == 1


def test_pypi_s_newest_is_what_pip_would_take() -> None:
    ordered = ["nonsense", "2.0rc1", "3.0.dev1", "1.0", "1.0.post1", "1.9", "1.10", "1!0.1"]
    assert sorted(ordered, key=pep440_key) == ordered  # final releases above pre-releases, what is no version below all


def test_very_long_versions_cost_nothing() -> None:
    assert dpkg_key("1" * 10**6) and pep440_key("1." * 10**6)
