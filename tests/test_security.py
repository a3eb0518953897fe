"""The road meets strangers: their YAML, manifests, stories and models name things; they never run code, never read secrets, never become paths.

What belongs to one part is tested beside it: checkpoints (trainer/test_checkpoint.py), scorers (text/test_scorer.py), names in a run.json
(steps/test_compare.py), names on the hub (source/test_hub_ranges.py here below), the sandbox (sandbox/).
"""

from __future__ import annotations

import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from minisc import app
from minisc.core import artifact
from minisc.core.artifact import MANIFEST, Artifact, DamagedArtifact, Work
from minisc.core.errors import UserError
from minisc.steps.import_model import ImportModel
from tests import made
from tests.test_conf import composed

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "builtins.eval", "subprocess.Popen", "minisc.os.system", "minisc.app.os.system", "minisc.core.durable.sweep", "minisc",
        "minisc.core.artifact.Path", "minisc.engine.local.ProcessPoolExecutor", "minisc.engine.ray.cloudpickle", "miniscule.Thing",
        "minisc.../os.system", "minisc.core.artifact:Path", "tests.made.Inline",
    ],
)  # fmt: skip
def test_only_classes_of_ours_are_built(target: str) -> None:
    with pytest.raises(UserError) as caught:
        app.build({"_target_": target}, "engine")
    assert caught.value.where == "engine._target_" and caught.value.do == "name a class under minisc."


def minisc(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "minisc", *words, f"out={folder / 'out'}", "plan_only=true"], capture_output=True, text=True, timeout=100,
        cwd=ROOT, env={**os.environ, **variables},
    )  # fmt: skip


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/object/new:os.system"])
def test_yaml_of_strangers_runs_no_code(tmp_path: Path, tag: str) -> None:
    (tmp_path / "theirs" / "trainer").mkdir(parents=True)
    mark = tmp_path / "code-ran"
    (tmp_path / "theirs" / "trainer" / "evil.yaml").write_text(f"max_lr: {tag} ['touch {mark}']\n")
    told = minisc(tmp_path, "--config-dir", str(tmp_path / "theirs"), "trainer=evil")
    assert told.returncode != 0 and not mark.exists() and "could not determine a constructor" in told.stdout + told.stderr


@pytest.mark.parametrize(
    "word", ["prompts=['${oc.env:HF_TOKEN}']", "uid=${oc.env:AWS_SECRET_ACCESS_KEY,none}", "inputs.index=${oc.env:SWH_TOKEN}"]
)
def test_a_secret_cannot_be_asked_for_by_a_setting(tmp_path: Path, word: str) -> None:
    secrets = dict.fromkeys(("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SWH_TOKEN"), "s3cr3t-value")
    told = minisc(tmp_path, "+recipe=tiny", word, **secrets)
    assert told.returncode == 2 and "never through a setting" in told.stdout, told.stdout + told.stderr
    written = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert "s3cr3t-value" not in told.stdout + told.stderr + "".join(written)


def test_what_is_no_secret_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    assert composed("out=${oc.env:SCRATCH}/runs")["out"] == "/scratch/me/runs"


def test_a_manifest_of_strangers_leads_nowhere_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "store" / "collect" / ("ab" * 10)
    folder.mkdir(parents=True)
    about = {
        "step": "collect",
        "fingerprint": "ab" * 10,
        "kinds": ["documents"],
        "settings": {},
        "inputs": {},
        "versions": {},
        "seconds": 1,
    }
    Work(folder, made.context(tmp_path / "run")).commit(about, {})
    told = json.loads((folder / MANIFEST).read_text())
    sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x": size and content are right
    told.pop("checksum")
    for name in ("kept/../../../../secret", "../../../secret", str(tmp_path / "secret")):
        told["files"] = [{"name": name, "bytes": 1, "sha256": sha256}]
        (folder / MANIFEST).write_text(json.dumps({**told, "checksum": artifact._checksum(told)}))
        artifact._read_manifest.cache_clear()
        with pytest.raises(DamagedArtifact, match="outside of its folder"):
            Artifact(folder).file(name)


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("code ran",))


def test_weights_that_are_a_pickle_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with a pytorch_model.bin, and with a pickle that calls itself safetensors."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "config.json").write_text(json.dumps({"model_type": "starcoder2"}))
    (theirs / "tokenizer.json").write_text("{}")
    torch.save(Hostile(), theirs / "pytorch_model.bin")
    for _ in range(2):
        with pytest.raises(UserError):
            made.run({"import_model": ImportModel(path=str(theirs))}, made.context(tmp_path))
        (theirs / "model.safetensors").write_bytes(pickle.dumps(Hostile()))
    assert "code ran" not in capsys.readouterr().out


def test_nothing_of_ours_unpickles_or_evaluates() -> None:
    """Where it has to be, it is written here."""
    allowed = {
        "engine/ray.py": {"cloudpickle"},  # moves our own work to our own workers
        "filters/syntax.py": {"compile"},  # to a tree, which is never run
        "sandbox/candidate.py": {"exec", "compile"}, "sandbox/examiner.py": {"exec", "compile"},  # there to run programs
        "sandbox/wire.py": {"marshal"},  # written, to be hashed; never read
        "trainer/checkpoint.py": {"pickle"},  # the name of the error that weights_only raises
    }  # fmt: skip
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "minisc").rglob("*.py")):
        name = path.relative_to(ROOT / "minisc").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if word := _dangerous(node):
                found.setdefault(name, set()).add(word)
    assert found == allowed


def _dangerous(node: ast.AST) -> str:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = {alias.name.split(".")[0] for alias in node.names} | {(getattr(node, "module", None) or "").split(".")[0]}
        return next(iter(names & {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib", "jsonpickle"}), "")
    if not isinstance(node, ast.Call):
        return ""
    called, words = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
    if called in ("eval", "exec", "compile", "__import__"):
        return called
    if called == "torch.load" and words.get("weights_only") != "True":
        return called
    if called in ("np.load", "numpy.load") and words.get("allow_pickle") == "True":
        return called
    return called if called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") or called.endswith("trust_remote_code") else ""


def test_names_of_strangers_do_not_drive_the_terminal(tmp_path: Path) -> None:
    """A file whose name is an escape sequence, asked for by `explain`, in a table, a warning and an error."""
    evil = "\x1b]0;owned\x07\x1b[2J\u202e.py"
    (tmp_path / "code" / "project").mkdir(parents=True)
    for name in (evil, "honest.py"):
        (tmp_path / "code" / "project" / name).write_text("def same(x):\n    return x\n")
    words = ["source=local", f"source.path={tmp_path}/code", f"out={tmp_path}/out", "steps=[collect,curate,explain]", "engine.workers=1"]
    command = [sys.executable, "-m", "minisc", *words]
    shown = subprocess.run([*command, "uid=honest.py"], capture_output=True, cwd=ROOT, timeout=100)
    missed = subprocess.run([*command, 'uid="\x1b[2J"'], capture_output=True, cwd=ROOT, timeout=100)
    said = shown.stdout + shown.stderr + missed.stdout + missed.stderr
    for log in (tmp_path / "out").rglob("minisc.log"):
        said += log.read_bytes()
    assert shown.returncode == 0 and b"owned" in shown.stdout, said.decode()
    assert "<U+001B>" in said.decode() and b"\x1b" not in said and "\u202e" not in said.decode(), said.decode()
