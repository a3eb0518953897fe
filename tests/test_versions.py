"""A forgotten version bump would serve stale data silently; this holds each component's code against its version.

`component_versions.json` holds, for every class with a `version`, that version and a hash of the AST of its module and of
what the module imports from us, without docstrings. A changed hash with an unchanged version fails, naming both ways out:

    results changed      raise `version` in the class, then:  python -m tests.test_versions
    results are the same (a rename, a comment, speed)         python -m tests.test_versions
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LEDGER = Path(__file__).resolve().parent / "component_versions.json"
# Shared shapes, told apart from the arithmetic of a component: a change here shows in the golden tests.
OUTSIDE = ("minisc.core.step", "minisc.core.errors", "minisc.console", "minisc.runner", "minisc.report")


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "minisc").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def code_of(path: Path) -> str:
    """The AST without docstrings, line numbers and comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


def reached(name: str, known: dict[str, Path], seen: set[str]) -> set[str]:
    """A module and all modules of ours that it imports, directly or not."""
    if name in seen or name not in known or name.startswith(OUTSIDE):
        return seen
    seen.add(name)
    for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("minisc"):
            reached(node.module, known, seen)
            for alias in node.names:
                reached(f"{node.module}.{alias.name}", known, seen)
    return seen


def components() -> dict[str, dict[str, Any]]:
    known, codes, out = modules(), {}, {}
    for name, path in known.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and any(
                isinstance(line, ast.AnnAssign) and getattr(line.target, "id", "") == "version" and line.value for line in node.body
            ):
                version = getattr(importlib.import_module(name), node.name).version
                digest = hashlib.sha256()
                for module in sorted(reached(name, known, set())):
                    digest.update((codes.setdefault(module, code_of(known[module]))).encode())
                out[f"{name}.{node.name}"] = {"version": version, "code": digest.hexdigest()[:16]}
    return out


def test_changed_code_has_a_new_version() -> None:
    told = json.loads(LEDGER.read_text(encoding="utf-8"))
    now = components()
    for name, entry in now.items():
        assert name in told, f"{name} is new: python -m tests.test_versions"
        if entry["code"] != told[name]["code"]:
            assert entry["version"] != told[name]["version"], (
                f"the code of {name} changed and its version did not. If results changed, raise `version`; then, in both cases: python -m tests.test_versions"
            )
        assert entry == told[name], f"{name} has a new version: python -m tests.test_versions"
    assert not told.keys() - now.keys(), f"gone: {sorted(told.keys() - now.keys())}: python -m tests.test_versions"


if __name__ == "__main__":
    LEDGER.write_text(json.dumps(components(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
