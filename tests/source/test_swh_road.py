"""The recipes for Software Heritage from the command line, offline: an export made from git repositories, bucket and API on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import road, small_corpus
from tests.downloader.servers import Archive as Server
from tests.downloader.servers import blob, serving
from tests.source.swh_export import Archive, git

pytestmark = pytest.mark.system
REPOSITORIES = 8
SMALL = ("trainer.batch_tokens=1024", "trainer.accelerator=cpu", "seq_len=128", "engine.workers=2", "steps.collect.held_out=0.3")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server, dict[str, set[str]]]]:
    """An export, a server that holds its contents, and what git says of each repository: repository -> {path}."""
    folder, archive, server, truth = tmp_path_factory.mktemp("swh"), Archive(), Server(), {}
    for number in range(REPOSITORIES):
        repo = folder / "repos" / f"r{number}"
        for at in range(10):
            small_corpus.write(repo / "src" / f"m{at}.py", small_corpus.module(20 + number, at))
        small_corpus.write(repo / "LICENSE", small_corpus.MIT)
        git(repo, "init", "-q", "-b", ("master", "main", "devel")[number % 3])
        git(repo, "add", "-A")
        git(repo, "commit", "-q", "-m", "one")
        url = f"https://forge.example/o/r{number}"
        archive.visit(archive.origin(url), archive.add_git(repo))
        truth[url] = set(git(repo, "ls-tree", "-r", "--name-only", "HEAD").decode().splitlines())
    archive.write_arrays(folder / "export")
    missing = blob(small_corpus.module(20, 0).encode())
    for data in archive.contents.values():
        server.add(data)
    del server.by_sha1[str(missing.sha1)]  # one content that only the API has
    with serving(server):
        yield folder, server, truth


def run(world: tuple[Path, Server, Any], recipe: str, out: Path, *words: str) -> str:
    folder, server, _ = world
    line = [
        sys.executable, "-m", "minisc", f"+recipe={recipe}", f"source.path={folder / 'export'}", f"out={out}",
        *((f"downloader.first.base_url={server.url}/content", f"downloader.then.base_url={server.url}/api/1") if recipe != "collect_swh" else ()), *words,
    ]  # fmt: skip
    told = subprocess.run(line, capture_output=True, text=True, env=road.environment(), timeout=300)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr


def story(out: Path, recipe: str) -> dict[str, Any]:
    return dict(json.loads(sorted((out / "runs" / recipe).glob("*/run.json"))[-1].read_text()))


def made(run: dict[str, Any], step: str) -> Path:
    return next(Path(entry["artifact"]) for entry in run["steps"] if entry["step"] == step)


def test_the_listing_is_what_git_says_and_ray_gives_the_same_bytes(world: tuple[Path, Server, dict[str, set[str]]], tmp_path: Path) -> None:
    files = REPOSITORIES * 11
    told = run(world, "collect_swh", tmp_path / "local")
    last = story(tmp_path / "local", "collect_swh")
    found, figures = made(last, "collect"), last["figures"]
    listing, blobs = (pq.read_table(found / name).to_pylist() for name in ("listing.parquet", "blobs.parquet"))
    assert {url: {row["path"] for row in listing if row["repo_url"] == url} for url in world[2]} == world[2]
    assert len(listing) == files and sum(row["files"] for row in blobs) == files
    assert len(blobs) == REPOSITORIES * 10 + 1 == len({row["sha1_git"] for row in blobs})
    assert {row["swhid_content"] for row in listing} == {f"swh:1:cnt:{row['sha1_git']}" for row in blobs}
    assert (figures["repositories"], figures["files"], figures["python_files"]) == (REPOSITORIES, files, REPOSITORIES * 10)
    assert figures["unique_bytes"] == sum(row["length"] for row in blobs)
    assert f"{REPOSITORIES} repositories, {files} files, {REPOSITORIES * 10} python files" in " ".join(told.split())
    counts = json.loads((found / "counts.json").read_text())
    assert counts["directories_proved"] == 2 * REPOSITORIES and "git 8 of 8" in counts["origins"]
    run(world, "collect_swh", tmp_path / "ray", "engine=ray", "engine.workers=2")
    assert road.contents(tmp_path / "ray") == road.contents(tmp_path / "local")


def test_what_the_bucket_lacks_comes_from_the_api_and_a_model_is_tuned(
    world: tuple[Path, Server, dict[str, set[str]]], tmp_path: Path
) -> None:
    small_corpus.make(tmp_path / "corpus")
    road.run(tmp_path / "corpus", tmp_path / "out", "steps.collect.held_out=0.2")
    run(world, "download_swh", tmp_path / "out", "steps.collect.held_out=0.3")
    figures = story(tmp_path / "out", "download_swh")["figures"]
    assert figures["documents_kept"] == REPOSITORIES * 10 and sum("/api/" in path for path in world[1].paths()) == 1
    before = len(world[1].requests)
    told = run(
        world, "finetune_swh", tmp_path / "out", *SMALL, "inputs.model=latest:pretrain_local", "budget=60k", "~filters.decontaminate", "~filters.malware",
    )  # fmt: skip
    assert len(world[1].requests) == before  # the store holds what was downloaded
    last = story(tmp_path / "out", "finetune_swh")
    scored = json.loads((made(last, "evaluate") / "manifest.json").read_text())["inputs"]
    assert scored["model"] == made(last, "finetune").name  # the tuned model, not the one that was given
    figures = last["figures"]
    assert figures["bits_per_byte_after"] == figures["bits_per_byte"] < figures["bits_per_byte_before"]
    assert figures["pretraining_bits_per_byte_before"] != figures["pretraining_bits_per_byte_after"]
    assert "bits per byte, held out of pretraining" in told
