"""Which names hold licenses, and which of several files counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from minisc.source.license_files import NearestLicense, all_of, rank, read_licenses

MIT = """MIT License

Copyright (c) 2020 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
ISC = """Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the
above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
"""


@pytest.mark.parametrize("name", ["LICENSE", "licence.txt", "LICENSES", "COPYING", "COPYING.LESSER", "copyright", "LICENSE-MIT", "MIT.txt", "gpl-3.0.txt", "agpl_v3", "UNLICENSE", "my-license.md", "bsdl", "apache"])  # fmt: skip
def test_names_made_to_hold_a_license(name: str) -> None:
    assert rank(name) == 1


@pytest.mark.parametrize(("name", "expected"), [("README.md", 2), ("NOTICE", 2), ("about.txt", 2), ("license.py", 0), ("mit.json", 0), ("permit", 0), ("licensed", 0), ("main.txt", 0), ("x" * 255, 0)])  # fmt: skip
def test_other_names(name: str, expected: int) -> None:
    assert rank(name) == expected


def test_the_nearest_file_counts_and_a_readme_only_without_a_license_above(tmp_path: Path) -> None:
    (tmp_path / "vendored/deep").mkdir(parents=True)
    (tmp_path / "LICENSE").write_text(MIT)
    (tmp_path / "vendored/COPYING").write_text(ISC)
    (tmp_path / "vendored/deep/README").write_text("Licensed under the Apache License, Version 2.0.\n")
    nearest = NearestLicense()
    for folder in (tmp_path, tmp_path / "vendored", tmp_path / "vendored/deep"):
        nearest.learn(str(folder), [path.name for path in folder.iterdir() if path.is_file()])
    root = str(tmp_path)
    assert nearest.of(root, root) == ("MIT", "file:LICENSE")
    assert nearest.of(root, f"{root}/vendored") == nearest.of(root, f"{root}/vendored/deep") == ("ISC", "file:vendored/COPYING")
    assert nearest.of(f"{root}/vendored/deep", f"{root}/vendored/deep") == ("Apache-2.0", "file:README")


def test_a_license_that_is_not_known_is_not_passed_over_for_one_above(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "LICENSE").write_text(MIT)
    (tmp_path / "own/LICENSE").write_text(
        "You may not copy, modify or distribute this software without our written permission. All rights reserved. Redistribution is prohibited.\n"
    )
    nearest = NearestLicense()
    nearest.learn(str(tmp_path), ["LICENSE"])
    nearest.learn(str(tmp_path / "own"), ["LICENSE"])
    assert nearest.of(str(tmp_path), str(tmp_path / "own")) == ("LicenseRef-unknown", "file:own/LICENSE")


def test_several_files_of_a_folder_hold_together(tmp_path: Path) -> None:
    (tmp_path / "LICENSE-MIT").write_text(MIT)
    (tmp_path / "LICENSE-ISC").write_text(ISC)
    (tmp_path / "LICENSE-empty").touch()
    (tmp_path / "LICENSE-link").symlink_to(tmp_path / "LICENSE-MIT")
    names = [path.name for path in tmp_path.iterdir()]
    assert read_licenses(tmp_path, names) == ("ISC AND MIT", "file:LICENSE-ISC, LICENSE-MIT")
    assert read_licenses(tmp_path, ["LICENSE-empty", "LICENSE-link", "missing"]) == (None, None)


def test_expressions_are_joined_with_brackets() -> None:
    assert all_of(["MIT", "MIT"]) == "MIT"
    assert all_of(["MIT OR Apache-2.0", "ISC"]) == "(MIT OR Apache-2.0) AND ISC"
    assert all_of(["MIT", "LicenseRef-unknown"]) == "MIT AND LicenseRef-unknown"
