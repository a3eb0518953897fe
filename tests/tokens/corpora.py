"""Token stores made from a few texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from minisc.core.document import table_of, uid_of
from minisc.tokenizer.base import Tokenizer
from minisc.tokens.pack import TokenStore, encode_part, open_tokens
from minisc.tokens.reader import Reader


def rows(texts: Sequence[str], repos: Sequence[str]) -> list[dict[str, Any]]:
    """Document rows; paths hold a space, an accent and a folder, as real ones do."""
    return [
        {
            "uid": uid_of(source="test", repo=repo, revision=None, path=b"%d" % number, sha1_git=None), "text": text, "size": len(text.encode()),
            "kind": "code", "repo": repo, "path": b"%d" % number, "path_text": f"src/caf\u00e9 {number}.py", "split": "train",
        }
        for number, (text, repo) in enumerate(zip(texts, repos, strict=True))
    ]  # fmt: skip


def store(folder: Path, tokenizer: Tokenizer, texts: Sequence[str], repos: Sequence[str] | None = None, *, parts: int = 1) -> TokenStore:
    """An artifact's folder with its texts in so many parts, opened."""
    every = rows(texts, repos if repos is not None else [f"org/r{number % 3}" for number in range(len(texts))])
    for part in range(parts):
        documents = folder / f"kept-{part}.parquet"
        documents.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table_of(every[part::parts]), documents)
        encode_part(documents, tokenizer.path.parent, folder / "tokens" / f"part-{part:05d}")
    return open_tokens(folder)


def reader(**changes: Any) -> Reader:
    """Settings of small windows, left to right in file order unless told otherwise."""
    settings: dict[str, Any] = {
        "seq_len": 32, "seed": 0, "order": "file", "names_rate": 0.0, "fim_group_rate": 1.0, "fim_rate": 0.0, "fim_spm_rate": 0.5, "slack": 0, "weights": [],
    }  # fmt: skip
    return Reader(**(settings | changes))
