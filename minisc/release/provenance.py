"""Where a model comes from: the artifacts behind it, followed back through the store, and the command that made it.

In: an artifact and the root of store and runs. Out: its ancestors in the order in which they were made, each with its settings,
figures, inputs and versions; and the command line of the run that trained it, as `run.json` kept it.
Guarantees: nothing is guessed. An ancestor that was removed from the store (or lies in another) is named by its fingerprint
alone. From the command goes what would tell strangers about a machine: folders become `<folder>`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisc.core.artifact import MANIFEST, Artifact
from minisc.core.errors import DamagedArtifact
from minisc.core.fingerprint import LENGTH

_FINGERPRINT = re.compile(rf"[0-9a-f]{{{LENGTH}}}")
_FOLDER = re.compile(
    r"^(?:[/~]|\.\.?(?:/|$)|[A-Za-z]:[\\/]|(?!https?:)[a-z][a-z0-9+.-]*://)"
)  # an absolute path or address, or one from home or here
_PRIVATE = ("path", "out", "benchmarks", "folder", "root")  # settings that hold places, whatever they look like


@dataclass(frozen=True)
class Ancestor:
    """One artifact behind a model; `manifest` is None where it is no longer in the store."""

    fingerprint: str
    manifest: dict[str, Any] | None

    @property
    def step(self) -> str:
        return str(self.manifest["step"]) if self.manifest else ""


def lineage(last: Artifact, out: Path) -> list[Ancestor]:
    """The artifact and all behind it, ancestors first, each once."""
    found: dict[str, Ancestor] = {}
    _follow(Ancestor(last.fingerprint, last.manifest), out, found)
    return list(found.values())


def _follow(one: Ancestor, out: Path, found: dict[str, Ancestor]) -> None:
    if one.fingerprint in found:
        return
    for before in _inputs(one):
        _follow(Ancestor(before, _manifest(before, out)), out, found)
    found[one.fingerprint] = one


def _inputs(one: Ancestor) -> Iterator[str]:
    for value in (one.manifest or {}).get("inputs", {}).values():
        for mark in value if isinstance(value, list) else [value]:
            if isinstance(mark, str) and _FINGERPRINT.fullmatch(mark):
                yield mark


def _manifest(fingerprint: str, out: Path) -> dict[str, Any] | None:
    for path in sorted((out / "store").glob(f"*/{fingerprint}/{MANIFEST}")):
        try:
            return Artifact(path.parent).manifest
        except DamagedArtifact:
            continue
    return None


def told(ancestors: Sequence[Ancestor]) -> list[dict[str, Any]]:
    """The lineage as plain data, for a file beside the model: settings and figures of every step, without places."""
    keys = ("step", "fingerprint", "kinds", "settings", "inputs", "versions", "figures")
    return [
        without_places({key: one.manifest[key] for key in keys if key in one.manifest})
        if one.manifest
        else {"fingerprint": one.fingerprint, "gone": True}
        for one in ancestors
    ]


def without_places(value: Any, key: str = "") -> Any:
    """The same data with folders of a machine as `<folder>`."""
    if isinstance(value, dict):
        return {name: without_places(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [without_places(item, key) for item in value]
    if isinstance(value, str) and (_FOLDER.match(value) or (key in _PRIVATE and "/" in value)):
        return "<folder>"
    return value


def command(fingerprint: str, out: Path) -> str | None:
    """The command line of the first run that made the artifact (rather than took it from the store), without places."""
    for path in sorted((out / "runs").glob("*/*/run.json")):
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            made = any(step["fingerprint"] == fingerprint and not step["cached"] for step in run["steps"])
            words = shlex.split(run["command"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run that was killed while it wrote, or one of another program
        if made:
            return shlex.join(map(_word, words))
    return None


def _word(word: str) -> str:
    name, is_setting, value = word.partition("=")
    if is_setting:
        return f"{name}=<folder>" if value != without_places(value, name.rpartition(".")[2]) else word
    return "<folder>" if _FOLDER.match(word) else word
