"""Exports of Software Heritage's graph, made from git repositories and from trees written down in tests, with real ids.

`Archive` collects objects: `add_git` reads every object of a repository through `git cat-file`, `tree`, `commit` and `tag` make
them from Python values (ids are computed here from git's own format, independently of what is tested). `write_arrays` writes the
fifteen tables of the 2019 layout, `write_relational` those of 2021 and later.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq

FILE, EXECUTABLE, SYMLINK, TREE, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000
HOUR = 3_600_000_000  # microseconds
Tree = Mapping[bytes, Any]  # name -> bytes, (mode, bytes), a Tree, (SUBMODULE, id)


def git_id(kind: bytes, body: bytes) -> bytes:
    return hashlib.sha1(kind + b" %d\0" % len(body) + body).digest()


def git(repo: Path, *arguments: str, **options: Any) -> bytes:
    """The output of a git command in a repository, with a fixed identity and clock."""
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(repo), "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": "1500000000 +0000", "GIT_COMMITTER_DATE": "1500000000 +0000", **options.pop("env", {}),
    }  # fmt: skip
    return subprocess.run(["git", "-C", str(repo), *arguments], check=True, capture_output=True, env=environment, **options).stdout


@dataclass
class Archive:
    contents: dict[bytes, bytes] = field(default_factory=dict)  # sha1_git -> bytes
    skipped: dict[bytes, int] = field(default_factory=dict)  # sha1_git -> length
    trees: dict[bytes, list[tuple[bytes, int, bytes]]] = field(default_factory=dict)
    commits: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    tags: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    origins: list[tuple[str, str]] = field(default_factory=list)  # (kind, url)
    visits: list[dict[str, Any]] = field(default_factory=list)
    snapshots: dict[bytes, dict[bytes, tuple[str | None, bytes | None]]] = field(default_factory=dict)

    def blob(self, data: bytes) -> bytes:
        self.contents[key := git_id(b"blob", data)] = data
        return key

    def tree(self, entries: Tree) -> bytes:
        rows = []
        for name, value in entries.items():
            if isinstance(value, bytes):
                rows.append((name, FILE, self.blob(value)))
            elif isinstance(value, Mapping):
                rows.append((name, TREE, self.tree(value)))
            else:
                mode, data = value
                rows.append((name, mode, data if mode in (SUBMODULE, TREE) or (len(data) == 20 and mode == 0) else self.blob(data)))
        return self.tree_rows(rows)

    def tree_rows(self, rows: list[tuple[bytes, int, bytes]]) -> bytes:
        ordered = sorted(rows, key=lambda row: row[0] + (b"/" if row[1] == TREE else b""))
        key = git_id(b"tree", b"".join(b"%o %b\0%b" % (mode, name, target) for name, mode, target in ordered))
        self.trees[key] = rows
        return key

    def commit(
        self, tree: bytes, *, date: int = 1_500_000_000_000_000, kind: str = "git", message: bytes = b"m", parents: tuple[bytes, ...] = ()
    ) -> bytes:
        key = hashlib.sha1(repr((tree, date, kind, message, parents)).encode()).digest()
        self.commits[key] = {"directory": tree, "date": date, "type": kind, "message": message, "parents": parents}
        return key

    def tag(self, target: bytes, target_type: str = "revision", name: bytes = b"v1") -> bytes:
        key = hashlib.sha1(repr((target, target_type, name)).encode()).digest()
        self.tags[key] = {"target": target, "target_type": target_type, "name": name}
        return key

    def origin(self, url: str, kind: str = "git") -> int:
        self.origins.append((kind, url))
        return len(self.origins) - 1

    def visit(
        self,
        origin: int,
        branches: Mapping[bytes, tuple[str | None, bytes | None]] | None,
        *,
        number: int = 1,
        date: int = 1_540_000_000_000_000,
        status: str = "full",
    ) -> None:
        snapshot = None
        if branches is not None:
            snapshot = hashlib.sha1(repr(sorted(branches.items())).encode()).digest()
            self.snapshots[snapshot] = dict(branches)
        self.visits.append({"origin": origin, "visit": number, "date": date, "status": status, "snapshot": snapshot})

    def add_git(self, repo: Path) -> dict[bytes, tuple[str | None, bytes | None]]:
        """Every object of a repository; returns its branches as a loader of January 2019 recorded them (HEAD no alias)."""
        stream = git(repo, "cat-file", "--batch", "--batch-all-objects")
        at = 0
        while at < len(stream):
            end = stream.index(b"\n", at)
            key, kind, size = stream[at:end].split()
            body = stream[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
            self._add_object(bytes.fromhex(key.decode()), kind, body)
        kinds = {b"commit": "revision", b"tag": "release", b"tree": "directory", b"blob": "content"}
        branches: dict[bytes, tuple[str | None, bytes | None]] = {}
        for line in git(repo, "for-each-ref", "--format=%(objectname) %(objecttype) %(refname)").splitlines():
            key, kind, name = line.split(b" ", 2)
            branches[name] = (kinds[kind], bytes.fromhex(key.decode()))
        head = git(repo, "rev-parse", "HEAD").strip()
        return {b"HEAD": ("revision", bytes.fromhex(head.decode())), **branches}

    def _add_object(self, key: bytes, kind: bytes, body: bytes) -> None:
        if kind == b"blob":
            self.contents[key] = body
        elif kind == b"tree":
            rows, at = [], 0
            while at < len(body):
                nul = body.index(b"\0", at)
                mode, name = body[at:nul].split(b" ", 1)
                rows.append((name, int(mode, 8), body[nul + 1 : nul + 21]))
                at = nul + 21
            self.trees[key] = rows
        elif kind == b"commit":
            header = body.split(b"\n\n", 1)[0].split(b"\n")
            fields = [line.split(b" ", 1) for line in header]
            when = next(int(value.split()[-2]) for name, value in fields if name == b"committer")
            parents = tuple(bytes.fromhex(value.decode()) for name, value in fields if name == b"parent")
            tree = next(bytes.fromhex(value.decode()) for name, value in fields if name == b"tree")
            self.commits[key] = {"directory": tree, "date": when * 1_000_000, "type": "git", "message": b"m", "parents": parents}
        else:
            fields = dict(line.split(b" ", 1) for line in body.split(b"\n\n", 1)[0].split(b"\n"))
            kinds = {b"commit": "revision", b"tree": "directory", b"blob": "content", b"tag": "release"}
            self.tags[key] = {
                "target": bytes.fromhex(fields[b"object"].decode()),
                "target_type": kinds[fields[b"type"]],
                "name": fields[b"tag"],
            }

    # -- the layout of 2019 ---------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, pa.Table]:
        """The fifteen tables."""
        entries: dict[str, dict[tuple[bytes, bytes, int], int]] = {"dir": {}, "file": {}, "rev": {}}
        directories: list[dict[str, Any]] = []
        for key, rows in self.trees.items():
            held: dict[str, list[int]] = {"dir": [], "file": [], "rev": []}
            for name, mode, target in rows:
                kind = {TREE: "dir", SUBMODULE: "rev"}.get(mode, "file")
                held[kind].append(entries[kind].setdefault((target, name, mode), 1000 + 3 * len(entries[kind])))
            directories.append({"id": key, **{f"{kind}_entries": ids or None for kind, ids in held.items()}})
        snapshots = {key: 50 + at for at, key in enumerate(self.snapshots)}
        branch_ids: dict[tuple[bytes, Any, Any], int] = {}
        links = [
            (snapshots[key], branch_ids.setdefault((name, kind, target), 7 + len(branch_ids)))
            for key, branches in self.snapshots.items() for name, (kind, target) in branches.items()
        ]  # fmt: skip
        blob, i64, i16, i32, text, us = pa.binary(), pa.int64(), pa.int16(), pa.int32(), pa.string(), pa.timestamp("us")
        lists = pa.list_(i64)
        visits = [
            {**visit, "snapshot_id": snapshots.get(visit["snapshot"]), "origin": visit["origin"] + 1, "metadata": None}
            for visit in self.visits
        ]
        return {
            "content": _table([("sha1", blob), ("sha1_git", blob), ("length", i64)], [{"sha1": hashlib.sha1(data).digest(), "sha1_git": key, "length": len(data)} for key, data in self.contents.items()]),
            "skipped_content": _table([("sha1", blob), ("sha1_git", blob), ("length", i64)], [{"sha1_git": key, "length": length} for key, length in self.skipped.items()]),
            "directory": _table([("id", blob), ("dir_entries", lists), ("file_entries", lists), ("rev_entries", lists)], directories),
            **{
                f"directory_entry_{kind}": _table([("id", i64), ("target", blob), ("name", blob), ("perms", i32)], [{"id": number, "target": target, "name": name, "perms": mode} for (target, name, mode), number in own.items()])
                for kind, own in entries.items()
            },
            "person": _table([("id", i64)], [{"id": 1}]),
            "revision": _table(
                [("id", blob), ("date", us), ("date_offset", i16), ("committer_date", us), ("committer_date_offset", i16), ("type", text), ("directory", blob), ("message", blob), ("author", i64), ("committer", i64)],
                [{"id": key, "date": one["date"], "committer_date": one["date"], "type": one["type"], "directory": one["directory"], "message": one["message"], "author": 1, "committer": 1} for key, one in self.commits.items()],
            ),
            "revision_history": _table([("id", blob), ("parent_id", blob), ("parent_rank", i32)], [{"id": key, "parent_id": parent, "parent_rank": at} for key, one in self.commits.items() for at, parent in enumerate(one["parents"])]),
            "release": _table([("id", blob), ("target", blob), ("date", us), ("date_offset", i16), ("name", blob), ("comment", blob), ("author", i64), ("target_type", text)], [{"id": key, "target": one["target"], "name": one["name"], "target_type": one["target_type"]} for key, one in self.tags.items()]),
            "snapshot": _table([("object_id", i64), ("id", blob)], [{"object_id": number, "id": key} for key, number in snapshots.items()]),
            "snapshot_branches": _table([("snapshot_id", i64), ("branch_id", i64)], [{"snapshot_id": a, "branch_id": b} for a, b in links]),
            "snapshot_branch": _table([("object_id", i64), ("name", blob), ("target", blob), ("target_type", text)], [{"object_id": number, "name": name, "target": target, "target_type": kind} for (name, kind, target), number in branch_ids.items()]),
            "origin": _table([("id", i64), ("type", text), ("url", text)], [{"id": at + 1, "type": kind, "url": url} for at, (kind, url) in enumerate(self.origins)]),
            "origin_visit": _table([("origin", i64), ("visit", i64), ("date", us), ("status", text), ("metadata", text), ("snapshot_id", i64)], visits),
        }  # fmt: skip

    def write_arrays(self, folder: Path, change: Mapping[str, Callable[[pa.Table], pa.Table]] | None = None, files: int = 3) -> Path:
        """Write the tables as Parquet, each cut into `files` files; `change`: table -> what to make of it."""
        for name, table in self.arrays().items():
            table = (change or {}).get(name, lambda same: same)(table)
            (folder / name).mkdir(parents=True)
            (folder / name / "_SUCCESS").touch()
            step = max(1, -(-len(table) // files))
            for number, start in enumerate(range(0, max(1, len(table)), step)):
                pq.write_table(table.slice(start, step), folder / name / f"part-{number:05d}.snappy.parquet")
        return folder

    # -- the layout of 2021 and later -----------------------------------------------------------------------------------

    def write_relational(self, folder: Path) -> Path:
        kinds = {TREE: "dir", SUBMODULE: "rev"}
        text, blob, i64, i32, ns = pa.string(), pa.binary(), pa.int64(), pa.int32(), pa.timestamp("ns")

        def hexed(kind: str | None, target: bytes | None) -> str | None:
            return None if target is None else target.decode() if kind == "alias" else target.hex()

        tables = {
            "origin": _table([("id", text), ("url", text)], [{"id": hashlib.sha1(url.encode()).hexdigest(), "url": url} for _, url in self.origins]),
            "origin_visit": _table([("origin", text), ("visit", i64), ("date", ns), ("type", text)], [{"origin": self.origins[v["origin"]][1], "visit": v["visit"], "date": v["date"] * 1000, "type": self.origins[v["origin"]][0]} for v in self.visits]),
            "origin_visit_status": _table([("origin", text), ("visit", i64), ("date", ns), ("status", text), ("snapshot", text), ("type", text)], [{"origin": self.origins[v["origin"]][1], "visit": v["visit"], "date": v["date"] * 1000, "status": v["status"], "snapshot": v["snapshot"].hex() if v["snapshot"] else None} for v in self.visits]),
            "snapshot": _table([("id", text)], [{"id": key.hex()} for key in self.snapshots]),
            "snapshot_branch": _table([("snapshot_id", text), ("name", blob), ("target", text), ("target_type", text)], [{"snapshot_id": key.hex(), "name": name, "target": hexed(kind, target), "target_type": kind} for key, branches in self.snapshots.items() for name, (kind, target) in branches.items()]),
            "release": _table([("id", text), ("name", blob), ("target", text), ("target_type", text)], [{"id": key.hex(), "name": one["name"], "target": one["target"].hex(), "target_type": one["target_type"]} for key, one in self.tags.items()]),
            "revision": _table([("id", text), ("date", ns), ("committer_date", ns), ("directory", text), ("type", text)], [{"id": key.hex(), "date": one["date"] * 1000, "committer_date": one["date"] * 1000, "directory": one["directory"].hex(), "type": one["type"]} for key, one in self.commits.items()]),
            "directory": _table([("id", text), ("raw_manifest", blob)], [{"id": key.hex()} for key in self.trees]),
            "directory_entry": _table([("directory_id", text), ("name", blob), ("type", text), ("target", text), ("perms", i32)], [{"directory_id": key.hex(), "name": name, "type": kinds.get(mode, "file"), "target": target.hex(), "perms": mode} for key, rows in self.trees.items() for name, mode, target in rows]),
            "content": _table([("sha1", text), ("sha1_git", text), ("sha256", text), ("length", i64), ("status", text), ("data", blob)], [{"sha1": hashlib.sha1(data).hexdigest(), "sha1_git": key.hex(), "length": len(data), "status": "visible"} for key, data in self.contents.items()]),
            "skipped_content": _table([("sha1", text), ("sha1_git", text), ("length", i64), ("reason", text)], [{"sha1_git": key.hex(), "length": length} for key, length in self.skipped.items()]),
        }  # fmt: skip
        for name, table in tables.items():
            (folder / name).mkdir(parents=True)
            pyarrow.orc.write_table(table, str(folder / name / f"{name}-0.orc"))
        return folder


def _table(columns: list[tuple[str, pa.DataType]], rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema(columns)
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
