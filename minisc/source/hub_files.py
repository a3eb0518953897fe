"""What a data set on the hub holds at one commit: files with size and content, through huggingface_hub.

In: the name of a data set, a revision (branch, tag or commit), a pattern of paths. Out: a `Snapshot`.
Which hub, who asks and what is waited out: core/hub.py. A token is sent nowhere else.
A snapshot is remembered below the folder of downloads: one of a commit never changes and is not asked for again; that of a branch is what
remains when the hub cannot be reached, and then it is said. HF_HUB_OFFLINE=1 counts as "cannot be reached".
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisc.core import durable, hub
from minisc.core.errors import MissingExtra, UserError
from minisc.core.fingerprint import canonical
from minisc.core.hub import ASK_SECONDS, Unreachable
from minisc.source.hub_ranges import HubFile

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CONTENT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    dataset: str
    commit: str
    files: tuple[HubFile, ...]  # in the order of their paths
    remark: str = ""  # where it was remembered and not asked for

    def identity(self) -> dict[str, str]:
        return {"hub": self.dataset, "commit": self.commit}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A data set at a revision, and where its downloads are kept."""

    dataset: str
    revision: str
    under: str  # folder in the data set; "" for all of it
    downloads: str
    block_bytes: int

    def snapshot(self, pattern: str) -> Snapshot:
        """The files below `under` whose paths from there match. Raises UserError where there are none, Unreachable where nobody can be asked."""
        endpoint = hub.endpoint()
        key = hashlib.sha256(canonical([endpoint, self.dataset, self.revision, self.under])).hexdigest()[:20]
        memory = Path(self.downloads).expanduser() / "snapshots" / f"{key}.json"
        known = _remembered(memory)
        remark = ""
        if known is None or not _COMMIT.fullmatch(self.revision):
            try:
                known = _asked(endpoint, self.dataset, self.revision, self.under)
                durable.write_json(memory, known)
            except Unreachable as error:
                if known is None:
                    raise
                remark = f"the hub cannot be asked ({error.what}); this is what it said on {known['asked']}"
        files = tuple(
            HubFile(
                endpoint=endpoint, dataset=self.dataset, commit=known["commit"], path=path, name=path.removeprefix(f"{self.under}/"), size=size, content=content,
                folder=str(memory.parent.parent), block_bytes=self.block_bytes,
            )
            for path, size, content in known["files"] if fnmatch.fnmatchcase(path.removeprefix(f"{self.under}/"), pattern)
        )  # fmt: skip
        if not files:
            raise UserError(
                f"the data set has no file {pattern!r}", where=f"{self.dataset} at {known['commit'][:12]}, {len(known['files'])} files",
                do=f"look at {endpoint}/datasets/{self.dataset}/tree/{self.revision}",
            )  # fmt: skip
        return Snapshot(dataset=self.dataset, commit=known["commit"], files=files, remark=remark)


def _remembered(memory: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(memory.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None  # a memory: ask anew


def _asked(endpoint: str, dataset: str, revision: str, under: str) -> dict[str, Any]:
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile
    except ImportError as error:
        raise MissingExtra.named("huggingface_hub", "hub", f"the data set {dataset}") from error
    api = HfApi(endpoint=endpoint, token=hub.token() or False, library_name="minisc")
    where = f"{endpoint}, {dataset}, revision {revision}"
    commit = hub.patiently(lambda: api.dataset_info(dataset, revision=revision, timeout=ASK_SECONDS).sha, dataset, where)
    tree = hub.patiently(
        lambda: list(api.list_repo_tree(dataset, under or None, recursive=True, revision=commit, repo_type="dataset")), dataset, where
    )
    files = [(item.path, item.size, item.lfs.sha256 if item.lfs else item.blob_id) for item in tree if isinstance(item, RepoFile)]
    if not _COMMIT.fullmatch(commit or "") or not all(_CONTENT.fullmatch(content) and size >= 0 for _, size, content in files):
        raise UserError("the hub's answer is not to be understood", where=f"{endpoint}, {dataset}", do="HF_ENDPOINT=<another mirror>")
    return {"commit": commit, "files": sorted(files), "asked": time.strftime("%Y-%m-%d")}
