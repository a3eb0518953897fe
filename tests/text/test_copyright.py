from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.copyright import HEAD_CHARACTERS, LONGEST, copyright_lines


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "# Copyright (c) 2012-2020 The Example Authors. All rights reserved.\n",
            ["Copyright (c) 2012-2020 The Example Authors. All rights reserved."],
        ),
        ("#   (c)  2019,   Jane   Doe\n", ["(c) 2019, Jane Doe"]),
        ("/* © 2020 Example GmbH */\n", ["© 2020 Example GmbH"]),
        ('__copyright__ = "Copyright 2010 Jane Doe"\n', ["Copyright 2010 Jane Doe"]),
        ("# Copyright: (c) 2018, Example Project\n", ["Copyright: (c) 2018, Example Project"]),
        ("# COPYRIGHT Example Corp.\n", ["COPYRIGHT Example Corp."]),
        ("# Copyright Example.com, Inc. or its affiliates\n", ["Copyright Example.com, Inc. or its affiliates"]),
        ("# Copyright (C) by Jane Doe\n", ["Copyright (C) by Jane Doe"]),
        ("# Copyright (c) 2010-2014,\n#   Example University\n", ["Copyright (c) 2010-2014, Example University"]),
        ("# (c) 2001 A B\n# (c) 2001 A B\n# (c) 2002 C D\n", ["(c) 2001 A B", "(c) 2002 C D"]),
        ("# SPDX-FileCopyrightText: 2020 Jane Doe\n", ["SPDX-FileCopyrightText: 2020 Jane Doe"]),
        ("# the above copyright notice and this permission notice\n", []),
        ("# Copyright Notice\n# Copyright holders are many\n", []),
        ("def copyright():\n    return f(c)\n", []),
        ("x = '(c)'\n", []),
        ("", []),
    ],
)
def test_statements_and_what_only_looks_like_one(text: str, found: list[str]) -> None:
    assert copyright_lines(text) == found


def test_only_the_head_is_read() -> None:
    assert copyright_lines(" " * HEAD_CHARACTERS + "\n# (c) 2020 Jane Doe\n") == []


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("Copyright(c) 2020,©\n#A b."), max_size=300))
def test_any_text_gives_short_single_lines(text: str) -> None:
    for line in copyright_lines(text):
        assert 0 < len(line) <= LONGEST
        assert line.splitlines() == [line]


@pytest.mark.parametrize("text", ["copyright " * 10**6, "(c) " * 10**6, "©" * 10**6, "(c) 20" * 10**6, "\n(c) 2020" * 10**6])
def test_hostile_texts_come_to_an_end(text: str) -> None:
    assert len(copyright_lines(text)) < HEAD_CHARACTERS
