"""Bits per byte: how many bits the model needs for a byte of code that it has never seen; the score that compares models
with other vocabularies, and with zlib and xz.

In: the held-out documents. Out: -log2 p over all their tokens, `<|endoftext|>` at the end included, over their UTF-8 bytes.
Each document is read with a context of its own (see `likelihood`).
The sample: documents in the order of a seeded hash of their uid until `max_bytes` are reached; the same for every engine,
order and number of parts. Memory: the sample, nothing else.
Beside it zlib -9 and xz -9 on the same files, a file each, and solid (one stream of all, sorted by repository and path):
a compressor that starts anew with each file knows as little as the model does.
Errors: delete-one jackknife of the ratio, over documents, and over repositories, whose files resemble each other: the second
is the honest one for "on another set of repositories" (Efron and Tibshirani 1993, chapter 11).
Rejected: the mean of the documents' own ratios (short files would weigh as much as long ones).
"""

from __future__ import annotations

import hashlib
import heapq
import lzma
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from minisc.core.document import HELD_OUT, Doc
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.evals.base import Effort, Eval, Rows, Scores, Subject
from minisc.evals.jackknife import DIGITS, jackknife
from minisc.evals.likelihood import Network, nats


@dataclass(frozen=True, kw_only=True)
class BitsPerByte(Eval):
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = (HELD_OUT,)

    max_bytes: int
    context: int
    stride: float
    seed: int
    batch_tokens: int = free()
    glimpse_bytes: int = free()

    def __post_init__(self) -> None:
        rules: tuple[tuple[str, bool, str], ...] = (
            ("max_bytes", self.max_bytes > 0, "is more than zero"),
            ("context", self.context >= 2, "is at least 2 tokens"),
            ("stride", 0 < self.stride <= 1, "is a share of the context, above 0 and at most 1"),
            ("batch_tokens", self.batch_tokens > 0, "is more than zero"),
            ("glimpse_bytes", self.glimpse_bytes > 0, "is more than zero"),
        )
        for name, right, rule in rules:
            if not right:
                raise UserError(
                    f"{name} {rule}",
                    where=f"evals.bits_per_byte.{name}={getattr(self, name)}",
                    do=f"give another evals.bits_per_byte.{name}",
                )

    def identity(self) -> Mapping[str, str]:
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}

    def glimpse(self) -> BitsPerByte:
        return replace(self, max_bytes=min(self.max_bytes, self.glimpse_bytes))

    def effort(self, benchmarks: Path | None, held_out_bytes: float, bytes_per_token: float) -> Effort:
        """Long documents are read 1 / stride times."""
        return Effort(tokens_read=min(held_out_bytes, self.max_bytes) / bytes_per_token / self.stride)

    def score(self, subject: Subject) -> Scores:
        """Raises BadInput when no document is held out."""
        docs = sample(subject.documents(HELD_OUT), self.max_bytes, self.seed)
        if not docs:
            raise BadInput(
                "no document is held out", where="split=held_out", do="collect more repositories, or a larger steps.collect.held_out"
            )
        texts = [doc.text.encode("utf-8") for doc in docs]
        ids = [subject.tokenizer.encode(doc.text) for doc in docs]
        context = min(self.context, subject.model.spec.max_positions)
        jump = max(1, int(context * self.stride))
        with subject.speak.progress("bits per byte", sum(map(len, ids)) + len(ids), "tokens") as bar:
            network = cast(Network, subject.model.module)
            bits = nats(network, ids, subject.tokenizer.eot, context, jump, self.batch_tokens, bar.advance) / math.log(2)
        rows: list[dict[str, Any]] = [
            {
                "uid": doc.uid, "source": doc.source, "repo": doc.repo, "path": doc.path_text, "bytes": len(text), "tokens": len(own) + 1,
                "bits": float(bit), "zlib_bytes": len(zlib.compress(text, 9)), "xz_bytes": xz(text),
            }
            for doc, text, own, bit in zip(docs, texts, ids, bits, strict=True)
        ]  # fmt: skip
        whole = b"".join(texts)
        figures = {
            **_ratios(rows),
            "zlib_solid_bits_per_byte": _ratio(8 * len(zlib.compress(whole, 9)), len(whole)),
            "xz_solid_bits_per_byte": _ratio(8 * xz(whole), len(whole)),
            "bits_per_byte_error": jackknife(rows, "uid"),
            "bits_per_byte_error_over_repos": jackknife(rows, "repo"),
            "nats_per_token": round(sum(bits) * math.log(2) / sum(row["tokens"] for row in rows), DIGITS),
            "repos_scored": len({row["repo"] for row in rows}),
            "context_tokens": context,
        }
        documents = [{**row, "bits": round(row["bits"], 1)} for row in rows]
        return Scores(figures=figures, tables={"repos": _by(rows, "repo"), "sources": _by(rows, "source"), "documents": documents})


def xz(raw: bytes) -> int:
    """The size of `xz -9`. Its dictionary of 64 MiB is cleared for every file, 170 ms each; one that just holds the file serves as well."""
    held = 1 << max(16, (len(raw) - 1).bit_length())
    return len(lzma.compress(raw, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": min(held, 1 << 26)}]))


def sample(documents: Iterable[Doc], max_bytes: int, seed: int) -> list[Doc]:
    """The documents with the lowest hashes of (seed, uid), as few as reach `max_bytes`, sorted by repository and path.

    One pass, holding never more than the sample and one document.
    """
    held: list[tuple[int, str, Doc]] = []  # a heap whose top is the highest hash: negated
    total = 0
    for doc in documents:
        rank = int.from_bytes(hashlib.sha256(f"{seed}:{doc.uid}".encode()).digest()[:16])
        if total >= max_bytes and (-rank, doc.uid) <= held[0][:2]:
            continue
        heapq.heappush(held, (-rank, doc.uid, doc))
        total += _size(doc)
        while total - _size(held[0][2]) >= max_bytes:
            total -= _size(heapq.heappop(held)[2])
    return sorted((doc for _, _, doc in held), key=lambda doc: (doc.repo, doc.path_text, doc.uid))


def _size(doc: Doc) -> int:
    return len(doc.text.encode("utf-8"))


def _ratios(rows: Rows) -> dict[str, Any]:
    size = sum(row["bytes"] for row in rows)
    return {
        "bits_per_byte": _ratio(math.fsum(row["bits"] for row in rows), size),
        "zlib_bits_per_byte": _ratio(8 * sum(row["zlib_bytes"] for row in rows), size),
        "xz_bits_per_byte": _ratio(8 * sum(row["xz_bytes"] for row in rows), size),
        "documents_scored": len(rows),
        "bytes_scored": size,
        "tokens_scored": sum(row["tokens"] for row in rows),
    }


def _ratio(bits: float, size: int) -> float:
    return round(bits / size, DIGITS) if size else 0.0


def _by(rows: Rows, key: str) -> Rows:
    """The ratios of each group, the largest first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    told = [{key: name, **_ratios(own)} for name, own in groups.items()]
    return sorted(told, key=lambda row: (-row["bytes_scored"], row[key]))
