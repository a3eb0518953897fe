"""Contexts, sources and artifacts for tests of steps: real files, one process, no mocks of our own parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from minisc.core.artifact import Artifact
from minisc.core.document import table_of, uid_of
from minisc.core.fingerprint import free
from minisc.core.remember import Hashes
from minisc.core.step import Context, Step
from minisc.runner.graph import plan
from minisc.runner.run import Story, execute
from minisc.source.base import Listing, Source
from tests.silent import Silent


class Inline:
    """An engine of one process."""

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], *, max_workers: int | None = None) -> Iterator[Any]:
        return map(function, items)


@dataclass(frozen=True, kw_only=True)
class Listed(Source):
    """A source of rows given as data: each inner list is a part."""

    version: ClassVar[int] = 1
    given: list[list[dict[str, Any]]] = free()

    def listing(self, wanted: int | None, hashes: Hashes) -> Listing:
        rows = [row for part in self.given for row in part]
        return Listing(
            parts=tuple(self.given),
            identity={"rows": hashlib.sha256(repr(rows).encode()).hexdigest()},
            documents=len(rows),
            bytes=sum(row["size"] for row in rows),
        )

    def tables(self, part: Any) -> Iterator[pa.Table]:
        if part:
            yield table_of(part)


def row(repo: str, path: str, text: str, **more: Any) -> dict[str, Any]:
    raw = text.encode()
    sha1_git = hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()
    uid = uid_of(source="listed", repo=repo, revision=None, path=path.encode(), sha1_git=sha1_git)
    return {
        "uid": uid,
        "sha1_git": sha1_git,
        "size": len(raw),
        "kind": "code",
        "text": text,
        "source": "listed",
        "repo": repo,
        "path": path.encode(),
        "path_text": path,
        **more,
    }


def context(folder: Path) -> Context:
    run = folder / "runs" / "test" / "1"
    run.mkdir(parents=True, exist_ok=True)
    return Context(out=folder, run=run, engine=Inline(), speak=Silent(), hashes=Hashes(folder / "hashes.json"))


def run(steps: Mapping[str, Step], where: Context, **given: Any) -> dict[str, Artifact]:
    """Run steps as the app does; returns their artifacts by name."""
    done = execute(plan(steps, given, where), Story(command="test", recipe="test"), where)
    return {item.step: item.artifact for item in done if item.artifact is not None}
