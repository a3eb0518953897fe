"""Components from plain configuration: what a `_target_` names, called with the keys beside it.

In: dicts, lists and numbers as YAML has them. Out: the same with every dict that has a `_target_` made into its object.
Guarantees: `_target_` is an import and a call, so only classes that are ours are built; a key that the constructor does not know, or one
that it misses, is named before anything runs. Rejected: `hydra.utils.instantiate`, whose next release but one wants a list of allowed
targets at each call and which wraps our three-part errors in its own.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from minisc.core.errors import UserError, did_you_mean

ALLOWED = "minisc."  # what `_target_` may name


def build(node: Any, where: str) -> Any:
    """Make the components that a plain configuration describes; what has no `_target_` stays plain data."""
    if isinstance(node, list):
        return [build(item, f"{where}[{at}]") for at, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    built = {key: build(value, f"{where}.{key}") for key, value in node.items() if key != "_target_"}
    if "_target_" not in node:
        return built
    target = target_of(str(node["_target_"]), where)
    known = inspect.signature(target).parameters
    for key in built:
        if key not in known:
            raise UserError(f"there is no setting {key!r} in {where}", where=f"{where}.{key}={node[key]}", do=did_you_mean(key, known))
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in built:
            raise UserError(f"the setting {name!r} of {where} is missing", where=where, do=f"+{where}.{name}=<value>")
    return target(**built)


def target_of(name: str, where: str) -> Any:
    """The class that a `_target_` names. Raises UserError where it is not one of ours."""
    module, _, attribute = name.rpartition(".")
    if not name.startswith(ALLOWED) or not all(part.isidentifier() for part in name.split(".")):
        raise UserError(
            f"a configuration may only name classes of minisc, not {name!r}", where=f"{where}._target_", do="name a class under minisc."
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{name!r} cannot be loaded: {error}", where=f"{where}._target_", do="name a class under minisc.") from error
    if not isinstance(found, type) or not found.__module__.startswith(ALLOWED):  # nor what one of our modules has imported
        raise UserError(f"{name!r} is no class of minisc", where=f"{where}._target_", do="name a class under minisc.")
    return found
