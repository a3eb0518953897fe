"""The bucket, then the API for what the bucket does not give."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from minisc.core.errors import UserError
from minisc.downloader.store import BlobStore
from minisc.downloader.swh import Swh
from minisc.downloader.swh_api import SwhApi
from minisc.downloader.swh_s3 import SwhS3
from tests.downloader.servers import Archive, Said, serving
from tests.downloader.test_swh_api import SETTINGS as API
from tests.downloader.test_swh_s3 import SETTINGS as S3


def both(archive: Archive, then_at_most: int = 1000) -> Swh:
    first, then = SwhS3(base_url=f"{archive.url}/content", **S3), SwhApi(base_url=f"{archive.url}/api/1", **API)
    return Swh(store="", first=first, then=then, then_at_most=then_at_most)


def test_only_what_the_bucket_lacks_is_asked_of_the_api(tmp_path: Path) -> None:
    archive = Archive()
    with serving(archive), BlobStore(tmp_path) as store:
        good, damaged, missing, nowhere = (archive.add(b"%d" % at * 100) for at in range(4))
        unhashed = replace(archive.add(b"no sha1"), sha1=None)
        archive.faults[str(damaged.sha1)] = deque(["zeros", "zeros"])
        del archive.by_sha1[str(missing.sha1)], archive.by_sha1[str(nowhere.sha1)], archive.by_git[nowhere.sha1_git]
        lost = both(archive).fetch([good, damaged, missing, nowhere, unhashed], store, Said())
        assert lost == {nowhere.sha1_git: "not_found"}
        assert [len(store.get(one.sha1_git) or b"") for one in (good, damaged, missing, unhashed)] == [100, 100, 100, 7]
        assert sorted(path for path in archive.paths() if "/api/" in path) == sorted(
            f"/api/1/content/sha1_git:{one.sha1_git}/raw/" for one in (damaged, missing, nowhere, unhashed)
        )
        before = len(archive.requests)
        assert both(archive).fetch([good, damaged, missing, nowhere, unhashed], store, Said()) == lost and len(archive.requests) == before


def test_what_is_unavailable_is_not_pushed_on_to_the_api(tmp_path: Path) -> None:
    archive = Archive()
    with serving(archive), BlobStore(tmp_path) as store:
        one = archive.add(b"a")
        archive.forever[str(one.sha1)] = "503"
        assert both(archive).fetch([one], store, Said()) == {one.sha1_git: "unavailable"}
        assert not any("/api/" in path for path in archive.paths())


def test_the_second_source_has_a_bound(tmp_path: Path) -> None:
    archive, said = Archive(), Said()
    with serving(archive), BlobStore(tmp_path) as store:
        blobs = [archive.add(b"%d" % at) for at in range(10)]
        archive.by_sha1.clear()
        lost = both(archive, then_at_most=3).fetch(blobs, store, said)
        assert len(store) == 3 and set(lost.values()) == {"not_found"} and len(lost) == 7
        assert said.words[0] == "10 left for the second source, 3 are asked for"


def test_a_negative_bound_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be negative"):
        both(Archive(url="http://127.0.0.1:9"), then_at_most=-1)
