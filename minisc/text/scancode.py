"""ScanCode reads what our own phrases do not cover: the license notice in the head of a source file.

In: an interpreter that has `scancode-toolkit-mini`, texts. Out: an SPDX expression, or None where ScanCode sees no license.
How: a process of that interpreter (`scancode_worker.py`) answers line by line. A process of its own, because it needs pluggy < 1.6 (its
plug-ins break with later ones), holds 1.4 GB, and does not keep its own deadline: 1.4 MB of license texts with 2 s given took 33.
Guarantees: the head of a file is judged without its copyright lines, so that a project's thousand files are one question; each text is
asked once a process; who takes longer than `seconds` is killed and is an error, since a verdict must not depend on the machine's speed.
ScanCode's ids of clauses that are no license (agreements, trademarks, disclaimers: those that The Stack v2 passes over), and "see LICENSE"
beside a license that it knows, are left out.
Price: 4 s to start, then 1 to 40 ms a different head. Not for: license files, which the sources read by our own phrases (0.35 ms a text).
"""

from __future__ import annotations

import functools
import json
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from minisc.core.errors import MissingExtra, UserError

HEAD_CHARACTERS = 4_000
_ANSWERS = 20_000  # different notices that are remembered, of 4 kB at most
_SPEAKS_OF_IT = re.compile(r"licen[cs]|redistribut|permission is|public domain|\bgpl", re.IGNORECASE)
_CODE_BEGINS = re.compile(r"^(?:import|from|def|class|async|if|try|with|@|__\w+__\s*=)", re.MULTILINE)
_COPYRIGHT_LINE = re.compile(r"^.*(?:copyright|\(c\)|©|author|coding[:=]|^#!).*\n?", re.IGNORECASE | re.MULTILINE)
_NO_LICENSE = re.compile(
    r"LicenseRef-scancode-(?:unknown-license-reference|generic-(?:cla|exception|export-compliance|tos|trademark)|(?:dco|google-cla|google-corporate-cla"
    r"|ms-cla|jetty-ccla)[\w.-]*|warranty-disclaimer)"
)


def notice_of(text: str) -> str:
    """The part of a file's head that may speak of its license, or '': comments and docstring before the first code, without copyright lines."""
    head = text[:HEAD_CHARACTERS]
    code = _CODE_BEGINS.search(head)
    head = head[: code.start()] if code else head
    return _COPYRIGHT_LINE.sub("", head) if _SPEAKS_OF_IT.search(head) else ""


class ScanCode:
    """One process of ScanCode. Raises MissingExtra where the interpreter has none, UserError where it is none or takes too long."""

    def __init__(self, python: str, seconds: float) -> None:
        self._python = sys.executable if python == "here" else str(Path(python).expanduser())
        self._seconds = seconds
        self._answers: dict[str, str | None] = {}
        self._buffer = b""
        try:
            worker = str(Path(__file__).with_name("scancode_worker.py"))
            self._process = subprocess.Popen(
                [self._python, "-I", "-W", "ignore", worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise UserError(
                f"there is no interpreter: {error.strerror}", where=f"filters.license.scancode={python}", do="filters.license.scancode=here"
            ) from error
        self.version = self._line(max(120.0, seconds))  # it builds its index when it is started for the first time
        if self.version is None:
            self.close()
            raise MissingExtra(
                "ScanCode is not installed",
                where=f"filters.license.scancode={python} ({self._python})",
                do="pip install 'minisc[scancode]'",
            )

    def __enter__(self) -> ScanCode:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def identify(self, text: str) -> str | None:
        """The license of a file by its notice, each notice asked once."""
        notice = notice_of(text)
        if not notice.strip():
            return None
        if notice not in self._answers:
            if len(self._answers) >= _ANSWERS:
                self._answers.clear()
            self._answers[notice] = self._asked(notice)
        return self._answers[notice]

    def _asked(self, notice: str) -> str | None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(notice).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise UserError(
                "ScanCode's process died", where=self._python, do="run the same line again; it goes on where it stopped"
            ) from error
        return joined(self._line(self._seconds))

    def _line(self, seconds: float) -> Any:
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], seconds)
            piece = self._process.stdout.read1(1 << 16) if ready else b""  # type: ignore[attr-defined]
            if not piece:
                self._process.kill()
                raise UserError(
                    "ScanCode's process died" if ready else f"ScanCode takes more than {seconds:g} s on one text", where=self._python,
                    do="run the same line again" if ready else "filters.license.scancode_seconds=<more>",
                )  # fmt: skip
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


def joined(expressions: list[str]) -> str | None:
    """One expression of ScanCode's detections, without its ids of what is no license; None where nothing else is left."""
    parts = []
    for expression in expressions:
        kept = [part for part in expression.split(" AND ") if not _NO_LICENSE.fullmatch(part.strip("() "))]
        told = " AND ".join(kept)
        if kept and told.count("(") == told.count(")") and told not in parts:
            parts.append(told)
        elif kept and told not in parts and expression not in parts:
            parts.append(expression)  # a bracket went with a part: as it stood, which is the stricter reading
    return " AND ".join(f"({part})" if " OR " in part and len(parts) > 1 and not part.startswith("(") else part for part in parts) or None


@functools.cache
def version_of(python: str) -> str:
    """ScanCode's version in that interpreter; starts it once."""
    with ScanCode(python, 120.0) as scancode:
        return str(scancode.version)
