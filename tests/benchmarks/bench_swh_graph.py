"""Seconds, memory and files/s of the graph source on synthetic exports of growing size, beside a join-based sketch in polars.

    python tests/benchmarks/bench_swh_graph.py                529 thousand directories, 17 repositories: ours and the sketch's, in turn
    python tests/benchmarks/bench_swh_graph.py --sparse       the same with keys far apart, as serial numbers of the whole archive
    python tests/benchmarks/bench_swh_graph.py --grow         0.5, 1 and 2 million directories (15, 30 and 60 million entries),
                                                              and what the slope says of the whole dataset: 346 million edges

Each measurement is a fresh process, so that its peak memory is its own. An eighth of the directories is in the present trees of the
repositories, the rest is their history, as in the archive. Polars is needed for the sketch only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES_A_DIRECTORY, DIRS_A_DIRECTORY, PRESENT = 26, 4, 0.125
TABLE_FILES = 20
WHOLE = 11_500_000  # directories that make the whole dataset's 346 M edges, at 30 entries each


def build(folder: Path, directories: int, repositories: int, *, sparse: bool = False, seed: int = 1) -> None:
    """Write an export of this size; ids are random, so it is not Merkle-consistent, which nothing here looks at.

    `sparse`: the keys of entries are few of many numbers, as serial numbers of the whole archive are in an export of a part of it.
    """
    rng = np.random.default_rng(seed)

    def serial(number: int) -> np.ndarray:
        return np.cumsum(rng.integers(1, 1000, number)) if sparse else np.arange(number) * 3 + 7

    own = directories // repositories
    directories = own * repositories
    ids = rng.integers(0, 256, (directories, 20), dtype=np.uint8)
    names_dir = rng.integers(0, 5000, directories)
    # row 0 of each block is the root; below it a tree of the first eighth, then history pointing anywhere into the block
    present = max(2, int(own * PRESENT))
    block, place = np.divmod(np.arange(directories), own)
    parent = (rng.random(directories) * np.minimum(np.maximum(place, 1), present)).astype(np.int64)
    tree_child = (place > 0) & (place < present)
    lists_of = [parent[tree_child] + block[tree_child] * own]
    lists_to = [np.flatnonzero(tree_child)]
    history = np.flatnonzero(place >= present)
    lists_of.append(np.repeat(history, DIRS_A_DIRECTORY))
    lists_to.append(block[lists_of[1]] * own + (rng.random(len(lists_of[1])) * own).astype(np.int64))
    of, to = np.concatenate(lists_of), np.concatenate(lists_to)
    order = np.argsort(of, kind="stable")
    of, to = of[order], to[order]
    dir_keys = serial(directories)
    _write(
        folder,
        "directory_entry_dir",
        {
            "id": dir_keys,
            "target": _binary(ids),
            "name": _names(names_dir, b"d"),
            "perms": np.full(directories, 16384, np.int32),
        },
    )
    pool = directories * 2  # distinct file entries
    file_of = np.full(directories, FILES_A_DIRECTORY)
    values = (np.repeat(block, FILES_A_DIRECTORY) * own + (rng.random(directories * FILES_A_DIRECTORY) * own).astype(np.int64)) * 2
    values += rng.integers(0, 2, len(values))
    file_keys = serial(pool)
    _write(folder, "directory", {
        "id": _binary(ids), "dir_entries": _lists(np.bincount(of, minlength=directories), dir_keys[to]), "file_entries": _lists(file_of, file_keys[values]),
        "rev_entries": pa.nulls(directories, pa.list_(pa.int64())),
    })  # fmt: skip
    contents = rng.integers(0, 256, (pool, 20), dtype=np.uint8)
    kinds = np.array([b"py", b"txt", b"c", b"rst", b"json", b"html"])[rng.integers(0, 6, pool)]
    names = pa.array([b"%d.%b" % pair for pair in zip(rng.integers(0, 100_000, pool).tolist(), kinds.tolist(), strict=True)], pa.binary())
    _write(
        folder,
        "directory_entry_file",
        {"id": file_keys, "target": _binary(contents), "name": names, "perms": np.full(pool, 33188, np.int32)},
    )
    _write(
        folder,
        "content",
        {
            "sha1": _binary(rng.integers(0, 256, (pool, 20), dtype=np.uint8)),
            "sha1_git": _binary(contents),
            "length": rng.integers(1, 20_000, pool),
        },
    )
    revisions = rng.integers(0, 256, (repositories, 20), dtype=np.uint8)
    at, when = np.arange(repositories), np.full(repositories, 1_540_000_000_000_000)
    _write(
        folder,
        "origin",
        {"id": at, "type": pa.array(["git"] * repositories), "url": pa.array([f"https://forge.example/{n}" for n in range(repositories)])},
        1,
    )
    _write(
        folder, "origin_visit", {"origin": at, "visit": at, "date": when, "status": pa.array(["full"] * repositories), "snapshot_id": at}, 1
    )
    _write(folder, "snapshot_branches", {"snapshot_id": at, "branch_id": at}, 1)
    _write(
        folder,
        "snapshot_branch",
        {
            "object_id": at,
            "name": pa.array([b"refs/heads/master"] * repositories),
            "target": _binary(revisions),
            "target_type": pa.array(["revision"] * repositories),
        },
        1,
    )
    _write(folder, "revision", {"id": _binary(revisions), "directory": _binary(ids[at * own]), "committer_date": when}, 1)


def _binary(ids: np.ndarray) -> pa.Array:
    return pa.Array.from_buffers(
        pa.binary(), len(ids), [None, pa.py_buffer(np.arange(len(ids) + 1, dtype=np.int32) * 20), pa.py_buffer(np.ascontiguousarray(ids))]
    )


def _lists(lengths: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)), pa.array(values))


def _names(numbers: np.ndarray, prefix: bytes) -> pa.Array:
    distinct = pa.array([prefix + b"%d" % number for number in range(5000)], pa.binary())
    return distinct.take(pa.array(numbers))


def _write(folder: Path, table: str, columns: dict[str, object], files: int = TABLE_FILES) -> None:
    (folder / table).mkdir(parents=True)
    whole = pa.table(columns)
    step = max(1, -(-len(whole) // files))
    for number, start in enumerate(range(0, len(whole), step)):
        pq.write_table(whole.slice(start, step), folder / table / f"part-{number:05d}.parquet", compression="snappy")


def ours(folder: Path) -> dict[str, float]:
    """Everything from the export to rows with paths, sizes, hashes and notes, hashing of the files aside."""
    from minisc.source.swh_graph import SwhGraph, part
    from minisc.source.swh_graph.export import Export

    source = SwhGraph(
        path=str(folder), endpoint="", region="", kinds=(), branches=("main", "master"), keep=("*.py",), license_files=False, max_bytes=1 << 20, max_depth=64,
        max_files=1_000_000, repositories=None, proof_sample=0, proof_tolerance=0.0, seed=1,
    )  # fmt: skip
    start, cpu = time.perf_counter(), time.process_time()
    told = source._listed(Export(path=str(folder)), {}, None)
    listed = time.perf_counter() - start
    paths = sum(len(part.paths_of(one, source._rules())[1]) for one in told.parts)
    with_paths, cpu = time.perf_counter() - start, time.process_time() - cpu
    rows = sum(len(table) for one in told.parts[:3] for table in source.tables(one))
    return {
        "cpu": cpu,
        "listed": listed,
        "paths": paths,
        "with_paths": with_paths,
        "rows_a_second": rows / (time.perf_counter() - start - with_paths),
    }


def sketch(folder: Path) -> dict[str, float]:
    """The same listing by joins: a frontier of directories, exploded and joined to the next level. No choice, no checks, no bounds."""
    import polars as pl

    def scan(table: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / table / "*.parquet")

    start, cpu = time.perf_counter(), time.process_time()
    roots = (
        scan("origin").join(scan("origin_visit"), left_on="id", right_on="origin").join(scan("snapshot_branches"), on="snapshot_id")
        .join(scan("snapshot_branch"), left_on="branch_id", right_on="object_id").filter(pl.col("name").is_in([b"refs/heads/main", b"refs/heads/master"]))
        .join(scan("revision"), left_on="target", right_on="id").select("url", dir="directory", path=pl.lit(b"")).collect()
    )  # fmt: skip
    directory = scan("directory").select("id", "dir_entries", "file_entries").collect()
    entry_dir = scan("directory_entry_dir").select("id", "target", "name").collect()
    levels, frontier = [], roots
    while frontier.height:
        held = frontier.join(directory, left_on="dir", right_on="id")
        levels.append(held.select("url", "path", "file_entries"))
        frontier = (
            held.select("url", "path", "dir_entries")
            .explode("dir_entries")
            .drop_nulls("dir_entries")
            .join(entry_dir, left_on="dir_entries", right_on="id")
        )
        joined = frontier["path"].cast(pl.String) + frontier["name"].cast(pl.String) + "/"
        frontier = frontier.select("url", dir="target").with_columns(joined.cast(pl.Binary).alias("path"))
    entries = scan("directory_entry_file").filter(pl.col("name").bin.ends_with(b".py")).select("id", "target", "name")
    found = (
        pl.concat(levels).lazy().explode("file_entries").join(entries, left_on="file_entries", right_on="id")
        .join(scan("content"), left_on="target", right_on="sha1_git").select("url", "path", "name", "target", "length").collect()
    )  # fmt: skip
    return {"cpu": time.process_time() - cpu, "paths": found.height, "with_paths": time.perf_counter() - start}


def peak_mb() -> float:
    """Of this process alone: ru_maxrss would count the parent's memory at the fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measured(what: str, folder: Path) -> dict[str, float]:
    """One measurement in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--only", what, "--folder", str(folder)], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compared(folder: Path, times: int) -> None:
    """Ours and the sketch's in turn, so that what else the machine does meets both; medians are told."""
    seen: dict[str, list[dict[str, float]]] = {"ours": [], "sketch": []}
    for _ in range(times):
        for what, told in seen.items():
            told.append(measured(what, folder))
    middle = {
        what: {name: statistics.median(one[name] for one in told) for name in ("with_paths", "cpu", "peak_mb", "paths")}
        for what, told in seen.items()
    }
    for what, one in middle.items():
        print(
            f"  {what:7} {one['with_paths']:6.2f} s to {one['paths']:,.0f} paths ({one['paths'] / one['with_paths']:,.0f} files/s), {one['cpu']:.2f} CPU s, {one['peak_mb']:,.0f} MB"
        )
    assert middle["ours"]["paths"] == middle["sketch"]["paths"]
    ratios = {name: middle["sketch"][name] / middle["ours"][name] for name in ("with_paths", "cpu", "peak_mb")}
    print(
        f"  sketch over ours, medians of {times}: {ratios['with_paths']:.2f} in time, {ratios['cpu']:.2f} in CPU time, {ratios['peak_mb']:.2f} in memory"
    )


def grown(sizes: list[tuple[int, float, float]]) -> None:
    """What (directories, seconds, MB) of the first and the last size say of the whole dataset."""
    (first, s0, m0), (last, s1, m1) = sizes[0], sizes[-1]
    more = (WHOLE - last) / (last - first)
    print(f"slope: {WHOLE:,} directories, 346 M edges in {s1 + more * (s1 - s0):.0f} s with {m1 + more * (m1 - m0):,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--grow", action="store_true")
    parser.add_argument("--sparse", action="store_true")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", choices=("ours", "sketch"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        told = {"ours": ours, "sketch": sketch}[options.only](options.folder)
        print(json.dumps({**told, "peak_mb": peak_mb()}))
        return
    seen = []
    for directories, repositories in [(500_000, 750), (1_000_000, 1500), (2_000_000, 3000)] if options.grow else [(529_000, 17)]:
        with tempfile.TemporaryDirectory(prefix="export-") as name:
            start = time.perf_counter()
            build(Path(name), directories, repositories, sparse=options.sparse)
            entries, took = directories * (FILES_A_DIRECTORY + DIRS_A_DIRECTORY) / 1e6, time.perf_counter() - start
            print(f"{directories:,} directories, {entries:.0f} M entries, {repositories} repositories (built in {took:.0f} s)", flush=True)
            if not options.grow:
                compared(Path(name), options.times)
                continue
            own = measured("ours", Path(name))
            print(
                f"  ours    {own['with_paths']:6.2f} s to {own['paths']:,.0f} paths ({own['paths'] / own['with_paths']:,.0f} files/s), {own['cpu']:.1f} CPU s, {own['peak_mb']:,.0f} MB; then {own['rows_a_second']:,.0f} full rows/s",
                flush=True,
            )
            seen.append((directories, own["with_paths"], own["peak_mb"]))
    if options.grow:
        grown(seen)


if __name__ == "__main__":
    main()
