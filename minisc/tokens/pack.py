"""Documents to token shards, and the shards opened again: the form of tokens on disk.

In: a part of kept documents (Parquet of `core.document.SCHEMA`), a tokenizer. Out, per part, in the artifact's `tokens/`:

    part-00000.bin      little-endian uint16 (uint32 above 65,536 ids): the kept documents of split `train`, in order
    part-00000.parquet  one row a document: who it is, where it starts, how long it is (`TABLE`); written last

A document is stored as the ids of `path_text` and a line end, then the ids of its text, encoded apart; `names` counts the
first, so that a reader may leave the path away. No special token is stored: what separates documents depends on the reader.
A repository's name is a column, encoded by the reader that wants it.

Guarantees: immutable; the same part and tokenizer give the same bytes; a killed part leaves no table, and is made again.
Price: 2 bytes a token (about a token for 4 bytes of Python), and 24 bytes of memory a document in a reader.
Rejected: a header in the `.bin` (plain numbers can be read by anything), one file of offsets for all (parts could not be
made apart), `<|endoftext|>` stored behind each document (repository context puts other tokens there).
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from minisc.core import durable, mirror
from minisc.core.document import TRAIN
from minisc.core.errors import DamagedArtifact, UserError
from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer

TABLE = pa.schema([
    ("uid", pa.string()),
    ("repo", pa.string()),
    ("path_text", pa.string()),
    ("start", pa.int64()),  # of its first token in the shard, in tokens
    ("names", pa.int32()),  # how many of its first tokens are its path and a line end
    ("length", pa.int32()),  # tokens in all
    ("bytes", pa.int64()),  # UTF-8 of its text
    ("special_inside", pa.int32()),  # strings in its text that look like special tokens, and were encoded as ordinary text
])  # fmt: skip
ABOUT = b"minisc"  # key of the table's metadata: dtype, vocab_size, the tokenizer's digest, figures
ROWS = 256  # documents read at a time; changes memory, never a result
OPEN_SHARDS = 256  # mapped at a time: each holds a file descriptor
_SPECIAL = re.compile("<(?:" + "|".join(re.escape(name[1:]) for name in SPECIAL_TOKENS) + ")")


def encode_part(documents_parquet: Path, tokenizer_folder: Path, target: Path) -> dict[str, Any]:
    """Write `<target>.bin` and `<target>.parquet`; return figures that add up over parts. A finished part is left alone.

    Figures: documents, tokens (of text), name_tokens (of paths), bytes (of text), special_tokens_inside.
    """
    table = target.with_name(target.name + ".parquet")
    if mirror.exists(table):
        return dict(_about(mirror.fetch(table))["figures"])
    tokenizer = Tokenizer.load(tokenizer_folder)
    dtype = np.dtype("<u2") if tokenizer.vocab_size <= 1 << 16 else np.dtype("<u4")
    rows: list[dict[str, Any]] = []
    with durable.write(target.with_name(target.name + ".bin")) as temporary, temporary.open("wb") as file:
        start = 0
        for document in _documents(documents_parquet):
            names, ids = tokenizer.encode(document["path_text"] + "\n"), tokenizer.encode(document["text"])
            file.write(np.array(names + ids, dtype=dtype).tobytes())
            rows.append({
                "uid": document["uid"], "repo": document["repo"], "path_text": document["path_text"], "start": start, "names": len(names),
                "length": len(names) + len(ids), "bytes": len(document["text"].encode()), "special_inside": len(_SPECIAL.findall(document["text"])),
            })  # fmt: skip
            start += len(names) + len(ids)
    figures = {
        "documents": len(rows),
        "tokens": sum(row["length"] - row["names"] for row in rows),
        "name_tokens": sum(row["names"] for row in rows),
        "bytes": sum(row["bytes"] for row in rows),
        "special_tokens_inside": sum(row["special_inside"] for row in rows),
    }
    about = {"dtype": dtype.str, "vocab_size": tokenizer.vocab_size, "tokenizer": tokenizer.digest, "figures": figures}
    with durable.write(table) as temporary:
        pa.parquet.write_table(
            pa.Table.from_pylist(rows, schema=TABLE.with_metadata({ABOUT: json.dumps(about).encode()})), temporary, compression="zstd"
        )
    return figures


def _documents(part: Path) -> Iterator[Mapping[str, Any]]:
    """uid, repo, path_text and text of the kept documents of split train, never more than `ROWS` in memory."""
    columns = ["uid", "repo", "path_text", "text", "split", "dropped_by"]
    with pa.parquet.ParquetFile(mirror.fetch(part)) as file:
        for batch in file.iter_batches(batch_size=ROWS, columns=columns):
            for row in batch.to_pylist():
                if row["split"] == TRAIN and row["dropped_by"] is None and row["text"] is not None:
                    yield {**row, "repo": row["repo"] or "", "path_text": row["path_text"] or ""}


def _about(table: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(pa.parquet.read_schema(table).metadata[ABOUT]))
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DamagedArtifact(f"this is no table of a token shard: {error}", where=str(table), do=_REMAKE) from error


_REMAKE = "remove the artifact's folder and run again"


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenStore:
    """The tokens of one artifact: `tokens(d)` for documents d = 0, 1, … in the order of the corpus. Pickles as its path.

    Per document, as arrays: `names`, `lengths` (tokens, names included), `repo_of` (an index into `repos`).
    """

    folder: Path
    dtype: np.dtype
    vocab_size: int
    tokenizer_digest: str
    shards: tuple[str, ...]  # paths of the .bin files
    first: tuple[int, ...]  # document that each shard begins with
    starts: np.ndarray  # int64, in the document's shard
    names: np.ndarray  # int32
    lengths: np.ndarray  # int32
    repo_of: np.ndarray  # int32
    repos: tuple[str, ...]
    bytes: int  # UTF-8 of all texts

    def __len__(self) -> int:
        return len(self.starts)

    def __reduce__(self) -> tuple[object, ...]:
        return (open_tokens, (self.folder,))

    def tokens(self, document: int) -> np.ndarray:
        """All ids of a document, the path's first `names[document]` included; a read-only view of the file."""
        length = int(self.lengths[document])
        if not length:
            return np.empty(0, self.dtype)
        start = int(self.starts[document])
        shard = self.shards[bisect.bisect_right(self.first, document) - 1]
        return _mapped(shard, self.dtype.str)[start : start + length]

    def row(self, document: int) -> dict[str, Any]:
        """A document's row of `TABLE`: to follow a sample back to its source."""
        shard = bisect.bisect_right(self.first, document) - 1
        table = pa.parquet.read_table(Path(self.shards[shard]).with_suffix(".parquet"))
        return dict(table.slice(document - self.first[shard], 1).to_pylist()[0])


@functools.lru_cache(maxsize=OPEN_SHARDS)
def _mapped(shard: str, dtype: str) -> np.ndarray:
    return np.memmap(shard, dtype=dtype, mode="r")


def open_tokens(artifact_folder: Path) -> TokenStore:
    """The shards `tokens/part-*` of an artifact; reads their tables, maps their ids when they are asked for.

    Raises UserError when there are none, DamagedArtifact when a shard does not hold what its table says. Content hashes are
    the artifact's to check (`Artifact.files("tokens")`), once, not each worker's.
    """
    tables = sorted(mirror.fetch(artifact_folder / "tokens").glob("part-*.parquet"))  # on another node there may be nothing yet
    if not tables:
        raise UserError(
            "there are no token shards", where=str(artifact_folder / "tokens"), do="steps=[…,pack,…], or inputs.tokens=<a tokens artifact>"
        )
    about = [_about(table) for table in tables]
    if len({(one["dtype"], one["vocab_size"], one["tokenizer"]) for one in about}) > 1:
        raise DamagedArtifact("its shards were made with different tokenizers", where=str(artifact_folder), do=_REMAKE)
    columns = [pa.parquet.read_table(table, columns=["start", "names", "length", "repo", "bytes"]) for table in tables]
    bins = [table.with_suffix(".bin") for table in tables]
    for path, column in zip(bins, columns, strict=True):
        expected = (pa.compute.sum(column["length"]).as_py() or 0) * np.dtype(about[0]["dtype"]).itemsize
        found = path.stat().st_size if path.exists() else -1
        if found != expected:
            what = "is missing" if found < 0 else f"holds {found:,} bytes, its table says {expected:,}"
            raise DamagedArtifact(f"a token shard {what}", where=str(path), do=_REMAKE)
    every = pa.concat_tables(columns)
    repos = every["repo"].combine_chunks().dictionary_encode()
    repos = repos.combine_chunks() if isinstance(repos, pa.ChunkedArray) else repos
    return TokenStore(
        folder=artifact_folder,
        dtype=np.dtype(about[0]["dtype"]),
        vocab_size=about[0]["vocab_size"],
        tokenizer_digest=about[0]["tokenizer"],
        shards=tuple(str(path) for path in bins),
        first=tuple(int(total) for total in np.cumsum([0, *(len(column) for column in columns[:-1])])),
        starts=every["start"].to_numpy(),
        names=every["names"].to_numpy(),
        lengths=every["length"].to_numpy(),
        repo_of=repos.indices.to_numpy(zero_copy_only=False),
        repos=tuple(repos.dictionary.to_pylist()),
        bytes=pa.compute.sum(every["bytes"]).as_py() or 0,
    )
