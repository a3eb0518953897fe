"""Keeps Python that CPython's own parser accepts, and says what is wrong with the rest.

In: documents of kind `code`. Out: kept untouched, or dropped as

    python2       a syntax error whose line is Python 2's: print x, except E, e, `x`, <>, 0777, exec "…", raise E, "…", ur"", 10L
    template      a syntax error, and a line of Jinja, cookiecutter or the like is left in the text
    too_deep      nested so deeply that the parser gives up (its stack, its memory, Python's recursion limit)
    syntax_error  anything else that does not parse

The parser is that of the Python that runs us, so its minor version enters the fingerprint: text that uses newer syntax than
that is dropped, which a newer Python undoes.
How: the symbol table of a text needs its parse and builds no objects for its tree, which is twice as fast; it refuses more than
the parser does (a doubled argument, a late `global`) and gives up two levels of nesting earlier, so whoever fails is asked again by
way of the tree, and the answer is the tree's.
Price: 6 to 10 MB/s. Rejected: tree-sitter (accepts broken code), formatting by ruff as a proxy (swallow-code: another grammar,
and it does not say Python 2); `compile` to byte code (half as fast, and refuses only `return` outside a function and its like).
"""

from __future__ import annotations

import ast
import re
import symtable
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from minisc.core.document import Doc
from minisc.core.fingerprint import free
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.filters.base import within

PYTHON2, TEMPLATE, TOO_DEEP, SYNTAX_ERROR = "python2", "template", "too_deep", "syntax_error"


@dataclass(frozen=True, kw_only=True)
class Syntax(Stage):
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (PYTHON2, TEMPLATE, TOO_DEEP, SYNTAX_ERROR)
    kinds: ClassVar[tuple[str, ...]] = ("code",)

    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.expected_drop, 0, 1, "filters.syntax.expected_drop")

    def identity(self) -> Mapping[str, str]:
        return {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}

    def open(self, found: Path | None = None) -> AbstractContextManager[Judge]:
        return nullcontext(_judge)


def _judge(docs: Sequence[Doc]) -> list[Verdict]:
    with warnings.catch_warnings():  # invalid escapes and the like are warnings, no errors; once a batch, since it costs
        warnings.simplefilter("ignore")
        return [Verdict(drop=reason) if (reason := fault(doc.text)) else KEEP for doc in docs]


def fault(text: str) -> str:
    """The reason why a text is not Python, or ''. Emits the parser's warnings.

    How deep a text may be nested depends on how deep the caller stands in Python's stack. So that it does not, whoever fails by
    that is asked again in a thread, whose stack is empty.
    """
    try:
        return _fault(text)
    except (RecursionError, MemoryError):
        return _run_in_thread(lambda: _fault_or_deep(text))


def _run_in_thread(function: Callable[[], str]) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def _fault_or_deep(text: str) -> str:
    try:
        return _fault(text)
    except (RecursionError, MemoryError):
        return TOO_DEEP


def _fault(text: str) -> str:
    text = text.removeprefix("\ufeff")
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        symtable.symtable(text, "<document>", "exec")
        return ""
    try:
        compile(text, "<document>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        return _kind(text, error)
    except ValueError:  # a lone surrogate, a NUL: what no source file holds
        return SYNTAX_ERROR
    return ""


_DEEP = ("too many nested parentheses", "too many levels of indentation", "too many statically nested blocks", "parser stack overflow")
_PYTHON2_MESSAGES = (
    "Missing parentheses in call to 'print'",
    "Missing parentheses in call to 'exec'",
    "multiple exception types must be parenthesized",
    "leading zeros in decimal integer literals are not permitted",
)
_PYTHON2_LINE = re.compile(
    r"""
      ^\s*print\s+(?![=.,)\]}:(])[^=]             # print x
    | ^\s*print\s*>>                              # print >>f, x
    | (?:^|[;:])\s*exec\s+["'\w]                  # exec "code"
    | ^\s*except\s+[^,:()]{1,200},\s*\w+\s*:      # except E, e:
    | ^\s*raise\s+[\w.]{1,200}\s*,                # raise E, "message"
    | `[^`\n]{1,200}`                             # repr in backticks
    | [\w)\]"']\s*<>\s*[\w("'\[]                  # a <> b
    | \b[uU][rR]["']                              # ur"…"
    | \b(?:0[xX][0-9a-fA-F]{1,40}|\d{1,40})[lL]\b # 10L, 0xFFL
    | (?<![\w.])0[0-7]{1,40}\b                    # 0777
    | ^\s*def\s+\w{1,200}\s*\([^()]{0,200}\((?:\s*\w+\s*,)+  # def f(a, (b, c)):
    """,
    re.VERBOSE | re.MULTILINE,
)
_TEMPLATE_LINE = re.compile(
    r"\{%-?\s*\w|\{\{-?\s*[\w.]{1,100}\s*(?:\||-?\}\})|<%[=@!\s]|^\s*#(?:if|for|end|set)\b|\$\{\w{1,100}\}", re.MULTILINE
)


def _kind(text: str, error: SyntaxError) -> str:
    message = error.msg or ""
    if any(words in message for words in _DEEP):
        return TOO_DEEP
    before, line = _lines_at(text, error.lineno or 1)
    if _TEMPLATE_LINE.search(line):
        return TEMPLATE
    if message.startswith(_PYTHON2_MESSAGES) or _PYTHON2_LINE.search(line) or _PYTHON2_LINE.search(before):
        return PYTHON2
    return SYNTAX_ERROR


_LINE_CHARACTERS = 2_000
_LINE_BREAK = re.compile(r"\r\n|\r|\n")  # the parser's; str.splitlines knows more


def _lines_at(text: str, number: int) -> tuple[str, str]:
    """The line with the error, and the one before it, where the parser may have lost its way; each cut at 2,000 characters."""
    lines = ["", *_LINE_BREAK.split(text), ""]
    at = min(number, len(lines) - 1)
    return lines[at - 1][:_LINE_CHARACTERS], lines[at][:_LINE_CHARACTERS]
