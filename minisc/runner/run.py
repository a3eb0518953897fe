"""Running a plan: each step from the store or by itself, its manifest last, and the story of the run beside.

Guarantees: a step that is in the store is not run again; a step that was killed goes on in its own folder; two runs that
want the same artifact do not write over each other (locks.py: the second waits, says for whom, and finds the artifact there).
`run.json` is rewritten after every step, so that a killed run tells how far it got.
Where a lease among machines lapsed and two worked all the same, the second to finish, or to stumble over what the first has tidied away,
takes the first one's artifact.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from minisc.core import durable, mirror
from minisc.core.artifact import SCRATCH, Artifact, Figures, Work, clear
from minisc.core.runs import STORY
from minisc.core.step import Closing, Context, Cost, Done
from minisc.runner.graph import Node
from minisc.runner.locks import one_writer
from minisc.runner.stopping import still_wanted
from minisc.runner.trouble import of_the_machine

# Packages whose version can matter to a result.
PACKAGES = ("minisc", "numpy", "pyarrow", "datasketch", "tokenizers", "tiktoken", "torch", "lightning", "hydra-core", "ray")


@dataclass(frozen=True)
class Story:
    """What is written about a run beside its steps."""

    command: str
    recipe: str


def execute(nodes: Sequence[Node], story: Story, context: Context, costs: Mapping[str, Cost] = MappingProxyType({})) -> list[Done]:
    """Run a plan from its first step to its last. `costs`: what the plan said, to be held against what is spent."""
    done: list[Done] = []
    artifacts: dict[str, Artifact] = {}
    for node in nodes:
        still_wanted()
        start = time.monotonic()
        if isinstance(node.step, Closing):
            figures = node.step.look(done, context)
            done.append(Done(node.name, None, False, time.monotonic() - start, figures, costs.get(node.name)))
        else:
            inputs = {role: _resolved(value, artifacts) for role, value in node.inputs.items()}
            cached = node.cached
            if cached and (node.path / SCRATCH).exists():  # of a run that was killed just after its manifest
                clear(node.path)
            artifact = Artifact(node.path) if cached else _make(node, inputs, context)
            node.step.publish(artifact, context, cached)
            artifacts[node.name] = artifact
            done.append(Done(node.name, artifact, cached, time.monotonic() - start, artifact.figures, costs.get(node.name)))
        _tell(done[-1], context)
        write_run(done, story, context)
    return done


def _resolved(value: Any, artifacts: Mapping[str, Artifact]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, artifacts) for item in value]
    return artifacts[value.name] if isinstance(value, Node) else value


def _make(node: Node, inputs: Mapping[str, Any], context: Context) -> Artifact:
    with _writable(node.path), one_writer(node.path, node.name, context.speak):
        if node.cached:  # another run made it while we waited
            return Artifact(node.path)
        work = Work(mirror.match(node.path), context)
        for artifact in _artifacts(inputs):
            mirror.fetch(artifact.path)
        start = time.monotonic()
        durable.sweep(node.path)
        try:
            figures = node.step.run(work, inputs)
        except Exception:
            if not node.cached:
                raise
        if node.cached:
            return _others(node, context)
        about = {
            "step": node.name, "fingerprint": node.fingerprint, "kinds": list(node.step.makes), "settings": node.settings,
            "inputs": {role: _prints(value) for role, value in inputs.items()}, "versions": versions(),
            "seconds": round(time.monotonic() - start, 3),
        }  # fmt: skip
        return work.commit(about, figures)


def _others(node: Node, context: Context) -> Artifact:
    """The artifact that another machine's run has finished meanwhile; what is ours of it goes."""
    context.speak.line(f"{node.name}: another run has finished this artifact; taking it")
    clear(node.path)
    return Artifact(mirror.match(node.path))


def _artifacts(inputs: Mapping[str, Any]) -> Iterator[Artifact]:
    for value in inputs.values():
        yield from value if isinstance(value, list) else [value] if value is not None else []


def _prints(value: Any) -> Any:
    if isinstance(value, list):
        return [item.fingerprint for item in value]
    return value.fingerprint if value is not None else None


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """A full or read-only disk is the machine's trouble, said as such; what was finished stays finished."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except Exception as error:
        if (trouble := of_the_machine(error, path)) is None or not _inside(getattr(error, "filename", None), path):
            raise
        raise trouble from error


def _inside(name: object, path: Path) -> bool:
    """Whether an OSError is about the store (Arrow's errors carry no file name)."""
    return name is None or str(name).startswith(str(path.parent))


def _tell(done: Done, context: Context) -> None:
    how = "from the store" if done.cached else f"{done.seconds:.1f} s"
    context.speak.line(f"{done.step:<16} {how:>15}   {summary(done.figures)}")


def summary(figures: Figures) -> str:
    """The few figures that a person wants to see in a line."""
    shown = [name for name in SHOWN if name in figures]
    return "  ".join(f"{name} {_short(figures[name])}" for name in shown[:5])


SHOWN = (
    "documents_kept", "documents_dropped", "bytes_kept", "vocabulary", "bytes_per_token", "tokens", "tokens_trained", "parameters", "bits_per_byte",
    "zlib_bits_per_byte", "xz_bits_per_byte", "tokens_per_second", "completions", "export_bytes", "index_bytes", "longest_repeat_tokens",
)  # fmt: skip


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def figures_of(done: Sequence[Done]) -> Figures:
    """The figures of a whole run: those of its steps under their own names.

    A step replaces what an earlier step said of the same kind of artifact (curate's documents, collect's). Where steps that make
    different things use one name for different numbers, the first keeps it and the later one's is `<step>_<name>`: nothing is lost.
    """
    figures: Figures = {}
    owners: dict[str, str] = {}  # figure -> the kind of artifact that it tells of
    for item in done:
        kind = item.artifact.kinds[0] if item.artifact and item.artifact.kinds else item.step
        for name, value in item.figures.items():
            other = owners.get(name, kind) != kind and figures[name] != value
            key = f"{item.step}_{name}" if other else name
            figures[key] = value
            owners.setdefault(key, kind)
    return figures


SPENT = ("disk_bytes", "download_bytes", "requests", "tokens", "flops")  # of a Cost, beside its seconds


def expected_of(done: Done) -> dict[str, float]:
    """What the plan said that the step would cost; {} for a step from the store, and where nothing was said."""
    cost = done.cost
    if cost is None or done.cached:
        return {}
    told = {"seconds": round(cost.seconds, 3) if cost.seconds else None, **{name: getattr(cost, name) for name in SPENT}}
    return {name: value for name, value in told.items() if value}


def spent_of(done: Done) -> dict[str, float]:
    """What it then took, under the same names: disk from the manifest, the rest where the step's figures tell it."""
    if done.cached:
        return {}
    disk = sum(int(entry["bytes"]) for entry in done.artifact.manifest["files"]) if done.artifact else 0
    figures = {**done.figures, "tokens": done.figures.get("tokens_trained")}
    told = {"disk_bytes": disk, **{name: figures.get(name) for name in SPENT[1:]}}
    return {"seconds": round(done.seconds, 3), **{name: value for name, value in told.items() if value}}


def write_run(done: Sequence[Done], story: Story, context: Context) -> None:
    """`run.json`: what was asked, what was done, where it lies."""
    figures = {**figures_of(done), "peak_memory_bytes": peak_memory()}
    durable.write_json(context.run / STORY, {
        "command": story.command, "recipe": story.recipe,
        "steps": [{
            "step": item.step, "artifact": mirror.name(item.artifact.path.absolute()) if item.artifact else None,
            "fingerprint": item.artifact.fingerprint if item.artifact else None,
            "cached": item.cached, "seconds": round(item.seconds, 3), "expected": expected_of(item), "spent": spent_of(item),
            "figures": item.figures,
        } for item in done],
        "figures": figures,
    })  # fmt: skip
    mirror.send(context.run)


def peak_memory() -> int:
    """Bytes: the peak of this process, and of the largest of its workers if that was larger."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
