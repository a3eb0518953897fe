"""The filter `format`: what ruff makes of code, and what becomes of what it does not understand."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import Doc
from minisc.core.errors import UserError
from minisc.filters import ruff_batch
from minisc.filters.format import Format
from tests.support import notes, reasons, row, rows_of, run_stage

SETTINGS = yaml.safe_load((Path(__file__).resolve().parents[2] / "conf" / "filters" / "format.yaml").read_text())["format"]


def stage(**changes: Any) -> Format:
    return Format(**{key: value for key, value in {**SETTINGS, **changes}.items() if key != "_target_"})


def formatted(*texts: str, **more: Any) -> tuple[list[str], list[dict[str, str]]]:
    table = run_stage(stage(), rows_of(texts), **more)
    assert set(reasons(table).values()) <= {""}, "nothing is dropped"
    return table["text"].to_pylist(), list(notes(table).values())


UGLY, PRETTY = "def f( a,b ):\n    return {  'a':a,'b' : b }\n", 'def f(a, b):\n    return {"a": a, "b": b}\n'


def test_code_is_formatted_and_what_is_formatted_is_untouched() -> None:
    assert formatted(UGLY, PRETTY) == ([PRETTY, PRETTY], [{}, {}])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f(:\n    return  1\n", "unparsable"),
        ("print 'two'\n", "unparsable"),
        ("  \n \n", "empty"),
        ("error: Failed to parse 1.py:1:5\n", "unparsable"),
    ],
)
def test_what_cannot_be_formatted_stays_as_it_was_with_a_note(text: str, why: str) -> None:
    """The file beside it is formatted all the same, whatever a text makes ruff say."""
    texts, told = formatted(text, UGLY)
    assert texts == [text, PRETTY]
    assert told == [{"format": f'"{why}"'}, {}]


def test_a_lone_surrogate_is_left_alone() -> None:
    (verdict, other) = stage()._judge(_docs("x = '\udc80'\n", UGLY))
    assert (verdict.text, verdict.notes) == (None, {"format": "not_unicode"})
    assert other.text == PRETTY


def _docs(*texts: str) -> list[Doc]:
    return [Doc(uid=str(at), text=text, size=len(text)) for at, text in enumerate(texts)]


def test_the_batch_does_not_matter() -> None:
    texts = [UGLY, "x = (\n", "x  =  1\n", "", "if x :\n  y\n"]
    assert formatted(*texts, batch=1) == formatted(*texts, batch=3) == formatted(*texts)


def test_a_text_that_ends_ruff_is_given_up_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stands in for a crash: a program that aborts when it sees one word, and is ruff otherwise."""
    fake = tmp_path / "ruff"
    fake.write_text(f'#!/bin/sh\ngrep -q ABORT ./*.py && kill -ABRT $$\nexec {ruff_batch.program()} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(ruff_batch, "program", lambda: str(fake))
    texts, told = formatted(UGLY, "ABORT  =  1\n", UGLY, "x = (\n", UGLY)
    assert texts == [PRETTY, "ABORT  =  1\n", PRETTY, "x = (\n", PRETTY]
    assert [one.get("format") for one in told] == [None, '"crashed"', None, '"unparsable"', None]


def test_no_configuration_of_the_machine_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ruff.toml").write_text("line-length = 20\nindent-width = 8\n")
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "build").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "build"))
    monkeypatch.setenv("RUFF_LINE_LENGTH", "20")
    assert formatted(UGLY)[0] == [PRETTY]


def test_line_ends_and_deep_texts_come_through() -> None:
    texts, _ = formatted("x  =  1\r\ny = 2\r\n", "x = " + "(" * 150 + "1" + ")" * 150 + "\n")
    assert texts[0] == "x = 1\r\ny = 2\r\n"
    assert ast.literal_eval(texts[1].partition("=")[2].strip()) == 1


def test_only_code_is_formatted() -> None:
    assert run_stage(stage(), [row(UGLY, kind="text")])["text"].to_pylist() == [UGLY]


def test_ruffs_version_enters_the_fingerprint_and_ruff_is_asked_before_the_run() -> None:
    assert stage().identity() == {"ruff": ruff_batch.version()}
    with pytest.raises(UserError, match="does not take"):
        stage(target_version="py399").identity()


@settings(deadline=None, max_examples=8)
@given(st.lists(st.text(alphabet="ab =()[]:\n#'\"\\\t\x0c", max_size=40), max_size=12))
def test_what_parsed_before_is_the_same_program(texts: list[str]) -> None:
    texts = ["x\n" + text for text in texts]  # a text that opens with a string is a docstring, whose white space ruff tidies
    after, _ = formatted(*texts)
    for text, now in zip(texts, after, strict=True):
        try:
            tree = ast.dump(ast.parse(text))
        except (SyntaxError, ValueError):
            continue
        assert ast.dump(ast.parse(now)) == tree


@pytest.mark.parametrize(
    ("changes", "where"),
    [({"line_length": 0}, "filters.format.line_length=0"), ({"target_version": "3.11"}, "filters.format.target_version=3.11")],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        stage(**changes)
    assert caught.value.where == where and caught.value.do
