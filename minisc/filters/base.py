"""What the filters share: which of several equal documents is kept.

The keeper of a group of duplicates is chosen as StarCoder2 chose it (arXiv 2402.19173, section 3.1: permissive license, most
stars, newest date), with the uid last, so that the choice is the same in every run: no null wins over a value, no tie is left.
Documents of another corpus (`inputs.against`) come before all: they are there already, so only new ones fall.
A deduplicating stage puts `keeper_columns` into its sketch and asks `keeper_order` for the whole corpus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from minisc.core.document import Doc, are_elsewhere
from minisc.core.errors import UserError
from minisc.text.licenses import NO_LICENSE, NON_PERMISSIVE, PERMISSIVE, data_digest, license_class

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

KEEPER_FIELDS = [("uid", pa.string()), ("license_rank", pa.int8()), ("stars", pa.int64()), ("date", pa.timestamp("us", tz="UTC"))]
_LICENSE_RANK = {PERMISSIVE: 0, NO_LICENSE: 1, NON_PERMISSIVE: 2}


def keeper_columns(docs: Sequence[Doc]) -> dict[str, list[object]]:
    """The columns of `KEEPER_FIELDS`, about 60 bytes a document."""
    return {
        "uid": [doc.uid for doc in docs],
        "license_rank": [_LICENSE_RANK[license_class(doc.license)] for doc in docs],
        "stars": [doc.stars for doc in docs],
        "date": [doc.date for doc in docs],
    }


def keeper_identity() -> Mapping[str, str]:
    """For `Stage.identity`: what counts as a permissive license decides who is kept."""
    return {"license data": data_digest()}


def keeper_order(keys: pa.Table) -> Rows:
    """The rows of a table with `KEEPER_FIELDS`, the one to keep rather first."""
    last = -(1 << 62)  # below every number of stars and every date
    filled = pa.table(
        {
            "elsewhere": are_elsewhere(keys["uid"]).cast(pa.int8()),
            "license_rank": keys["license_rank"],
            "stars": pc.fill_null(keys["stars"], last),
            "date": pc.fill_null(keys["date"].cast(pa.int64()), last),
            "uid": keys["uid"],
        }
    )
    sort_keys = [
        ("elsewhere", "descending"), ("license_rank", "ascending"), ("stars", "descending"), ("date", "descending"), ("uid", "ascending"),
    ]  # fmt: skip
    return pc.sort_indices(filled, sort_keys=sort_keys).to_numpy().astype(np.int64)


def keeper_rank(keys: pa.Table) -> Rows:
    """For each row its place in `keeper_order`."""
    order = keeper_order(keys)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def elsewhere(uids: pa.Array | pa.ChunkedArray) -> Mask:
    """Which rows are documents of another corpus, as a mask."""
    return np.asarray(are_elsewhere(uids), bool)


def within(value: float, lowest: float, highest: float, where: str) -> None:
    """Raises UserError unless lowest <= value <= highest."""
    if not lowest <= value <= highest:
        raise UserError(
            f"{value} is out of range", where=f"{where}={value}", do=f"give a number from {lowest} to {highest}: {where}={highest}"
        )
