"""The one place that knows Hydra: compose, check, build, plan, run.

In: a command line. Out: a run. Everything that a run needs is built before its first step starts, so a bad value fails in
the first seconds. Behind this file there are plain dataclasses, dictionaries, lists and numbers only.

Hydra accepts `+recpie=tiny` as a new root key and runs the default: we refuse root keys that nobody declared. `_target_` is
an import and a call: only targets under `minisc.` are built, and a key that the constructor does not know is named before
anything runs. Rejected: `hydra.utils.instantiate`, whose next release but one wants a list of allowed targets at each call
and which wraps our three-part errors in its own.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import shlex
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from minisc.console import screens
from minisc.console.speaker import Terminal
from minisc.core.errors import UserError, did_you_mean
from minisc.core.remember import Hashes
from minisc.core.step import Context, Step
from minisc.engine.base import Engine
from minisc.runner.costs import costs
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute
from minisc.runner.shelf import CONF, RECIPES, recipes

ALLOWED = "minisc."  # what `_target_` may name


def main() -> None:
    """`python -m minisc` and the `minisc` script."""
    terminal = Terminal()
    if len(sys.argv) == 1:
        terminal.console.print(screens.welcome(recipes()), highlight=False, markup=False, soft_wrap=True)
        return
    try:
        _check_words(sys.argv[1:])
        store = ConfigStore.instance()
        for name in recipes():
            store.store(group="recipe", name=name, node=OmegaConf.load(RECIPES / f"{name}.yaml"), package="_global_", provider="minisc")
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(_job)()
    except UserError as error:
        screens.failure(terminal.console, error)
        sys.exit(2)


def _check_words(words: list[str]) -> None:
    """What Hydra would answer less helpfully."""
    for word in words:
        key, _, value = word.partition("=")
        if key in ("+recipe", "recipe") and "," not in value and value not in recipes():
            raise UserError(f"there is no recipe {value!r}", where=word, do=did_you_mean(value, recipes()))
        if key == "recipe":
            raise UserError("a recipe is added with a plus", where=word, do=f"+recipe={value}")


def _job(cfg: DictConfig) -> None:
    """One run: Hydra calls it once, or once a job of a multirun."""
    terminal = Terminal()
    try:
        _run(cfg, terminal)
    except UserError as error:
        logging.getLogger("minisc").error("%s", error)
        screens.failure(terminal.console, error)
        sys.exit(2)
    except KeyboardInterrupt:
        terminal.warn("interrupted; the same line goes on where it stopped")
        sys.exit(130)


def _run(cfg: DictConfig, terminal: Terminal) -> None:
    check_root(cfg)
    told = HydraConfig.get()
    values = plain(cfg)
    steps: dict[str, Step] = {name: build(node, f"steps.{name}") for name, node in values["steps"].items()}
    engine = build(values["engine"], "engine")
    assert isinstance(engine, Engine)
    out = Path(values["out"]).expanduser()
    story = Story(command=_command(), recipe=told.runtime.choices.get("recipe") or "custom")
    with engine.open() as mapper:
        context = Context(
            out=out, run=Path(told.runtime.output_dir), engine=mapper, speak=terminal, hashes=Hashes(out / "store" / "hashes.json"),
            name=f"{story.recipe}/{Path(told.runtime.output_dir).name}",
        )  # fmt: skip
        nodes = plan(steps, values["inputs"], context)
        screens.plan_table(terminal, nodes, costs(nodes, context))
        if values["plan_only"]:
            terminal.line("plan only: nothing was run")
            return
        done = execute(nodes, story, context)
        screens.closing_table(terminal, done, context)


def _command() -> str:
    return shlex.join(["python", "-m", "minisc", *sys.argv[1:]])


def check_root(cfg: DictConfig) -> None:
    """R9: refuse a root key that nobody declared; Hydra lets `+recpie=tiny` in."""
    known = {str(key) for key in OmegaConf.load(CONF / "config.yaml")} | {path.name for path in CONF.iterdir() if path.is_dir()}
    for key in map(str, cfg):
        if key not in known:
            raise UserError(f"there is no setting {key!r}", where=f"+{key}={cfg[key]}", do=did_you_mean(key, known | {"recipe"}))


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The whole configuration as dicts, lists and numbers, every interpolation followed."""
    try:
        values = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UserError("a setting has no value yet", where=str(error.full_key), do=f"{error.full_key}=<value>") from error
    except OmegaConfBaseException as error:
        raise UserError(
            str(error).splitlines()[0], where=str(getattr(error, "full_key", "")), do="see what is there: add --cfg job"
        ) from error
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def build(node: Any, where: str) -> Any:
    """Make the components that a plain configuration describes; what has no `_target_` stays plain data."""
    if isinstance(node, list):
        return [build(item, f"{where}[{at}]") for at, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    built = {key: build(value, f"{where}.{key}") for key, value in node.items() if key != "_target_"}
    if "_target_" not in node:
        return built
    target = _target(str(node["_target_"]), where)
    known = inspect.signature(target).parameters
    for key in built:
        if key not in known:
            raise UserError(f"there is no setting {key!r} in {where}", where=f"{where}.{key}={node[key]}", do=did_you_mean(key, known))
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in built:
            raise UserError(f"the setting {name!r} of {where} is missing", where=where, do=f"+{where}.{name}=<value>")
    return target(**built)


def _target(name: str, where: str) -> Any:
    module, _, attribute = name.rpartition(".")
    if not name.startswith(ALLOWED) or not all(part.isidentifier() for part in name.split(".")):
        raise UserError(
            f"a configuration may only name classes of minisc, not {name!r}", where=f"{where}._target_", do="name a class under minisc."
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{name!r} cannot be loaded: {error}", where=f"{where}._target_", do="name a class under minisc.") from error
    if not isinstance(found, type):
        raise UserError(f"{name!r} is no class", where=f"{where}._target_", do="name a class under minisc.")
    return found
