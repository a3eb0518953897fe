"""What of a file is shown to ScanCode, and what of its answers counts."""

from __future__ import annotations

import pytest

from minisc.text.scancode import joined, notice_of

NOTICE = "# Licensed under the Apache License, Version 2.0\n"


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        (f"#!/usr/bin/python\n# Copyright 2012 Joe Doe\n{NOTICE}import os\nlicense = 1\n", NOTICE),
        ("import os\n# Licensed under the GPL\n", ""),
        ("# nothing of rights\nx = 1\n", ""),
        ("x = 1\n" * 1000 + NOTICE, ""),
        ("", ""),
    ],
)
def test_the_notice_is_what_stands_before_the_code_without_names(text: str, notice: str) -> None:
    assert notice_of(text) == notice


@pytest.mark.parametrize(
    ("expressions", "told"),
    [
        ([], None),
        (["MIT"], "MIT"),
        (["MIT", "MIT"], "MIT"),
        (["MIT AND LicenseRef-scancode-unknown-license-reference"], "MIT"),
        (["LicenseRef-scancode-unknown-license-reference"], None),
        (["LicenseRef-scancode-generic-cla", "BSD-3-Clause"], "BSD-3-Clause"),
        (["MIT OR GPL-2.0-only", "ISC"], "(MIT OR GPL-2.0-only) AND ISC"),
        (
            ["(Artistic-1.0-Perl OR GPL-1.0-or-later) AND LicenseRef-scancode-unknown-license-reference"],
            "(Artistic-1.0-Perl OR GPL-1.0-or-later)",
        ),
    ],
)
def test_what_is_no_license_is_left_out(expressions: list[str], told: str | None) -> None:
    assert joined(expressions) == told
