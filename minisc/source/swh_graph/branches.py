"""Which branches of a snapshot to try, best first.

In: the branches of one snapshot (name -> type and target), the kind of its origin, the names that the settings ask for.
Out: names in the order in which they should be tried. Policy, from what the archive's loaders wrote:

    git and other repositories    the names of `branches` in their order: `HEAD` is followed if it is an alias; any other
                                  name is refs/heads/<name>; `newest` stands for all of refs/heads/* by date, newest first
    pypi                          HEAD, then releases/<version>[/<file>] by PEP 440
    deb                           HEAD, then [releases/]<suite>/<area>/<version> by dpkg's order, of equals sid first

Aliases are names inside the same snapshot; they are followed at most eight times, so a cycle ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from minisc.source.swh_graph.versions import dpkg_key, pep440_key

HEAD, HEADS, NEWEST = b"HEAD", b"refs/heads/", "newest"
ALIAS_STEPS = 8
SUITES = (
    "sid",
    "unstable",
    "experimental",
    "bullseye",
    "buster",
    "stretch",
    "jessie",
    "wheezy",
    "squeeze",
    "lenny",
)  # newest first, as of 2019


@dataclass(frozen=True, slots=True)
class Target:
    kind: str  # content, directory, revision, release, snapshot, alias, or "" where the archive does not say
    id: bytes | None  # 20 bytes; of an alias the name


Branches = Mapping[bytes, Target]


def wanted_order(branches: Branches, origin_kind: str, asked: Sequence[str], newest: Sequence[bytes]) -> list[bytes]:
    """Names to try. `newest`: the names of refs/heads/* by date, newest first, for those who ask for it."""
    if origin_kind == "pypi":
        return _first(HEAD, branches) + sorted((name for name in branches if name.startswith(b"releases/")), key=_pypi_rank, reverse=True)
    if origin_kind == "deb":
        versions = [name for name in branches if _debian(name) is not None]
        return _first(HEAD, branches) + sorted(versions, key=_debian_rank, reverse=True)
    out: list[bytes] = []
    for name in asked:
        out += newest if name == NEWEST else [HEAD] if name == "HEAD" else [HEADS + name.encode()]
    return [name for name in dict.fromkeys(out) if name in branches]


def _first(name: bytes, branches: Branches) -> list[bytes]:
    return [name] if name in branches else []


def _pypi_rank(name: bytes) -> tuple[object, ...]:
    version, _, file = name.decode("utf-8", "replace").removeprefix("releases/").partition("/")
    return (pep440_key(version), file.endswith(".tar.gz"), tuple(-ord(one) for one in file[:256]))


def _debian(name: bytes) -> tuple[str, str] | None:
    """(suite, version) of a Debian branch."""
    parts = name.decode("utf-8", "replace").removeprefix("releases/").split("/")
    return (parts[0], parts[2]) if len(parts) == 3 and not name.startswith(b"refs/") else None


def _debian_rank(name: bytes) -> tuple[object, ...]:
    found = _debian(name)
    assert found is not None
    suite = found[0].partition("-")[0]
    return (dpkg_key(found[1]), -SUITES.index(suite) if suite in SUITES else -len(SUITES), name)


def followed(branches: Branches, name: bytes) -> tuple[bytes, Target, str]:
    """Where a name leads: its last name, its target, and a reason if it leads nowhere (dangling_branch, branch_cycle)."""
    for _ in range(ALIAS_STEPS):
        target = branches.get(name)
        if target is None or target.id is None:
            return name, Target("", None), "dangling_branch"
        if target.kind != "alias":
            return name, target, ""
        name = target.id
    return name, Target("", None), "branch_cycle"


def named_as(branches: Branches, name: bytes) -> bytes:
    """HEAD by the name of the branch that it equals, where one does: in 2019 HEAD was no alias and names none."""
    if name != HEAD:
        return name
    same = sorted(other for other, target in branches.items() if other.startswith(HEADS) and target == branches[HEAD])
    for usual in (b"main", b"master", b"develop", b"trunk", b"default"):
        if HEADS + usual in same:
            return HEADS + usual
    return same[0] if same else name
