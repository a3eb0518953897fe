"""The ledger: what became of every document, counted from the rows themselves.

In: the parts of a `documents` artifact. Out: the waterfall: for each stage, in order, seen = kept + dropped, in documents
and in bytes of the original, with the reasons; and the shares of licenses and splits among what is left.
Guarantees: it is a group-by over columns, so it cannot disagree with the data. `check` holds it against the number of rows
that came in. Beside it, `Samples` keeps up to 20 samples a reason (the lowest uids, so that any order gives the same ones).
Tokens are estimates (`token_estimate.py`), made of each text when it was dropped and of what is left: there is no tokenizer before the
corpus is finished, and no text of a dropped row after. `with_tokens` puts them into a waterfall; a stage that dropped what was never read
(too large, not downloaded) has none, and neither has what lies before it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from minisc.core.document import HELD_OUT, Doc
from minisc.core.parts import read_tables
from minisc.core.token_estimate import estimated_tokens

SAMPLES, SAMPLE_CHARACTERS = 20, 2000
Count = dict[str, int]


def waterfall(kept: Sequence[Path], dropped: Sequence[Path], stages: Sequence[str]) -> dict[str, Any]:
    """`stages`: names in the order in which they judged; "collect" comes first by itself."""
    reasons = _grouped(dropped, ["dropped_by", "reason"])
    left = _grouped(kept, ["license", "split", "repo"])
    seen = _total([*reasons.values(), *left.values()])
    rows = []
    for stage in ["collect", *(name for name in stages if name != "collect")]:
        own = {reason: count for (by, reason), count in sorted(reasons.items(), key=str) if by == stage}
        gone = _total(own.values())
        rest = {key: seen[key] - gone[key] for key in seen}
        rows.append({
            "stage": stage,
            "seen": seen["documents"], "kept": rest["documents"], "dropped": gone["documents"],
            "seen_bytes": seen["bytes"], "kept_bytes": rest["bytes"], "dropped_bytes": gone["bytes"],
            "reasons": own,
        })  # fmt: skip
        seen = rest
    licenses = _folded(left, 0)
    return {
        "stages": rows,
        "licenses": [
            {"license": name, **count} for name, count in sorted(licenses.items(), key=lambda item: (-item[1]["bytes"], str(item[0])))
        ],
        "splits": {str(name): count for name, count in sorted(_folded(left, 1).items(), key=str)},
        "repos": len(_folded(left, 2)),
    }


def check(fall: Mapping[str, Any], rows_in: int) -> None:
    """seen = kept + dropped for every stage, and the first stage saw every row that came in."""
    stages = fall["stages"]
    assert stages[0]["seen"] == rows_in, f"{rows_in} rows came in, the ledger counts {stages[0]['seen']}"
    for before, after in itertools.pairwise(stages):
        assert before["kept"] == after["seen"], f"rows were lost between {before['stage']} and {after['stage']}"
    left = sum(split["documents"] for split in fall["splits"].values())
    assert stages[-1]["kept"] == left, f"a stage that is not in the plan dropped {stages[-1]['kept'] - left} rows"


def _grouped(paths: Sequence[Path], keys: list[str]) -> dict[tuple[Any, ...], Count]:
    counts: dict[tuple[Any, ...], Count] = {}
    for path in paths:
        table = pq.read_table(path, columns=[*keys, "size"])
        for row in table.group_by(keys).aggregate([("size", "sum"), ([], "count_all")]).to_pylist():
            count = counts.setdefault(tuple(row[key] for key in keys), {"documents": 0, "bytes": 0})
            count["documents"] += row["count_all"]
            count["bytes"] += row["size_sum"] or 0
    return counts


def _total(counts: Any) -> Count:
    counts = list(counts)
    return {key: sum(count[key] for count in counts) for key in ("documents", "bytes")}


def _folded(counts: Mapping[tuple[Any, ...], Count], at: int) -> dict[Any, Count]:
    out: dict[Any, Count] = {}
    for key, count in counts.items():
        out[key[at]] = _total([out.get(key[at], {"documents": 0, "bytes": 0}), count])
    return out


def figures_of(fall: Mapping[str, Any]) -> dict[str, Any]:
    """The plain figures of a waterfall."""
    first, last = fall["stages"][0], fall["stages"][-1]
    held_out = fall["splits"].get(HELD_OUT, {"documents": 0, "bytes": 0})
    tokens = {"tokens_kept_estimated": last["kept_tokens"]} if "kept_tokens" in last else {}
    return {
        "documents_seen": first["seen"], "documents_kept": last["kept"], "documents_dropped": first["seen"] - last["kept"],
        "bytes_seen": first["seen_bytes"], "bytes_kept": last["kept_bytes"], "repositories": fall["repos"],
        "held_out_documents": held_out["documents"], "held_out_bytes": held_out["bytes"], **tokens,
    }  # fmt: skip


def with_tokens(fall: Mapping[str, Any], dropped: Mapping[str, int], kept: int) -> dict[str, Any]:
    """The waterfall with estimated tokens. `dropped`: "stage/reason" -> tokens, where texts were read; `kept`: of all that is left."""
    rows: list[dict[str, Any]] = []
    left: int | None = kept
    for row in reversed(fall["stages"]):
        reasons = {
            reason: {**count, **({"tokens": dropped[key]} if (key := f"{row['stage']}/{reason}") in dropped else {})}
            for reason, count in row["reasons"].items()
        }
        gone = sum(count["tokens"] for count in reasons.values()) if all("tokens" in count for count in reasons.values()) else None
        seen = left + gone if left is not None and gone is not None else None
        rows.append({**row, "seen_tokens": seen, "kept_tokens": left, "dropped_tokens": gone, "reasons": reasons})
        left = seen
    return {**fall, "stages": rows[::-1]}


def dropped_tokens(fall: Mapping[str, Any]) -> dict[str, int]:
    """What `with_tokens` was told, from a waterfall that has it: for the step that goes on from there."""
    return {
        f"{row['stage']}/{reason}": count["tokens"]
        for row in fall["stages"]
        for reason, count in row["reasons"].items()
        if "tokens" in count
    }


class Samples:
    """Samples of dropped texts, the lowest uids of each stage and reason."""

    def __init__(self, private: frozenset[str]) -> None:
        self._private = private  # stages whose texts must not be shown
        self._held: dict[str, list[dict[str, Any]]] = {}
        self.tokens: Counter[str] = Counter()  # estimated, of all that was seen, by "stage/reason"

    def see(self, stage: str, doc: Doc, reason: str) -> None:
        self.tokens[f"{stage}/{reason}"] += estimated_tokens(doc.text)
        if stage not in self._private:
            sample = {"uid": doc.uid, "repo": doc.repo, "path": doc.path_text, "text": (doc.text or "")[:SAMPLE_CHARACTERS]}
            self.add({f"{stage}/{reason}": [sample]})

    def add(self, others: Mapping[str, list[dict[str, Any]]]) -> None:
        for key, samples in others.items():
            held = self._held.setdefault(key, [])
            if len(samples) == 1 and len(held) == SAMPLES and samples[0]["uid"] > held[-1]["uid"]:
                continue
            self._held[key] = sorted([*held, *samples], key=lambda sample: sample["uid"])[:SAMPLES]

    def as_dict(self) -> dict[str, list[dict[str, Any]]]:
        return dict(sorted(self._held.items()))


def rows_in(paths: Sequence[Path]) -> int:
    return sum(pq.read_metadata(path).num_rows for path in paths)


def lines_of(text: pa.ChunkedArray) -> int:
    """Lines of kept texts: newlines, counted by Arrow."""
    return pa.compute.sum(pa.compute.count_substring(text, "\n")).as_py() or 0


def lines_and_tokens(kept: Sequence[Path]) -> tuple[int, int]:
    """Of the kept texts: lines, and estimated tokens."""
    lines = tokens = 0
    for path in kept:
        for table in read_tables(path):
            lines += lines_of(table["text"])
            tokens += sum(estimated_tokens(text.as_py() or "") for chunk in table["text"].chunks for text in chunk)
    return lines, tokens
