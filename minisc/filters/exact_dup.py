"""Of documents with the same text one is kept.

In: the SHA-256 of each text (16 bytes of it). Out: `duplicate`, with the uid of the kept one in the notes (`{"of": uid}`).
Guarantees: the keeper is the first by license class, stars, date and uid (`base.py`), so it does not depend on the order of
the corpus; of every set of equal texts exactly one stays, and none where a corpus of `inputs.against` has the text: the note then
names that one, `<fingerprint>/<uid>`. Not a Bloom filter: nothing is dropped by chance.
With `normalized` two Python texts are equal when their tokens are: comments, blank lines, line breaks inside brackets, spacing
and the width of indentation do not count. What does not tokenize is compared as it is.
Price: 1 GB/s plain, about 4 MB/s normalized (Python's `tokenize`); `resolve` holds about 120 bytes a document.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from minisc.core.document import JSON, Doc
from minisc.core.fingerprint import free
from minisc.core.stage import GlobalStage, Sketches, Texts, write_verdicts
from minisc.filters.base import KEEPER_FIELDS, elsewhere, keeper_columns, keeper_identity, keeper_rank, within

DUPLICATE = "duplicate"
_DIGEST_BYTES = 16
_SKETCH = pa.schema([*KEEPER_FIELDS, ("digest", pa.binary(_DIGEST_BYTES))])


@dataclass(frozen=True, kw_only=True)
class ExactDup(GlobalStage):
    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (DUPLICATE,)
    compares: ClassVar[bool] = True

    normalized: bool
    expected_drop: float = free()  # type: ignore[misc]

    def __post_init__(self) -> None:
        within(self.expected_drop, 0, 1, "filters.exact_dup.expected_drop")

    def identity(self) -> Mapping[str, str]:
        tokens = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"} if self.normalized else {}
        return {**tokens, **keeper_identity()}

    def sketch(self, docs: Sequence[Doc]) -> pa.Table:
        digests = [_digest(token_text(doc.text) if self.normalized and doc.kind == "code" else doc.text) for doc in docs]
        return pa.Table.from_pydict({**keeper_columns(docs), "digest": digests}, schema=_SKETCH)

    def resolve(self, sketches: Sketches, texts: Texts, found: Path) -> None:
        keys = pa.concat_tables(sketches)
        rank = keeper_rank(keys)
        digests = np.frombuffer(b"".join(keys["digest"].to_pylist()), np.uint64).reshape(len(keys), 2)
        order = np.lexsort((rank, digests[:, 1], digests[:, 0]))
        ordered = digests[order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        keeper = np.empty(len(order), np.int64)
        keeper[order] = order[np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))]
        write_verdicts(found, _rows(keys["uid"], keeper))


def _rows(uids: pa.ChunkedArray, keeper: np.ndarray) -> Iterator[tuple[str, str, Mapping[str, JSON]]]:
    fallen = np.flatnonzero((keeper != np.arange(len(keeper))) & ~elsewhere(uids))
    for uid, of in zip(uids.take(fallen).to_pylist(), uids.take(keeper[fallen]).to_pylist(), strict=True):
        yield uid, DUPLICATE, {"of": of}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]


_LEFT_OUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER}
_NAMED = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\1", tokenize.DEDENT: "\2"}  # whatever their spelling


def token_text(text: str) -> str:
    """The tokens of a Python text, without comments and layout; the text itself where it does not tokenize."""
    try:
        tokens = [
            _NAMED.get(token.type, token.string)
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type not in _LEFT_OUT
        ]
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    return "\0" + "\0".join(tokens)
