"""License expressions from metadata, headers and license files, and their class."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.text.licenses import NO_LICENSE, NON_PERMISSIVE, PERMISSIVE, UNKNOWN, header, identify, license_class, normalise

PUBLIC_DOMAIN = "LicenseRef-scancode-public-domain"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("MIT license", "MIT"),
        ("Apache 2.0 License", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("BSD", "BSD-3-Clause"),
        ("New BSD", "BSD-3-Clause"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("BSD 2-Clause License", "BSD-2-Clause"),
        ("PSF-2.0", "PSF-2.0"),
        ("Python Software Foundation License", "PSF-2.0"),
        ("zlib/libpng License", "Zlib"),
        ("GPLv3", "GPL-3.0-only"),
        ("GPLv2+", "GPL-2.0-or-later"),
        ("GPL", "GPL-1.0-or-later"),
        ("GNU GPL v3 or later", "GPL-3.0-or-later"),
        ("GNU LGPL v3+", "LGPL-3.0-or-later"),
        ("LGPLv2.1 or later", "LGPL-2.1-or-later"),
        ("GNU Affero General Public License v3.0", "AGPL-3.0-only"),
        ("gpl-2.0+ or mit", "GPL-2.0-or-later OR MIT"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT and BSD", "MIT AND BSD-3-Clause"),
        ("MIT, Apache 2.0", "MIT AND Apache-2.0"),
        ("BSD-3-Clause and Public-Domain", f"BSD-3-Clause AND {PUBLIC_DOMAIN}"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
        ("License :: OSI Approved :: BSD License", "BSD-3-Clause"),
        ("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        ("License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)", "LGPL-2.0-or-later"),
        ("License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
        ("License :: Public Domain", PUBLIC_DOMAIN),
        ("License :: OSI Approved :: MIT License\nLicense :: OSI Approved :: BSD License", "MIT AND BSD-3-Clause"),
        ("License :: OSI Approved\nLicense :: OSI Approved :: MIT License", "MIT"),
        ("License :: Other/Proprietary License", "LicenseRef-proprietary"),
        ("NVIDIA Proprietary Software", "LicenseRef-proprietary"),
        ("", None),
        ("UNKNOWN", None),
        ("Dual License", None),
        ("see LICENSE file", None),
        ("License :: OSI Approved", None),
        ("a license of my own making", None),
        ("MIT or something of my own", None),
        ("((((", None),
    ],
)
def test_metadata_becomes_spdx(told: str, expected: str | None) -> None:
    assert normalise(told) == expected


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("MIT", PERMISSIVE),
        ("MIT OR GPL-2.0-only", PERMISSIVE),
        ("MIT AND GPL-2.0-only", NON_PERMISSIVE),
        ("Apache-2.0 AND MIT", PERMISSIVE),
        ("(MIT OR GPL-2.0-only) AND BSD-3-Clause", PERMISSIVE),
        ("(MIT AND GPL-2.0-only) OR LGPL-3.0-only", NON_PERMISSIVE),
        ("Apache-2.0 WITH LLVM-exception", PERMISSIVE),
        ("GPL-2.0-only WITH Classpath-exception-2.0", NON_PERMISSIVE),
        ("MPL-2.0 AND MIT", NON_PERMISSIVE),
        ("CC0-1.0", PERMISSIVE),
        ("Unlicense", PERMISSIVE),
        (f"BSD-3-Clause AND {PUBLIC_DOMAIN}", PERMISSIVE),
        ("BSD-2-Clause-FreeBSD", PERMISSIVE),
        ("CC-BY-NC-4.0", NON_PERMISSIVE),
        (UNKNOWN, NON_PERMISSIVE),
        ("a license of my own making", NON_PERMISSIVE),
        ("Apache License 2.0", PERMISSIVE),
        (None, NO_LICENSE),
        ("", NO_LICENSE),
        ("UNKNOWN", NO_LICENSE),
    ],
)
def test_expressions_are_read_as_logic(expression: str | None, kind: str) -> None:
    assert license_class(expression) == kind


def test_further_ids_may_be_allowed() -> None:
    assert license_class("MPL-2.0 AND MIT", ["MPL-2.0"]) == PERMISSIVE
    assert license_class("GPL-3.0-only", ["MPL-2.0"]) == NON_PERMISSIVE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# SPDX-License-Identifier: MIT\nx = 1\n", "MIT"),
        ("#!/usr/bin/env python\n# Copyright\n#\n#   SPDX-License-Identifier: Apache-2.0 OR MIT\n", "Apache-2.0 OR MIT"),
        ("/* SPDX-License-Identifier: GPL-2.0+ */\n", "GPL-2.0-or-later"),
        ("<!-- SPDX-License-Identifier: BSD-2-Clause -->\n", "BSD-2-Clause"),
        ("# SPDX-License-Identifier: (MIT AND Zlib)\n", "MIT AND Zlib"),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: Zlib\n", "MIT AND Zlib"),
        ("# SPDX-License-Identifier: Mine-1.0\n", UNKNOWN),
        ("# SPDX-License-Identifier: LicenseRef-Mine\n", "LicenseRef-Mine"),
        ("PATTERN = 'SPDX-License-Identifier: MIT'\n", None),
        ("x = 1\n", None),
        ("\n" * 5000 + "# SPDX-License-Identifier: MIT\n", None),
    ],
)
def test_a_files_own_header(text: str, expected: str | None) -> None:
    assert header(text) == expected


MIT = """MIT License

Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so{}

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED.
"""
NOTICE = """, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software."""
BSD = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice.
2. Redistributions in binary form must reproduce the above copyright notice.
{}
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS".
"""
ENDORSE = "3. Neither the name of the author may be used to endorse or promote products\n   derived from this software.\n"
ADVERTISE = "3. All advertising materials mentioning features or use of this software must display the following.\n" + ENDORSE
APACHE = """                                 Apache License
                           Version 2.0, January 2004
                        http://www.apache.org/licenses/

   TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION
   1. Definitions.
   END OF TERMS AND CONDITIONS
"""
APPENDIX = """   APPENDIX: How to apply the Apache License to your work.
   Licensed under the Apache License, Version 2.0 (the "License");
   See the License for the specific language governing permissions and
   limitations under the License.
"""
GPL2 = """GNU GENERAL PUBLIC LICENSE
 Version 2, June 1991
 TERMS AND CONDITIONS
 END OF TERMS AND CONDITIONS
 How to Apply These Terms to Your New Programs
 it under the terms of the GNU General Public License as published by
 the Free Software Foundation; either version 2 of the License, or (at your option) any later version.
 consider it more useful to permit linking proprietary applications with the
 library.
"""
GPL_NOTICE = """it under the terms of the GNU General Public License as published by
 the Free Software Foundation, either version 3 of the License, or (at your option) any later version."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT.format(NOTICE), "MIT"),
        (MIT.format("."), "MIT-0"),
        (BSD.format(""), "BSD-2-Clause"),
        (BSD.format(ENDORSE), "BSD-3-Clause"),
        (BSD.format(ADVERTISE), "BSD-4-Clause"),
        (BSD.format(ENDORSE + "how to obtain complete source code for the DB software"), "Sleepycat"),
        (APACHE, "Apache-2.0"),
        (APACHE + APPENDIX, "Apache-2.0"),
        (
            APACHE + "\nfoo is under\n" + APACHE + "---- LLVM Exceptions to the Apache 2.0 License ----\n" + APPENDIX,
            "Apache-2.0 AND Apache-2.0 WITH LLVM-exception",
        ),
        (APACHE + "---- LLVM Exceptions to the Apache 2.0 License ----\n" + APPENDIX, "Apache-2.0 WITH LLVM-exception"),
        (GPL2, "GPL-2.0-only"),
        (GPL_NOTICE, "GPL-3.0-or-later"),
        (APACHE + APPENDIX + "\n" + MIT.format(NOTICE) + BSD.format(ENDORSE), "Apache-2.0 AND MIT AND BSD-3-Clause"),
        (BSD.format(ENDORSE) + BSD.format("") + BSD.format(ENDORSE), "BSD-3-Clause AND BSD-2-Clause"),
        ("This project is dual-licensed: Apache 2.0 and BSD.\n" + APACHE + BSD.format(ENDORSE), "Apache-2.0 OR BSD-3-Clause"),
        ("Commons Clause License Condition v1.0\n" + MIT.format(NOTICE), "LicenseRef-commons-clause AND MIT"),
        ("This software is released under the terms of the MIT license.", "MIT"),
        (
            "Made available under the terms of *either* of the licenses found in LICENSE.APACHE or LICENSE.BSD.",
            "Apache-2.0 OR BSD-3-Clause",
        ),
        ("This is free and unencumbered software released into the public domain.\nFor more see <https://unlicense.org>", "Unlicense"),
        ("Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.", "0BSD"),
        ("You may not copy this program. Redistribution is prohibited.", UNKNOWN),
        ("Thanks to all who helped.", None),
        ("", None),
    ],
)
def test_license_files(text: str, expected: str | None) -> None:
    assert identify(text) == expected


def test_layout_and_comment_marks_do_not_count() -> None:
    text = MIT.format(NOTICE)
    assert identify("".join(f" *  {line}\r\n" for line in text.splitlines())) == "MIT"
    assert identify(" ".join(text.upper().split())) == "MIT"


def test_a_choice_in_one_of_many_components_does_not_free_the_others() -> None:
    many = "Component one is dual licensed.\n" + APACHE + MIT.format(NOTICE) + BSD.format("") + GPL2
    assert identify(many) == "Apache-2.0 AND MIT AND BSD-2-Clause AND GPL-2.0-only"


def test_a_license_text_in_a_metadata_field() -> None:
    assert normalise(MIT.format(NOTICE)) == "MIT"


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from(["MIT", "GPL", " or ", " and ", "/", "(", ")", "+", "with", "v2", "License ::"])).map("".join)
)
def test_any_text_is_answered_by_a_valid_expression_or_none(text: str) -> None:
    for found in (normalise(text), identify(text), header(text)):
        assert found is None or license_class(found) in (PERMISSIVE, NON_PERMISSIVE)
        assert found is None or normalise(found) == found or found.startswith("LicenseRef-")
    assert license_class(text) in (PERMISSIVE, NO_LICENSE, NON_PERMISSIVE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache 2.0\n", "Apache-2.0"),
        ("The MIT License\n", "MIT"),
        ("see the authors\n", None),
        ("MIT and other things that nobody knows\n", None),
    ],
)
def test_a_license_file_of_one_name(text: str, expected: str | None) -> None:
    assert identify(text) == expected
