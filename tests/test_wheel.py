"""A wheel carries its choices: built from the tree, unpacked anywhere, run from any folder, it works as the checkout does."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from minisc.runner.shelf import recipes
from tests import road, small_corpus

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.system
def test_a_wheel_runs_from_another_folder(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(tmp_path), str(ROOT)], capture_output=True, text=True
    )
    if built.returncode and "hatchling" in built.stderr:
        pytest.skip("the build backend cannot be had: " + built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(tmp_path.glob("minisc-*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    names = {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    for kind in ("conf", "recipes"):
        assert {f"minisc/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / kind).rglob("*.yaml")} <= names
    small_corpus.make(tmp_path / "corpus")
    environment = {**road.environment(), "PYTHONPATH": str(tmp_path / "site")}
    where = subprocess.run(
        [sys.executable, "-c", "import minisc; print(minisc.__file__)"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert where.stdout.strip() == str(tmp_path / "site" / "minisc" / "__init__.py")
    told = subprocess.run(
        [sys.executable, "-m", "minisc"], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    ).stdout
    assert all(name in told for name in recipes())
    words = [*road.SMALL, "source.path=corpus", "out=out", "steps=[collect,curate]"]
    run = subprocess.run([sys.executable, "-m", "minisc", *words], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "near_duplicate 1" in run.stdout
    assert any((tmp_path / "out" / "store" / "curate").iterdir())
