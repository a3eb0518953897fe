"""The engine: spans, prefixes, long lines, plugins without anchors."""

from __future__ import annotations

import re

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from minisc.text.literals import Literals
from minisc.text.sensitive.anchors import plain
from minisc.text.sensitive.engine import WINDOW, SecretsEngine

TOKEN = "ghp_" + "a8Kd02LmPq93XzRt7VbN51YcWs64HuEjGfTo"


def found(text: str, plugins: dict[str, dict[str, float]], filters: tuple[str, ...] = ()) -> set[str]:
    engine = SecretsEngine(plugins, filters, "filters.pii")
    simple = plain(text)
    return {
        text[finding.start : finding.end]
        for finding in engine.find(text, simple, Literals(["\0", *engine.literals]).places(simple.lower()))
    }


def test_a_captured_prefix_stands_for_the_whole_match() -> None:
    assert found(f"a = '{TOKEN}' + 'ghp'", {"GitHubTokenDetector": {}}) == {TOKEN}


def test_the_limit_is_the_plugins_own() -> None:
    text = "a = '2b00042f7481c7b056c4b410d28f33cf'"
    assert found(text, {"HexHighEntropyString": {"limit": 3.0}}) == {"2b00042f7481c7b056c4b410d28f33cf"}
    assert found(text, {"HexHighEntropyString": {"limit": 3.9}}) == set()


def test_a_filter_takes_back() -> None:
    text = "client_id = '2b00042f7481c7b056c4b410d28f33cf'"
    assert found(text, {"HexHighEntropyString": {}}) and not found(text, {"HexHighEntropyString": {}}, ("is_likely_id_string",))


def test_a_string_between_two_others_is_not_overlooked() -> None:
    value = "2b00042f7481c7b056c4b410d28f33cf"
    assert found(f'"{value[::-1]}"{value}"', {"HexHighEntropyString": {}}) == {value, value[::-1]}


def test_a_secret_anywhere_in_a_long_line_is_found() -> None:
    for before in (0, 1, 500, 1023, 1024, WINDOW - 10, 3 * WINDOW + 700):
        for after in (0, 40, 5 * WINDOW):
            line = "x" * before + f" '{TOKEN}' " + "y " * after
            assert TOKEN in found(line, {"GitHubTokenDetector": {}}), (before, after)


class Unreadable(RegexBasedDetector):
    """A plugin whose pattern has no anchor."""

    secret_type = "unreadable"
    denylist = (re.compile(r"(?:a|.)b+(\w\w)"),)


def test_a_plugin_without_anchors_runs_on_every_line() -> None:
    known = get_mapping_from_secret_type_to_class()
    known["unreadable"] = Unreadable
    try:
        assert found("c\n xbb12345678\nabxy", {"Unreadable": {}}) == {"xbb12", "abxy"}
    finally:
        del known["unreadable"]


def test_lines_end_at_carriage_returns_too() -> None:
    text = f"id = 1\rkey = '{TOKEN}'\r"
    assert found(text, {"GitHubTokenDetector": {}}) == {TOKEN}
