"""A mirror of a real S3 server: what is there is here, what is here is there, hostile names and credentials are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from minisc.core import durable, mirror
from minisc.core.artifact import Artifact
from minisc.core.errors import DamagedArtifact, UserError
from tests import bucket


def elsewhere(here: Path, tmp_path: Path) -> Path:
    """The same folder in the mirror of another machine."""
    return tmp_path / "two" / here.relative_to(tmp_path / "one")


def test_what_one_machine_writes_another_reads(here: Path, tmp_path: Path) -> None:
    durable.write_json(here / "a" / "b.json", {"x": 1})
    there = elsewhere(here, tmp_path)
    assert mirror.exists(there / "a" / "b.json") and not (there / "a").exists()
    assert mirror.fetch(there / "a" / "b.json").read_bytes() == (here / "a" / "b.json").read_bytes()
    before = (there / "a" / "b.json").stat().st_ino
    assert mirror.fetch(there / "a" / "b.json").stat().st_ino == before  # not fetched again
    durable.write_json(here / "a" / "b.json", {"x": 234})
    assert "234" in mirror.fetch(there).joinpath("a", "b.json").read_text()


def test_send_match_and_remove(here: Path, tmp_path: Path) -> None:
    (here / "run").mkdir(parents=True)
    (here / "run" / "log").write_text("one")
    (here / "run" / ".lock").write_text("")
    mirror.send(here)
    there = mirror.match(elsewhere(here, tmp_path))
    assert [path.name for path in there.rglob("*") if path.is_file()] == ["log"]
    (there / "stale").write_text("gone there")
    mirror.remove(here / "run")
    assert not (here / "run").exists() and mirror.listing(here) == []
    mirror.match(there)
    assert not [path for path in there.rglob("*") if path.is_file()]
    mirror.remove(here / "run")  # no error


def test_names_that_would_leave_the_mirror_are_refused(server: bucket.Server, here: Path, tmp_path: Path) -> None:
    with server.system.open_output_stream(f"bucket/{tmp_path.name}/{'x' * 300}") as file:
        file.write(b"?")
    with pytest.raises(UserError, match="no file can have"):
        mirror.match(here)


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("s3://key:secret@bucket/x", "credentials"), ("s3://key@bucket/x", "credentials"), ("s3://bucket/x?secret_key=1", "credentials"),
        ("s3://bucket/../x", "names a bucket"), ("s3:///x", "names a bucket"),
    ],
)  # fmt: skip
def test_addresses_that_must_not_be(address: str, word: str) -> None:
    with pytest.raises(UserError, match=word) as caught:
        mirror.local(address)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize("place", ["outputs", "/tmp/out", "latest:tiny", "~/x"])
def test_a_path_stays_a_path(place: str) -> None:
    assert mirror.local(place) == Path(place).expanduser() and not mirror.is_mirror(mirror.local(place))
    assert mirror.local("file:///some/where") == Path("/some/where")


@pytest.mark.parametrize(
    "address", ["s3://bucket/a/b", "s3://bucket?endpoint_override=http://127.0.0.1:9000&scheme=http", "hdfs://host:8020/x"]
)
def test_the_path_tells_the_address(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINISC_MIRROR", str(tmp_path))
    path = mirror.local(address)
    monkeypatch.setenv("MINISC_MIRROR", "/elsewhere")
    assert path.is_relative_to(tmp_path) and mirror.name(path) == address
    assert not mirror.is_mirror(mirror.kept(address))


def test_troubles_are_told_in_three_parts(server: bucket.Server, here: Path) -> None:
    with pytest.raises(UserError, match="no such bucket") as caught:
        mirror.match(mirror.local(f"s3://missing-bucket/x?endpoint_override={server.endpoint}"))
    assert caught.value.where and caught.value.do
    with pytest.raises(UserError, match="opens no such address"):
        mirror.match(mirror.local("foo://bucket/x"))


def test_a_damaged_object_is_found(server: bucket.Server, here: Path, tmp_path: Path) -> None:
    from tests import made
    from tests.steps import small_road

    steps = {"collect": small_road.steps()["collect"]}
    artifact = made.run(steps, made.context(here))["collect"]
    there = Artifact(elsewhere(here, tmp_path) / artifact.path.relative_to(here))
    name = "kept/part-00000.parquet"
    assert there.file(name).read_bytes() == artifact.file(name).read_bytes()
    place = f"bucket/{tmp_path.name}/{artifact.path.relative_to(here)}/{name}"
    raw = bytearray(artifact.file(name).read_bytes())
    raw[len(raw) // 2] ^= 1
    with server.system.open_output_stream(place) as file:
        file.write(bytes(raw))
    third = Artifact(tmp_path / "three" / artifact.path.relative_to(tmp_path / "one"))
    with pytest.raises(DamagedArtifact, match="other bytes") as caught:
        third.file(name)
    assert caught.value.where.startswith("s3://bucket/")
