"""Every option is bound to its constructor; every recipe composes; names agree everywhere (rules R1, R2, R6, R8, R9)."""

from __future__ import annotations

import ast
import functools
import inspect
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from minisc import app
from minisc.core.errors import UserError
from minisc.runner import build
from minisc.runner.shelf import CONF, RECIPES, recipes

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = sorted(path for path in CONF.glob("*/*.yaml"))
PLURAL = {"filters", "steps", "evals"}


@functools.cache
def composed(*words: str) -> dict[str, Any]:
    """The plain configuration of a command line; composing takes 0.1 s, so each line is composed once."""
    GlobalHydra.instance().clear()
    for name in recipes():
        ConfigStore.instance().store(group="recipe", name=name, node=OmegaConf.load(RECIPES / f"{name}.yaml"), package="_global_")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", list(words))
    app.check_root(cfg)
    return app.plain(cfg)


def option(path: Path) -> tuple[dict[str, Any], str]:
    """The node of an option with its variants' bases merged in, and the option's own name."""
    group, name = path.parent.name, path.stem
    word = f"+{group}=[{name}]" if group in PLURAL else f"{group}={name}"
    values = composed(word, "source.path=somewhere") if group == "source" and not name.startswith("installed") else composed(word)
    return (values[group][name] if group in PLURAL else values[group]), name


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_option_is_bound_to_its_constructor(path: Path) -> None:
    node, name = option(path)
    attribute = node["_target_"].rpartition(".")[2]
    target = build.target_of(node["_target_"], name)
    keys = {key for key in node if key != "_target_"}
    inspect.signature(target).bind(**{key: node[key] for key in keys})
    for parameter in inspect.signature(target).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY, f"{attribute}.{parameter.name} is not keyword-only"
        assert parameter.name in keys, f"{path.name} leaves out {parameter.name}: values live in YAML"


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_one_name_everywhere(path: Path) -> None:
    """Option = module = test; a variant starts from its module's option."""
    group, name = path.parent.name, path.stem
    node, _ = option(path)
    module = node["_target_"].rpartition(".")[0]
    own = (ROOT / "minisc" / group / f"{name}.py").exists() or (ROOT / "minisc" / group / name).is_dir()
    if own:
        assert module == f"minisc.{group}.{name}" or module.startswith(f"minisc.{group}.{name}.")
        assert (ROOT / "tests" / group / f"test_{name}.py").exists(), f"no test of {group}/{name}"
    else:
        assert "defaults" in OmegaConf.load(path), f"{group}/{name} has neither a module of its name nor defaults"
    if group in PLURAL:
        assert [key for key in OmegaConf.load(path) if key != "defaults"] == [name]


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_value_has_its_comment(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("#"), "an option file opens with what it is"


def test_components_have_no_defaults_beside_yaml() -> None:
    """R6: a dataclass of an option that sets `name: type = value` would say it twice."""
    seen = set()
    for path in OPTIONS:
        node, _ = option(path)
        target = build.target_of(node["_target_"], "")
        if target in seen:
            continue
        seen.add(target)
        tree = ast.parse(Path(inspect.getsourcefile(target) or "").read_text(encoding="utf-8"))
        body = next(item for item in ast.walk(tree) if isinstance(item, ast.ClassDef) and item.name == target.__name__).body
        for line in body:
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and "ClassVar" not in ast.dump(line.annotation)
                and line.value is not None
            ):
                assert isinstance(line.value, ast.Call) and getattr(line.value.func, "id", "") == "free", (
                    f"{target.__name__}.{line.target.id} has a default in Python"
                )
                assert not line.value.keywords and not line.value.args, f"{target.__name__}.{line.target.id} has a default in Python"


@pytest.mark.parametrize("name", sorted(recipes()))
def test_recipe_only_chooses(name: str) -> None:
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    assert f"python -m minisc +recipe={name}" in text.split("defaults:")[0], "a recipe is headed by its command"
    node = OmegaConf.load(RECIPES / f"{name}.yaml")
    scalars = {key for key, value in OmegaConf.load(CONF / "config.yaml").items() if not OmegaConf.is_dict(value)}
    for key, value in node.items():
        if key == "defaults":
            assert all(next(iter(entry)).startswith("override /") for entry in value if entry != "_self_")
        else:
            assert key in scalars or key == "inputs", f"a recipe may not write inside {key!r}"


@pytest.mark.parametrize("name", sorted(recipes()))
def test_recipe_composes_and_builds(name: str) -> None:
    values = composed(f"+recipe={name}", "source.path=somewhere") if "local" in name else composed(f"+recipe={name}")
    for step, node in values["steps"].items():
        app.build(node, f"steps.{step}")
    app.build(values["engine"], "engine")


def test_the_command_line_wins_over_the_recipe() -> None:
    assert composed("+recipe=tiny", "model=200m")["model"]["layers"] == composed("model=200m")["model"]["layers"]


def test_lists_keep_their_order_and_names() -> None:
    assert list(composed("filters=[near_dup,license]")["filters"]) == ["near_dup", "license"]
    assert list(composed("~filters.syntax")["filters"]) == ["license", "exact_dup", "near_dup"]
    assert composed("filters.near_dup.threshold=0.8")["filters"]["near_dup"]["threshold"] == 0.8


@pytest.mark.parametrize(
    ("words", "where", "do"),
    [
        (["+recpie=tiny"], "+recpie=tiny", "did you mean 'recipe'?"),
        (["+filters.near_dup.treshold=1"], "filters.near_dup.treshold", "did you mean 'threshold'?"),
        (["+filters.near_dup._target_=os.system"], "filters.near_dup._target_", "name a class under minisc."),
        (["filters.near_dup._target_=minisc.core.durable.sweep"], "filters.near_dup._target_", "name a class under minisc."),
    ],
)  # fmt: skip
def test_the_unknown_is_refused(words: list[str], where: str, do: str) -> None:
    words = [word.replace("+filters.near_dup._target_", "filters.near_dup._target_") for word in words]
    with pytest.raises(UserError) as caught:
        values = composed(*words)
        app.build(values["filters"], "filters")
    assert where in caught.value.where
    assert caught.value.do == do


def test_every_option_file_is_in_a_known_group() -> None:
    assert {path.parent.name for path in OPTIONS} <= {path.name for path in (ROOT / "minisc").iterdir() if path.is_dir()}
