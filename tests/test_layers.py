"""Imports point one way; heavy packages stay home; siblings are blind (rules R3, R5)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "minisc"

GROUND = {"core", "text", "sandbox", "generation"}
# Package -> packages of ours that it may import besides itself. A name with a dot is one module of a package.
MAY = {
    "core": set(),
    "text": {"core"},
    "sandbox": {"core"},
    "console": {"core", "runner.graph", "runner.run"},
    "runner": {"core"},
    "source": {"core", "text"},
    "downloader": {"core", "text"},
    "filters": {"core", "text"},
    "engine": {"core"},
    "tokenizer": {"core", "text"},
    "tokens": {"core", "text", "tokenizer.base"},
    "model": {"core"},
    "generation": {"core", "model.base", "tokenizer.base"},
    "trainer": {"core", "model.base", "tokens"},
    "evals": {"core", "text", "sandbox", "generation", "model.base", "tokenizer.base"},
    "report": {"core"},
    "release": {"core", "text", "model.base", "tokenizer.base"},
    "trace": {"core", "text"},
    "steps": {
        "core", "text", "report", "source.base", "downloader.base", "tokenizer.base", "model.base", "evals.base", "evals.pass_at_k", "tokens", "trainer", "generation", "trace", "release",
    },
    "app": {"core", "console", "runner", "engine.base"},
    "__main__": {"app"},
    "__init__": set(),
}  # fmt: skip
# Packages of ours whose modules are options: an option imports its base and its own sub-modules, no sibling.
OPTIONS = {"source", "downloader", "filters", "engine", "tokenizer", "model", "evals", "steps"}
HOME = {  # heavy import -> where it may stand at the top of a module
    "hydra": {"app"}, "omegaconf": {"app"}, "ray": {"engine", "trainer.ray_ranks"}, "lightning": {"trainer"},
    "torch": {"tokens", "model", "generation", "trainer", "evals"},
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at the top level): every import of a file; those under TYPE_CHECKING cost nothing and do not count as heavy."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    checked = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for node in ast.walk(block)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layers"
            names = [node.module or ""]
            if node.module and node.module.count(".") == 1 and node.module.startswith("minisc."):
                names = [
                    f"{node.module}.{alias.name}" if (PACKAGE / node.module.split(".")[1] / f"{alias.name}.py").exists() else node.module
                    for alias in node.names
                ]
        if id(node) not in checked:
            found += [(name, id(node) in top) for name in names]
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    name = name_of(path)
    package = name.split(".")[0]
    assert package in MAY, f"a new package {package!r}: say in MAY what it may import"
    for imported, _ in imports(path):
        if not imported.startswith("minisc.") or imported == "minisc":
            continue
        other = imported.removeprefix("minisc.")
        top = other.split(".")[0]
        if top == package:
            if package in OPTIONS:
                blind(name, other)
            continue
        assert top in MAY[package] or any(other == allowed or other.startswith(allowed + ".") for allowed in MAY[package]), (
            f"{name} imports {other}"
        )


def blind(name: str, other: str) -> None:
    """An option may import its package's base, modules that are no option (no YAML of their name), and its own sub-package."""
    parts, others = name.split("."), other.split(".")
    if len(others) < 2 or others[1] == "base" or (len(parts) > 1 and parts[1] == others[1]):
        return
    options = {path.stem for path in (PACKAGE.parent / "conf" / parts[0]).glob("*.yaml")}
    assert others[1] not in options, f"{name} imports its sibling {other}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_heavy_imports_stay_home(path: Path) -> None:
    package = name_of(path).split(".")[0]
    for imported, top_level in imports(path):
        home = HOME.get(imported.split(".")[0])
        if home is not None and not {package, name_of(path)} & home:
            assert not top_level and package == "steps", f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize(
    "words", [["-m", "minisc"], ["-c", "import minisc.app, minisc.steps.curate, minisc.steps.collect, minisc.engine.local"]]
)
def test_help_and_curation_never_pay_for_torch(words: list[str]) -> None:
    code = (
        "import runpy, sys; sys.argv = ['minisc']; runpy.run_module('minisc', run_name='__main__')"
        if words == ["-m", "minisc"]
        else words[1]
    )
    probe = code + "; import sys; print(sorted({'torch', 'lightning', 'ray', 'transformers'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert told.strip().splitlines()[-1] == "[]"


def test_a_curation_never_pays_for_what_it_does_not_use(tmp_path: Path) -> None:
    """A whole run in one process: collected, curated, cut into tokens, by the local engine."""
    (tmp_path / "code").mkdir()
    for number in range(40):
        (tmp_path / "code" / f"m{number}.py").write_text(f"def f{number}(x):\n    return x + {number}\n")
    line = [
        "minisc", "steps=[collect,curate,train_tokenizer,pack]", "source=local", f"source.path={tmp_path}/code", f"out={tmp_path}/out", "engine.workers=1",
        "tokenizer.vocab_size=300",
    ]  # fmt: skip
    probe = (
        f"import atexit, runpy, sys; sys.argv = {line!r}\natexit.register(lambda: print(sorted(set({list(HOME)}) & set(sys.modules))))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", probe + "runpy.run_module('minisc', run_name='__main__')"], capture_output=True, text=True, check=True
    ).stdout
    assert "tokens" in told and told.strip().splitlines()[-1] == "['hydra', 'omegaconf']"
