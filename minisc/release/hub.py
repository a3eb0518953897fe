"""Push a folder to the Hugging Face hub, when somebody asks for it, and only then.

In: a folder, a repository's id. Out: one commit with everything in the folder. The token comes from the environment or from
`huggingface-cli login`, never from a configuration: settings are written into manifests and cards. `HF_ENDPOINT` names another
hub. A new repository is made private: to publish is a click of its owner.
"""

from __future__ import annotations

import re
from pathlib import Path

from minisc.core.errors import MissingExtra, UserError

_CLIENTS = ("httpx", "httpx2", "requests", "httpcore")  # whose errors the hub's client lets through, by its version
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def check_id(repository: str, where: str) -> None:
    """Raises UserError for what is no `owner/name`."""
    if not _ID.fullmatch(repository):
        raise UserError(f"{repository!r} is no repository of the hub", where=where, do="name it as <owner>/<name>")


def check_name(name: str, where: str) -> None:
    """Raises UserError for what cannot be the second part of such an id, or of a file's name."""
    if not _ID.fullmatch(f"owner/{name}"):
        raise UserError(f"{name!r} cannot name a model", where=f"{where}={name}", do=f"{where}=minisc (letters, digits, - . _)")


def push(folder: Path, repository: str, where: str, *, endpoint: str | None = None) -> str:
    """Upload all files as one commit; returns its address. Raises UserError when the hub refuses, MissingExtra without the package."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled
    except ModuleNotFoundError as error:
        raise MissingExtra.named("huggingface_hub", "hub", where) from error
    hub = HfApi(endpoint=endpoint)
    try:
        hub.create_repo(repository, private=True, exist_ok=True)
        told = hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Export of minisc")
    except LocalTokenNotFoundError as error:
        raise UserError("the hub wants to know who you are", where=where, do="set HF_TOKEN to a token that may write") from error
    except OfflineModeIsEnabled as error:
        raise UserError("the hub's client is told to stay offline", where="HF_HUB_OFFLINE", do="unset HF_HUB_OFFLINE") from error
    except HfHubHTTPError as error:
        do = "set HF_TOKEN to a token that may write there" if error.response.status_code in (401, 403) else "run the same line again"
        raise UserError(f"the hub refused: {str(error).splitlines()[0]}", where=where, do=do) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise UserError(
            f"the hub cannot be reached: {error}", where=where, do="run the same line again: what was made stays made"
        ) from error
    return str(told.commit_url)
