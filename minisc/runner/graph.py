"""Which step takes what from which: roles filled, fingerprints computed, before anything runs.

In: the chosen steps in order, what was given as `inputs.<role>=…`, the store. Out: a list of `Node`s, each with the nodes or
artifacts that fill its roles, and its fingerprint. A role is filled from the command line if it was given there, else from
the nearest earlier step that makes the kind (a role that is only ever `given` stays empty). Where an earlier step has taken what was given
and made the same kind of it (a model tuned, documents curated), that is what comes after it, not what was given. The fingerprint of a node is a hash of its step's settings, versions, leaves,
and the fingerprints of its inputs: a Merkle DAG, so that one changed filter changes only what lies after it.

`inputs.<role>` takes an artifact's folder, a run's folder (its last artifact of the kind; for a role that takes what all earlier steps made,
all of them), `latest:<recipe>`, or a list; folders here or at an address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisc.core import mirror
from minisc.core.artifact import Artifact, is_finished
from minisc.core.errors import UserError, did_you_mean
from minisc.core.fingerprint import describe, fingerprint
from minisc.core.runs import STORY, read_run
from minisc.core.step import Context, Need, Step

Given = Mapping[str, Any]  # role -> text, list of texts or None
OPEN = "open"  # the fingerprint of a step that lacks something, in a plan that is not run


@dataclass(frozen=True)
class Node:
    """One step of a plan."""

    name: str
    step: Step
    inputs: Mapping[str, Any]  # role -> Node, Artifact, None, or a list of them
    fingerprint: str
    path: Path  # of its artifact, finished or to be
    settings: Any  # the description that was hashed

    @property
    def cached(self) -> bool:
        return self.step.stored and is_finished(self.path)


def plan(steps: Mapping[str, Step], given: Given, context: Context, lacking: list[UserError] | None = None) -> list[Node]:
    """Fill the roles of all steps, or raise a UserError that names the step, the role and what to type.

    `lacking` is for a plan that nobody runs: what a step lacks today (benchmarks, a daemon, an extra) is put there instead of raised, and
    the fingerprint of that step and of what takes from it is `OPEN`.
    """
    nodes: list[Node] = []
    for name, step in steps.items():
        inputs = {role: _fill(name, role, need, given, nodes, context.out) for role, need in step.needs.items()}
        marks = {role: _marks(value) for role, value in inputs.items()}
        settings = _settings(name, step, context, lacking)
        is_open = settings is None or any(OPEN in (mark if isinstance(mark, list) else [mark]) for mark in marks.values())
        mark = OPEN if is_open else fingerprint({**settings, "inputs": marks})
        nodes.append(Node(name, step, inputs, mark, context.out / "store" / name / mark, settings))
    return nodes


def _settings(name: str, step: Step, context: Context, lacking: list[UserError] | None) -> Any:
    """What is hashed of a step beside its inputs; None if it lacks something and `lacking` takes that."""
    try:
        return {"step": name, "settings": describe(step), "leaves": dict(step.leaves(context)) if step.stored else {}}
    except UserError as error:
        if lacking is None:
            raise
        lacking.append(error)
        return None


def _marks(value: Any) -> Any:
    if isinstance(value, list):
        return [item.fingerprint for item in value]
    return value.fingerprint if value is not None else None


def _fill(step: str, role: str, need: Need, given: Given, nodes: Sequence[Node], out: Path) -> Any:
    told = None if _taken_further(role, need, nodes) else given.get(role)
    if told is None and need.told_as:
        return _told_as(step, role, need, given, out)
    if told is None and need.kind == "tokenizer" and given.get("model") is not None:
        told = given["model"]  # a model given explicitly carries its tokenizer, and that one wins
    if told is not None:
        texts = told if isinstance(told, list) else [told]
        found = [
            artifact for text in texts for artifact in artifacts_of(text, need.kind, role, out)[0 if need.many and not need.given else -1 :]
        ]
        if need.many:
            return found
        if len(found) > 1:
            raise UserError(
                f"step {step!r} takes one artifact as {role!r}, not {len(found)}", where=f"inputs.{role}={told}", do="name one of them"
            )
        return found[0]
    made = [node for node in nodes if need.kind in node.step.makes and not need.given]
    if need.many and (made or need.optional or need.given):
        return made
    if made:
        return made[-1]
    if need.optional:
        return None
    raise UserError(
        f"step {step!r} needs {need.kind}, and no step before it makes any",
        where=f"steps=[{','.join([*(node.name for node in nodes), step])}]",
        do=f"put a step that makes {need.kind} before it, or inputs.{role}=<artifact folder, run folder, or latest:RECIPE>",
    )


def _taken_further(role: str, need: Need, nodes: Sequence[Node]) -> bool:
    """Whether a step before this one takes the role too and makes its kind anew."""
    return not need.given and any(role in node.step.needs and need.kind in node.step.makes for node in nodes)


def _told_as(step: str, role: str, need: Need, given: Given, out: Path) -> Artifact | None:
    """What was given under the other name, or None where that holds nothing of the kind."""
    assert need.optional and not need.many, f"role {role!r} of step {step!r}"
    told = given.get(need.told_as)
    if told is None:
        return None
    try:
        return artifacts_of(told[0] if isinstance(told, list) else told, need.kind, need.told_as, out)[-1]
    except UserError:
        return None


def artifacts_of(text: str, kind: str, role: str, out: Path) -> list[Artifact]:
    """The artifacts that a person may mean by `inputs.<role>=<text>`, in the order in which they were made."""
    where = f"inputs.{role}={text}"
    folder = _latest(text.removeprefix("latest:"), out, where) if text.startswith("latest:") else mirror.local(text)
    if is_finished(folder):
        artifact = Artifact(folder)
        if kind not in artifact.kinds:
            raise UserError(
                f"this artifact holds {', '.join(artifact.kinds)}, not {kind}", where=where, do=f"name an artifact that holds {kind}"
            )
        return [artifact]
    if mirror.exists(folder / STORY):
        return _of_run(folder, kind, where)
    what = "is neither an artifact nor a run" if folder.exists() else "does not exist"
    raise UserError(f"{mirror.name(folder)!r} {what}", where=where, do="name a folder with a manifest.json or a run.json, or latest:RECIPE")


def _latest(recipe: str, out: Path, where: str) -> Path:
    runs = sorted((out / "runs" / recipe).glob("*/run.json")) if recipe in _recipes_run(out) else []
    if not runs:
        raise UserError(
            f"no run of a recipe {recipe!r} is in {mirror.name(out / 'runs')!r}",
            where=where,
            do=did_you_mean(recipe, _recipes_run(out) or ["(nothing was run yet)"]),
        )
    return runs[-1].parent


def _recipes_run(out: Path) -> list[str]:
    return sorted(path.name for path in (out / "runs").glob("*") if path.is_dir())


def _of_run(folder: Path, kind: str, where: str) -> list[Artifact]:
    there = [Artifact(made.artifact) for made in read_run(folder).made if made.artifact is not None]
    if made := [artifact for artifact in there if kind in artifact.kinds]:
        return made
    raise UserError(f"this run made no {kind}, or its artifact is gone", where=where, do=f"name a run whose steps make {kind}")
