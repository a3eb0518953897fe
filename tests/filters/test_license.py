"""The license filter: classes, evidence, the header's precedence."""

from __future__ import annotations

import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import MissingExtra, UserError
from minisc.filters.license import License
from minisc.text.licenses import data_digest
from tests.support import notes, reasons, row, run_stage


def stage(**changes: Any) -> License:
    return License(**{"allow": [], "unknown": "keep", "scancode": None, "scancode_seconds": 60, "expected_drop": 0.6, **changes})


def judged(text: str = "x = 1\n", told: str | None = None, evidence: str | None = "metadata:License", **changes: Any) -> dict[str, Any]:
    table = run_stage(stage(**changes), [row(text, license=told, license_evidence=evidence if told else None)])
    return {name: table[name][0].as_py() for name in ("reason", "license", "license_evidence", "text")}


@pytest.mark.parametrize(
    ("told", "license", "reason"),
    [
        ("MIT", "MIT", None),
        ("Apache 2.0 License", "Apache-2.0", None),
        ("License :: OSI Approved :: BSD License", "BSD-3-Clause", None),
        ("mit or gpl-2.0", "MIT OR GPL-2.0-only", None),
        ("MIT AND GPL-2.0-only", "MIT AND GPL-2.0-only", "non_permissive"),
        ("GPLv3", "GPL-3.0-only", "non_permissive"),
        ("a license of my own making", "a license of my own making", "non_permissive"),
        ("UNKNOWN", "UNKNOWN", None),
        (None, None, None),
    ],
)
def test_the_sources_word(told: str | None, license: str | None, reason: str | None) -> None:
    found = judged(told=told)
    assert (found["license"], found["reason"]) == (license, reason)
    assert found["license_evidence"] == ("metadata:License" if told else None)
    assert (found["text"] is None) == (reason is not None)


def test_a_header_wins_for_its_file_both_ways() -> None:
    assert judged("# SPDX-License-Identifier: GPL-2.0-only\n", "MIT") == {
        "reason": "non_permissive", "license": "GPL-2.0-only", "license_evidence": "header", "text": None,
    }  # fmt: skip
    found = judged("# SPDX-License-Identifier: MIT\n", "GPL-2.0-only")
    assert (found["reason"], found["license"], found["license_evidence"]) == (None, "MIT", "header")


def test_documents_without_a_license_as_the_setting_says() -> None:
    assert judged(unknown="keep")["reason"] is None
    assert judged(unknown="drop")["reason"] == "no_license"
    assert judged(told="UNKNOWN", unknown="drop")["reason"] == "no_license"
    assert judged(told="GPL", unknown="drop")["reason"] == "non_permissive"


def test_further_ids_may_pass() -> None:
    assert judged(told="MPL-2.0")["reason"] == "non_permissive"
    assert judged(told="MPL-2.0", allow=["MPL-2.0"])["reason"] is None


def test_no_sample_of_a_dropped_text_is_kept() -> None:
    assert License.private


def test_the_data_files_enter_the_fingerprint() -> None:
    assert stage().identity().keys() == {"license-expression", "license data"}
    assert stage().identity()["license data"] == data_digest()


def test_rows_stay_in_order() -> None:
    rows = [row(f"x = {n}\n", uid=f"uid-{n}", license="GPL" if n % 3 else "MIT") for n in range(20)]
    assert list(reasons(run_stage(stage(), rows, batch=7)).values()) == ["non_permissive" if n % 3 else "" for n in range(20)]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"unknown": "kep"}, "filters.license.unknown=kep"),
        ({"allow": ["GPL or so"]}, "filters.license.allow"),
        ({"allow": ["Mine-1.0"]}, "filters.license.allow"),
        ({"expected_drop": 2}, "filters.license.expected_drop=2"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as raised:
        stage(**changes)
    assert raised.value.where == where and raised.value.do


def test_copyright_lines_of_what_is_kept_are_noted() -> None:
    head = "# Copyright (c) 2020 Jane Doe\n# (c) 2021 Example GmbH\n"
    rows = [
        row(head, uid="kept", license="MIT"),
        row(head, uid="dropped", license="GPL-3.0-only"),
        row("x = 1\n", uid="none", license="MIT"),
    ]
    assert notes(run_stage(stage(), rows)) == {
        "kept": {"copyright": '["Copyright (c) 2020 Jane Doe", "(c) 2021 Example GmbH"]'},
        "dropped": {},
        "none": {},
    }


GPL = """# This program is free software; you can redistribute it and/or modify it under the terms of the GNU General Public License
# as published by the Free Software Foundation; either version 2 of the License, or (at your option) any later version.
"""


def test_without_scancode_there_is_an_error_with_the_pip_line(tmp_path: Path) -> None:
    """The interpreter of an empty environment has none; another path is no interpreter."""
    venv.create(tmp_path / "empty")
    with pytest.raises(MissingExtra) as caught:
        stage(scancode=str(tmp_path / "empty/bin/python")).identity()
    assert caught.value.do == "pip install 'minisc[scancode]'" and "filters.license.scancode=" in caught.value.where
    with pytest.raises(UserError, match="no interpreter"):
        stage(scancode=str(tmp_path / "nowhere")).identity()


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], str]:
    """An "interpreter" that answers as `body` says: a program that takes ScanCode's place at the other end of the pipe."""

    def write(body: str) -> str:
        path = tmp_path / "python"
        path.write_text(
            f"#!{sys.executable}\nimport json, sys, time\nprint(json.dumps('32.5.0'), flush=True)\nfor line in sys.stdin:\n    {body}\n"
        )
        path.chmod(0o755)
        return str(path)

    return write


def test_a_notice_wins_for_its_file_and_is_asked_once(another: Callable[[str], str]) -> None:
    counting = (
        "n = globals().get('n', 0) + 1; globals()['n'] = n; print(json.dumps(['GPL-2.0-or-later'] if n == 1 else ['MIT']), flush=True)"
    )
    rows = [row(f"# Copyright {year} Joe Doe\n{GPL}import os\n", uid=str(year), license="MIT") for year in (2001, 2002, 2003)]
    table = run_stage(stage(scancode=another(counting)), [*rows, row("import os\n", uid="plain", license="MIT")])
    assert reasons(table) == {"2001": "non_permissive", "2002": "non_permissive", "2003": "non_permissive", "plain": ""}
    assert table["license_evidence"].to_pylist()[0] == "notice:scancode"


@pytest.mark.parametrize(("body", "what"), [("time.sleep(60)", "takes more than 0.5 s"), ("sys.exit(1)", "died")])
def test_a_scancode_that_hangs_or_dies_stops_the_run(another: Callable[[str], str], body: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        run_stage(stage(scancode=another(body), scancode_seconds=0.5), [row(GPL)])


@pytest.mark.system
def test_scancode_itself_reads_notices() -> None:
    """Where MINISC_SCANCODE names an interpreter that has it."""
    if not (python := os.environ.get("MINISC_SCANCODE")):
        pytest.skip("MINISC_SCANCODE=<python of an environment with minisc[scancode]>")
    assert stage(scancode=python).identity()["scancode"].startswith("32.")
    notices = {
        "gpl": GPL,
        "bsd": "# Use of this source code is governed by a BSD-style license that can be found in the LICENSE file.\n",
        "apache": "# Licensed under the Apache License, Version 2.0; see LICENSE.\n",
        "nothing": "x = 1\n",
    }
    table = run_stage(stage(scancode=python), [row(text, uid=uid, license="ISC") for uid, text in notices.items()])
    assert dict(zip(table["uid"].to_pylist(), table["license"].to_pylist(), strict=True)) == {
        "gpl": "GPL-2.0-or-later", "bsd": "BSD-3-Clause", "apache": "Apache-2.0", "nothing": "ISC",
    }  # fmt: skip
