"""The chapter on samples: what the model was given and what it wrote, whole, in the order in which a reader reads it.

For a fill-in-the-middle prompt that is prefix, completion, suffix, though the model saw the suffix before it wrote. Nothing
is picked, trimmed or mended: the first completion of each prompt stands here, with the reason why it ended.
Where the run traced its samples, what they repeat of a training document is marked, and the document named below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.report import spell
from minisc.report.blocks import Block, Chapter, Code, Column, Piece, Table
from minisc.report.story import Story

LEAD = "Prompts plain, the model's own words marked. Nothing is selected, trimmed or mended."


def completions(story: Story) -> Chapter | None:
    blocks: list[Block] = []
    for at, sample in enumerate(story.samples):
        trace = story.traces.get(at)
        blocks += [_sample(sample, trace), *(_origins(trace) if trace else [])]
    return Chapter("Samples", blocks, LEAD) if blocks else None


def _sample(sample: Mapping[str, Any], trace: Mapping[str, Any] | None) -> Code:
    pieces = [Piece(_names(sample) + str(sample.get("prompt") or ""), "prompt"), *_written(str(sample.get("completion") or ""), trace)]
    if sample.get("suffix") is not None:
        pieces.append(Piece(str(sample["suffix"]), "prompt"))
    told = [_settings(sample.get("settings"))]
    if sample.get("cut_tokens"):
        told.append(f"{sample['cut_tokens']} tokens of the prompt did not fit")
    if trace:
        told.append(_longest(trace))
    return Code(str(sample.get("name") or "sample"), pieces, badge=_ending(sample), detail="; ".join(filter(None, told)))


def _written(completion: str, trace: Mapping[str, Any] | None) -> list[Piece]:
    """The model's own words, those that repeat a training document marked as such."""
    pieces, at = [], 0
    for span in sorted(trace["spans"] if trace else (), key=lambda span: (span["start"], -span["end"])):
        if span["end"] > at:
            start = max(at, span["start"])
            pieces += [Piece(completion[at:start], "completion"), Piece(completion[start : span["end"]], "repeated")]
            at = span["end"]
    pieces.append(Piece(completion[at:], "completion"))
    return [piece for piece in pieces if piece.text] or [Piece("", "completion")]


def _longest(trace: Mapping[str, Any]) -> str:
    if not trace["longest"]:
        return f"none of its {spell.count(trace['tokens'])} words and signs were traced to a training document"
    return f"repeats {spell.count(trace['longest'])} of its {spell.count(trace['tokens'])} words and signs in a row"


def _origins(trace: Mapping[str, Any]) -> list[Block]:
    """The documents that hold what is repeated, the longest repeat first."""
    rows = [
        [
            spell.count(span["tokens"]),
            f"{origin['repo']}:{origin['path']}:{origin['line']}",
            str(origin["license"] or "none stated"),
            str(origin["swhid"] or ""),
            ("over " if span["more"] else "") + spell.count(span["places"]),
        ]
        for span in trace["spans"]
        for origin in span["origins"]
    ]
    columns = [
        Column("Repeats", right=True), Column("Document"), Column("License"), Column("SWHID", mono=True), Column("Places", right=True),
    ]  # fmt: skip
    return [Table(columns, rows)] if rows else []


def _names(sample: Mapping[str, Any]) -> str:
    """Repository and path as the model saw them, where the prompt has them."""
    if not sample.get("repo"):
        return ""
    return f"\0<repo_name>\0{sample['repo']}\0<file_sep>\0{sample.get('path') or ''}\n"


def _ending(sample: Mapping[str, Any]) -> str:
    reason = str(sample.get("finish_reason") or "")
    told = {
        "length": "cut at its limit",
        "stop": "ended at a stop string",
        "end": "ended by itself",
        "context": "cut at the model's context",
    }
    if not sample.get("ended_by"):
        return told.get(reason, reason)
    return f"{told.get(reason, reason)}: {repr(sample['ended_by']) if reason == 'stop' else sample['ended_by']}"


def _settings(settings: Any) -> str:
    if not isinstance(settings, Mapping):
        return str(settings or "")
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in settings.items() if value not in (None, [], ()))
