"""git's own files, read: real checkouts made by git, and folders that only look like one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from minisc.source.git_checkout import Checkout, address, checkout_at

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="the git program is not installed")


def git(folder: Path, *words: str) -> str:
    """git with an empty configuration and a fixed author."""
    environment = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"), "a")
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder), "PATH": os.environ["PATH"]}
    return subprocess.run(["git", "-C", str(folder), *words], env=environment, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder: Path, remote: str = "") -> str:
    """A checkout with one commit; returns its id."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    if not any(path.is_file() for path in folder.iterdir()):
        (folder / "a.py").write_text("a = 1\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    if remote:
        git(folder, "remote", "add", "origin", remote)
    return git(folder, "rev-parse", "HEAD")


@needs_git
def test_loose_reference_packed_reference_and_detached_head(tmp_path: Path) -> None:
    commit = repository(tmp_path, "git@github.com:some/where.git")
    expected = Checkout("https://github.com/some/where", commit)
    assert checkout_at(tmp_path) == expected
    git(tmp_path, "pack-refs", "--all")
    assert not (tmp_path / ".git/refs/heads/main").exists() and checkout_at(tmp_path) == expected
    git(tmp_path, "checkout", "-q", "--detach")
    assert checkout_at(tmp_path) == expected


@needs_git
def test_worktree_submodule_and_empty_repository(tmp_path: Path) -> None:
    commit = repository(tmp_path / "main", "https://example.org/x/main.git")
    git(tmp_path / "main", "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert checkout_at(tmp_path / "side") == Checkout("https://example.org/x/main", commit)
    repository(tmp_path / "library", "https://example.org/x/library")
    git(tmp_path / "main", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "vendored")
    found = checkout_at(tmp_path / "main/vendored")
    assert found is not None and found == Checkout("library", git(tmp_path / "library", "rev-parse", "HEAD"))
    (tmp_path / "new").mkdir()
    git(tmp_path / "new", "init", "-q")
    assert checkout_at(tmp_path / "new") == Checkout(None, None)


def fake(folder: Path, **files: str) -> Path:
    """A folder with the given files in `.git`; in a name `__` is a slash and `_` a dash."""
    named = {name.replace("__", "/").replace("_", "-"): text for name, text in files.items()}
    for name, text in ({"HEAD": "ref: refs/heads/main\n", "config": ""} | named).items():
        path = folder / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "head",
    [
        "ref: ../../secret",
        "ref: refs/heads/../../../secret",
        "ref: /etc/passwd",
        "ref: refs/heads/none",
        "",
        "abc",
        "g" * 40,
        "ref: refs/heads/\0x",
        "0" * 5000,
    ],
)
def test_a_head_that_leads_nowhere_or_out_gives_no_commit(tmp_path: Path, head: str) -> None:
    (tmp_path / "secret").write_text("1" * 40)
    assert checkout_at(fake(tmp_path / "repository", HEAD=head)) == Checkout(None, None)


def test_symbolic_references_are_followed_and_loops_end(tmp_path: Path) -> None:
    assert checkout_at(
        fake(tmp_path / "a", refs__heads__main="ref: refs/heads/other\n", packed_refs=f"# pack-refs\n{'1' * 40} refs/heads/other\n")
    ) == Checkout(None, "1" * 40)
    assert checkout_at(fake(tmp_path / "b", refs__heads__main="ref: refs/heads/main")) == Checkout(None, None)
    assert checkout_at(fake(tmp_path / "c", refs__heads__main="2" * 64)) == Checkout(None, "2" * 64)


def test_what_is_no_checkout(tmp_path: Path) -> None:
    assert checkout_at(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert checkout_at(tmp_path) is None
    for pointer in ("nonsense", "gitdir: nowhere", "gitdir: \0", ""):
        shutil.rmtree(tmp_path / ".git") if (tmp_path / ".git").is_dir() else (tmp_path / ".git").unlink()
        (tmp_path / ".git").write_text(pointer)
        assert checkout_at(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_for_a_head_does_not_block(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git/HEAD")
    assert checkout_at(tmp_path) is None


def test_remotes(tmp_path: Path) -> None:
    config = '[core]\n\turl = wrong\n[remote "upstream"]\n\turl = https://example.org/b/up\n[branch "main"]\n\turl = no\n[remote "fork"]\n\tfetch = +refs\n\tURL = "ssh://git@example.org:22/c/fork.git"\n'
    assert checkout_at(fake(tmp_path / "a", config=config)) == Checkout("https://example.org/c/fork", None)
    assert checkout_at(fake(tmp_path / "b", config=config + '[remote "origin"]\nurl=../local/origin.git\n')) == Checkout("origin", None)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b"), ("https://user:secret@GitHub.com/a/b", "https://github.com/a/b"), ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("ssh://git@host.org:2222/~a/b.git/", "https://host.org/~a/b"), ("git://host/a", "https://host/a"), ("host:a/b", "https://host/a/b"),
        ("/srv/git/b.git", "b"), ("file:///srv/git/b.git", "b"), ("../up/b/.git", "b"), ("/", None),
    ],
)  # fmt: skip
def test_one_spelling_without_secrets(url: str, spelled: str | None) -> None:
    assert address(url) == spelled
