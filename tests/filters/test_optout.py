"""The filter `optout`: what a list names never enters."""

from __future__ import annotations

from pathlib import Path

import pytest

from minisc.core.errors import BadInput
from minisc.core.fingerprint import describe
from minisc.filters.optout import Optout, repository
from tests.support import reasons, row, run_stage

HASH = "94a9ed024d3859793618152ea559a168bbcbb5e2"


def judged(tmp_path: Path, lines: str, **fields: str) -> str:
    path = tmp_path / "list.txt"
    path.write_text(lines, encoding="utf-8")
    [reason] = reasons(run_stage(Optout(lists=[str(path)]), [row(**fields)])).values()
    return reason


@pytest.mark.parametrize(
    ("lines", "fields", "reason"),
    [
        ("octo/cat  # asked on Monday\n", {"repo": "https://github.com/Octo/Cat"}, "repository"),
        ("git@github.com:octo/cat.git\n", {"repo": "octo/cat"}, "repository"),
        ("https://gitlab.com/octo/cat\n", {"repo": "https://gitlab.com/octo/cat.git"}, "repository"),
        ("https://gitlab.com/octo/cat\n", {"repo": "octo/cat"}, ""),
        ("octo/cat\n", {"repo": "octo/cats"}, ""),
        ("@octo\n", {"repo": "octo/cat"}, "account"),
        ("octo/*\n", {"repo": "octo/cat"}, "account"),
        ("@oct\n", {"repo": "octo/cat"}, ""),
        (f"swh:1:cnt:{HASH}\n", {"sha1_git": HASH}, "swhid"),
        (f"swh:1:dir:{HASH}\n", {"directory": HASH}, "swhid"),
        (f"swh:1:rev:{HASH}\n", {"revision": HASH}, "swhid"),
        (f"swh:1:dir:{HASH}\n", {"sha1_git": HASH}, ""),
        ("\n# nobody\n", {"repo": "octo/cat"}, ""),
        ("octo/cat\n", {"repo": ""}, ""),
        ("NumPy\n", {"repo": "numpy"}, "repository"),
        ("zope.interface\n", {"repo": "zope-interface"}, "repository"),
        ("octo\n", {"repo": "octo/cat"}, ""),
        ("cat\n", {"repo": "octo/cat"}, ""),
        ("https://example.org/octo\n", {"repo": "octo"}, ""),
    ],
)
def test_reasons(tmp_path: Path, lines: str, fields: dict[str, str], reason: str) -> None:
    assert judged(tmp_path, lines, **fields) == reason


def test_no_list_keeps_all() -> None:
    assert set(reasons(run_stage(Optout(lists=[]), [row()])).values()) == {""}


@pytest.mark.parametrize("line", ["octo cat", "swh:1:cnt:12", "octo cat/x y", "octo!", "*"])
def test_a_line_that_is_no_entry_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadInput) as caught:
        judged(tmp_path, f"a/b\n{line}\n")
    assert caught.value.where.endswith("list.txt, line 2") and "owner/name" in caught.value.do


def test_a_missing_list_is_an_error_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="missing"):
        Optout(lists=[str(tmp_path / "none.txt")]).identity()


def test_the_identity_is_the_contents(tmp_path: Path) -> None:
    for name, text in (("a", "o/a\n"), ("b", "o/b\n"), ("c", "o/a\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    told = [describe(Optout(lists=[str(tmp_path / name) for name in names])) for names in ("ab", "bc", "aa")]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(
    "name",
    ["octo/cat", "HTTPS://github.com/octo/cat/", "ssh://git@github.com/octo/cat.git", "git@github.com:octo/cat", "www.github.com/octo/cat"],
)
def test_one_spelling(name: str) -> None:
    assert repository(name) == "octo/cat"
