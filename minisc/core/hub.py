"""The Hugging Face hub as everything of ours asks it: which one, who asks, what is waited out, and one whole file of it.

In: HF_ENDPOINT says which hub (a mirror, a test), HF_TOKEN who asks; neither is taken from anywhere else. Out: answers, or an error that
says what a person can do. Trouble that passes (429 with its Retry-After, 5xx, a reset) is waited out.
`whole` keeps what it fetched in the cache that all programs of huggingface_hub share (HF_HOME): a file of a commit is asked for once, and
then needs no network; one of a branch is asked for again, and is what it was last where nobody answers.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from minisc.core.errors import MissingExtra, UserError

ENDPOINT = "https://huggingface.co"
ASK_SECONDS = 15.0
ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = 0.5, 120.0  # seconds; doubled at each attempt, or as Retry-After says
RESETS = 2  # that are waited out before nobody is there
PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_PLACE = re.compile(r"(?P<dataset>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?:(?P<file>[^:\x00-\x1f]+)", re.ASCII)
_PATIENT = ("OfflineModeIsEnabled", "LocalEntryNotFoundError")  # raised on purpose, and after the client's own attempts
T = TypeVar("T")


class Unreachable(UserError):
    """Nobody answered, and nothing is remembered."""


@dataclass(frozen=True, slots=True)
class Address:
    """One file of a data set: `<owner>/<name>@<commit, tag or branch>:<file>`; without a revision that of `main`."""

    dataset: str
    revision: str
    file: str

    @classmethod
    def of(cls, text: str, where: str) -> Address:
        """Raises UserError for what is no such place."""
        found = _PLACE.fullmatch(text)
        if found is None or {".", "..", ""} & {*found["file"].split("/"), *(found["revision"] or "main").split("/")}:
            raise UserError(
                f"{text!r} is no file of a data set on the hub",
                where=where,
                do="<owner>/<data set>@<commit>:<file>, as its page names them",
            )
        return cls(found["dataset"], found["revision"] or "main", found["file"])

    def __str__(self) -> str:
        return f"{self.dataset}@{self.revision}:{self.file}"


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or ENDPOINT


def token() -> str | None:
    return os.environ.get("HF_TOKEN", "").strip() or None


def whole(place: Address, needed_by: str) -> Path:
    """A file of a data set, from the cache or fetched. Raises UserError where it is not to be had, Unreachable where nobody can be asked."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingExtra.named("huggingface_hub", "hub", needed_by) from error

    def ask() -> str:
        told = hf_hub_download(
            place.dataset, place.file, repo_type="dataset", revision=place.revision, endpoint=endpoint(), token=token() or False,
            library_name="minisc", etag_timeout=ASK_SECONDS,
        )  # fmt: skip
        return str(told)

    return Path(patiently(ask, place.dataset, f"{endpoint()}, {place}"))


def patiently(ask: Callable[[], T], dataset: str, where: str) -> T:
    """The answer; trouble that passes is waited out, the rest becomes what a person can do."""
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(ATTEMPTS):
        try:
            return ask()
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in PASSING and attempt < ATTEMPTS - 1:
                told = error.response.headers.get("Retry-After", "")
                time.sleep(min(LONGEST_WAIT, float(told) if told.isascii() and told.isdigit() else FIRST_WAIT * 2**attempt))
                continue
            if status in PASSING:
                raise Unreachable(f"status {status}, {ATTEMPTS} times", where=where, do="run the same line again later") from error
            if status in (401, 403, 404):  # the hub says 401 of what does not exist, too
                do = f"look at {endpoint()}/datasets/{dataset}; where its terms must be accepted, do so, then: export HF_TOKEN=<your token>"
                raise UserError(f"the hub has no such data set or revision for us (status {status})", where=where, do=do) from error
            raise UserError(f"the hub answered {status}", where=where, do="run the same line again later") from error
        except Exception as error:  # what carries the hub's client raises many kinds: no name, no route, a reset, offline by wish
            kind = type(error).__name__
            if attempt < RESETS and kind not in _PATIENT and "Timeout" not in kind:
                time.sleep(FIRST_WAIT * 2**attempt)
                continue
            raise Unreachable(
                f"no answer: {kind}", where=where, do="look at the network and HF_ENDPOINT, and run the same line again"
            ) from error
    raise AssertionError("the last attempt returns or raises")
