"""The license filter: classes, evidence, the header's precedence."""

from __future__ import annotations

from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.filters.license import License
from minisc.text.licenses import data_digest
from tests.support import notes, reasons, row, run_stage


def stage(**changes: Any) -> License:
    return License(**{"allow": [], "unknown": "keep", "expected_drop": 0.6, **changes})


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
