"""Contents from Software Heritage's web API: by sha1_git, one request each, paced so that the allowance is used up and never overrun.

In: blobs; a token in the environment, if there is one. Out: bytes in the store, at 120 an hour, or 1,200 with a token.
How requests are paced and what is done with the token is told in `webapi.py`.
When not to use it: for more than some 10,000 contents; the bucket (`swh_s3`) has no such limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from minisc.core.step import Cost
from minisc.downloader.base import Blob, Watch
from minisc.downloader.fetching import Again, Answer, Fetching, Lost, Patience, checked, run, session
from minisc.downloader.store import BlobStore
from minisc.downloader.webapi import Scope, WebApi

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, kw_only=True)
class SwhApi(WebApi):
    """See the module."""

    version: ClassVar[int] = 1

    def estimate(self, blobs: int, size: int) -> Cost:
        limit = self.granted()
        return Cost(
            seconds=blobs / limit * self.window_seconds,
            requests=blobs,
            download_bytes=size,
            disk_bytes=size // 3,
            remark=f"{limit:,} requests an hour",
        )

    def fetch(self, blobs: Sequence[Blob], store: BlobStore, watch: Watch) -> dict[str, str]:
        fetching = Fetching("swh_api", store, watch, Patience.of(self))

        async def work() -> None:
            async with session(self.connections, self.timeout_seconds) as client:
                scope = self.scope("swh_api", store, watch, self.granted())
                await fetching.all(blobs, lambda blob: self._ask(client, scope, blob), self.connections)

        if any(blob.sha1_git not in store for blob in blobs):
            run(work, "swh_api")
        return fetching.lost

    async def _ask(self, client: aiohttp.ClientSession, scope: Scope, blob: Blob) -> Answer:
        bound = blob.size if blob.size is not None else self.max_bytes
        if bound > self.max_bytes:
            return Lost("too_large", final=False)
        answer = await scope.request(client, "GET", f"{self.base_url.rstrip('/')}/content/sha1_git:{blob.sha1_git}/raw/", bound)
        if isinstance(answer, Again):
            return answer
        status, body = answer
        if status == 200:
            return Lost("too_large", doubted=True) if body is None else checked(body, blob)
        return Lost("not_found" if status in (403, 404, 410) else "refused")
