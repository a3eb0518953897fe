"""The store of blobs: what is put is got, whatever is killed, torn, full or flipped."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minisc.core.document import sha1_git_of
from minisc.core.errors import UserError
from minisc.downloader import store as module
from minisc.downloader.store import BlobStore, is_content

DATA = [b"", b"x", b"print(1)\n" * 100, os.urandom(5000), gzip.compress(b"inner" * 100)]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.binary(max_size=400), max_size=12))
def test_what_is_put_is_got_after_reopening(tmp_path_factory: pytest.TempPathFactory, blobs: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("store")
    for half in (blobs[::2], blobs[1::2]):
        with BlobStore(folder) as store:
            for raw in half:
                store.put(sha1_git_of(raw), raw)
                assert store.get(sha1_git_of(raw)) == raw
    with BlobStore(folder) as store:
        assert [store.get(sha1_git_of(raw)) for raw in blobs] == blobs
        assert len(store) == len(set(blobs)) and store.get("0" * 40) is None


def test_a_bucket_s_gzip_is_kept_as_it_came(tmp_path: Path) -> None:
    raw = b"print(1)\n" * 100
    packed = gzip.compress(raw, 9)
    with BlobStore(tmp_path) as store:
        store.put(sha1_git_of(raw), raw, packed)
    assert (tmp_path / "pack-00000.blobs").read_bytes() == packed


def test_packs_are_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACK_BYTES", 1000)
    blobs = [os.urandom(400) for _ in range(10)]
    for some in (blobs[:5], blobs[5:]):
        with BlobStore(tmp_path) as store:
            for raw in some:
                store.put(sha1_git_of(raw), raw)
    assert sorted(path.stat().st_size for path in tmp_path.glob("pack-*")) == [800] * 5
    with BlobStore(tmp_path) as store:
        assert all(store.get(sha1_git_of(raw)) == raw for raw in blobs)


@pytest.mark.parametrize("cut", [1, 30, 47, 48, 49, 100])
def test_a_torn_index_loses_its_last_entries_only(tmp_path: Path, cut: int) -> None:
    with BlobStore(tmp_path) as store:
        for raw in DATA:
            store.put(sha1_git_of(raw), raw)
    index = tmp_path / "index.bin"
    os.truncate(index, index.stat().st_size - cut)
    left = len(DATA) - -(-cut // 48)
    with BlobStore(tmp_path) as store:
        assert [sha1_git_of(raw) in store for raw in DATA] == [at < left for at in range(len(DATA))]
        for raw in DATA:
            store.put(sha1_git_of(raw), raw)
    with BlobStore(tmp_path) as store:
        assert [store.get(sha1_git_of(raw)) for raw in DATA] == DATA


def test_a_torn_pack_loses_what_is_not_there_in_full(tmp_path: Path) -> None:
    with BlobStore(tmp_path) as store:
        for raw in DATA:
            store.put(sha1_git_of(raw), raw)
    os.truncate(tmp_path / "pack-00000.blobs", 100)
    with BlobStore(tmp_path) as store:
        assert sha1_git_of(DATA[3]) not in store and store.get(sha1_git_of(DATA[1])) == b"x"
        store.put(sha1_git_of(DATA[3]), DATA[3])
        assert store.get(sha1_git_of(DATA[3])) == DATA[3]


def test_flipped_bytes_are_found_and_forgotten(tmp_path: Path) -> None:
    raw = os.urandom(500)
    with BlobStore(tmp_path) as store:
        store.put(sha1_git_of(raw), raw)
    pack = tmp_path / "pack-00000.blobs"
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    with BlobStore(tmp_path) as store:
        assert store.get(sha1_git_of(raw)) is None
        assert sha1_git_of(raw) not in store  # so it is asked for again
        store.put(sha1_git_of(raw), raw)
    with BlobStore(tmp_path) as store:
        assert store.get(sha1_git_of(raw)) == raw


def test_final_answers_are_remembered_by_source(tmp_path: Path) -> None:
    with BlobStore(tmp_path) as store:
        store.lose("swh_s3", "1" * 40, "not_found")
    with (tmp_path / "lost.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"source": "swh_s3", "sha1_gi')  # killed while writing
    for _ in range(2):
        with BlobStore(tmp_path) as store:
            assert store.lost("swh_s3", "1" * 40) == "not_found" and store.lost("swh_api", "1" * 40) is None


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with BlobStore(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()} is downloading into this store"):
        BlobStore(tmp_path)
    with BlobStore(tmp_path):
        pass


def test_readers_need_no_lock_and_change_nothing(tmp_path: Path) -> None:
    with BlobStore(tmp_path) as writer:
        writer.put(sha1_git_of(b"one"), b"one")
        with (tmp_path / "index.bin").open("ab") as index:
            index.write(b"torn")
        before = (tmp_path / "index.bin").read_bytes()
        with BlobStore(tmp_path, reading=True) as reader:
            assert reader.get(sha1_git_of(b"one")) == b"one" and reader.get(sha1_git_of(b"two")) is None
        assert (tmp_path / "index.bin").read_bytes() == before


def test_content_is_what_all_its_names_say() -> None:
    raw = b"print(1)\n"
    names = sha1_git_of(raw), hashlib.sha1(raw).hexdigest()
    assert is_content(raw, *names, 9) and is_content(raw, names[0])
    assert not is_content(raw, *names, 8)
    assert not is_content(raw[::-1], *names, 9)
    assert not is_content(raw, names[0], "0" * 40)


WRITER = """
import os, resource, signal, sys
from pathlib import Path
from minisc.core.document import sha1_git_of
from minisc.core.errors import UserError
from minisc.downloader.store import BlobStore
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with BlobStore(folder) as store:
    at = 0
    while True:
        raw = b"%d:" % at + bytes(at % 251 for _ in range(300)) + os.urandom(300)
        try:
            store.put(sha1_git_of(raw), raw)
        except UserError as error:
            print(error, flush=True)
            sys.exit(3)
        print(sha1_git_of(raw), flush=True)
        at += 1
"""


@pytest.mark.system
def test_kill_nine_loses_nothing_that_was_put(tmp_path: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "0"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        names = [process.stdout.readline().strip() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        names += [line for line in process.communicate()[0].splitlines() if len(line) == 40]
        with BlobStore(tmp_path) as store:
            assert all(store.get(name) is not None for name in names)


@pytest.mark.system
def test_a_full_disk_is_said_and_what_was_put_stays(tmp_path: Path) -> None:
    """A real one for the process: no file may grow beyond 100 kB."""
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "100000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "cannot write into the store of blobs" in done.stdout and "downloader.store=" in done.stdout
    names = [line for line in done.stdout.splitlines() if len(line) == 40]
    with BlobStore(tmp_path) as store:
        assert len(names) > 100 and all(store.get(name) is not None for name in names)
        store.put(sha1_git_of(b"more"), b"more")
        assert store.get(sha1_git_of(b"more")) == b"more"
