"""The rows of a part: documents without text, each with where it comes from and what is known of it.

In: a part, the rules. Out: rows of `core.document.SCHEMA` by repository and path. What cannot be downloaded is a row too, dropped by
`collect` with its reason: symlink, skipped_content, dangling, empty, too_large, duplicate_name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minisc.core.document import note, uid_of
from minisc.source.files import readable
from minisc.source.swh_graph.choose import Chosen
from minisc.source.swh_graph.columns import MISSING
from minisc.source.swh_graph.graph import DANGLING, FOUND, SKIPPED
from minisc.source.swh_graph.names import LICENSE, roles
from minisc.source.swh_graph.part import FORMAT, SYMLINK, Part, Rules, paths_of

DATES = (-62_135_596_800_000_000, 253_402_300_799_999_999)  # the years 1 to 9999 in microseconds, all that a timestamp can show


def rows_of(part: Part, rules: Rules) -> Iterator[dict[str, Any]]:
    """See the module."""
    order, found = paths_of(part, rules)
    role, rank = roles(part.tree.file_names, rules.keep, rules.license_files)
    heads = [_repo_fields(repo) for repo in part.repos]
    files, seen = part.files, set[str]()
    for at, path in enumerate(found.to_pylist()):
        row = int(order.row[at])
        about, notes = heads[int(order.repo[at])]
        sha1_git, size = files.targets[row].tobytes().hex(), int(files.size[row])
        reason = "duplicate_name" if order.again[at] else _reason(int(files.perms[row]), int(files.state[row]), size, rules)
        uid = uid_of(source="swh_graph", repo=about["repo"], revision=about["revision"], path=path, sha1_git=sha1_git)
        if uid in seen:
            continue  # the same name with the same content twice in one directory: a damaged tree, one file
        if order.twin[at]:
            seen.add(uid)
        own = {**notes, "perms": note(f"{int(files.perms[row]):06o}")}
        if role[row] == LICENSE:
            own["license_rank"] = note(int(rank[row]))
        yield {
            **about,
            "uid": uid,
            "sha1_git": sha1_git,
            "sha1": files.sha1[row].tobytes().hex() if files.state[row] == FOUND else None,
            "size": max(size, 0),
            "kind": "license" if role[row] == LICENSE else "code",
            "path": path,
            "path_text": readable(path),
            "notes": own,
            "dropped_by": "collect" if reason else None,
            "reason": reason or None,
        }


def _reason(perms: int, state: int, size: int, rules: Rules) -> str:
    if perms & FORMAT == SYMLINK:
        return "symlink"
    if state != FOUND:
        return {SKIPPED: "skipped_content", DANGLING: "dangling"}[state]
    return "empty" if size == 0 else "too_large" if size > rules.max_bytes else ""


def _repo_fields(repo: Chosen) -> tuple[dict[str, Any], dict[str, str]]:
    """What all rows of one repository share: fields, and notes."""
    fields = {
        "source": "swh_graph", "repo": repo.url, "revision": repo.revision.hex() if repo.revision else None, "directory": repo.root.hex(),
        "date": repo.date if DATES[0] <= repo.date <= DATES[1] else None,
    }  # fmt: skip
    notes = {"origin_type": note(repo.kind), "branch": note(readable(repo.branch)), "visit": note(repo.visit)}
    if repo.visit_date != MISSING:
        notes["visit_date"] = note(repo.visit_date // 1_000_000)  # seconds since 1970
    if repo.snapshot:
        notes["snapshot"] = note(f"swh:1:snp:{repo.snapshot.hex()}")
    if repo.also:
        notes["same_as"] = note(list(repo.also[:8]))
        notes["same_as_total"] = note(len(repo.also))
    return fields, notes
