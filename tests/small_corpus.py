"""A small corpus whose fate is known file by file: six repositories of generated but real Python, and every kind of trouble.

`make(folder)` writes it and returns what must become of it: {stage/reason or "kept": number of files}.
"""

from __future__ import annotations

from pathlib import Path

MIT = """MIT License

Copyright (c) 2020 A. Author

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

VERBS = ("load", "store", "merge", "split", "count", "index", "filter", "render", "parse", "check")
NOUNS = ("rows", "files", "names", "paths", "tokens", "pages", "users", "events", "blocks", "words")
FILES_PER_REPO, REPOS = 12, 6


def module(repo: int, number: int) -> str:
    """One module, unlike every other: the names, the arithmetic and the length all depend on where it stands."""
    lines = [f'"""Module {number} of project {repo}: {VERBS[number % 10]} {NOUNS[(number * 3 + repo) % 10]}."""', "", "import math", ""]
    for at in range(4 + (number + repo) % 4):
        verb, noun = VERBS[(at * 3 + number + repo) % 10], NOUNS[(at + number * 7 + repo * 3) % 10]
        one, two = NOUNS[(at * 5 + repo) % 10], VERBS[(number + at * 2) % 10]
        lines += [
            f"def {verb}_{noun}_{repo}_{number}_{at}({one}_{two}, limit_{noun}={number * 31 + at}):",
            f'    """{verb.title()} the {noun} of {one}, at most limit_{noun} of them."""',
            f"    {two}_{number} = []",
            f"    for {verb}_{at}, {one}_{number} in enumerate({one}_{two}):",
            f"        if {verb}_{at} % {at + 2 + repo} == {at + number % 3} and len({two}_{number}) < limit_{noun}:",
            f"            {two}_{number}.append(math.sqrt({one}_{number} * {number + 1}) + {repo * 100 + at})",
            f"    return sorted({two}_{number}, key=lambda {noun}_{at}: -{noun}_{at})[: limit_{noun} // {at + 1}]",
            "", "",
        ]  # fmt: skip
    return "\n".join(lines)


def make(folder: Path) -> dict[str, int]:
    """Write the corpus; returns what must become of each file."""
    for repo in range(REPOS):
        for number in range(FILES_PER_REPO):
            write(folder / f"project{repo}" / "src" / f"m{number}.py", module(repo, number))
        if repo != 5:
            write(folder / f"project{repo}" / "LICENSE", MIT)
    write(
        folder / "project5" / "LICENSE",
        "GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n\nThis program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation, either version 3 of the License.\n",
    )
    twin = folder / "project1" / "src"
    write(twin / "copy.py", module(0, 3))  # the same bytes as project0/src/m3.py
    write(twin / "nearly.py", module(0, 4).replace("math.sqrt", "math.cbrt", 1))  # one word changed in one function
    write(twin / "old.py", "import sys\n\n\ndef main():\n    print 'hello', sys.argv\n\n\nmain()\n")
    write(twin / "broken.py", "def broken(:\n    return 1\n")
    (twin / "empty.py").write_bytes(b"")
    (twin / "binary.py").write_bytes(b"x = 1\0\n" * 5)
    (twin / "latin.py").write_bytes(
        "# -*- coding: latin-1 -*-\nNAME = 'Jos\xe9'\n\n\ndef greet(name=NAME):\n    return 'Ol\xe1 ' + name\n".encode("latin-1")
    )
    (twin / "large.py").write_bytes(b"x = '" + b"a" * 1_100_000 + b"'\n")
    return {
        "collect/empty": 1, "collect/holds_nul": 1, "collect/too_large": 1,
        "license/non_permissive": FILES_PER_REPO,
        "syntax/python2": 1, "syntax/syntax_error": 1,
        "exact_dup/duplicate": 1, "near_dup/near_duplicate": 1,
        "kept": (REPOS - 1) * FILES_PER_REPO + 1,  # and latin.py
    }  # fmt: skip


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
