"""The chapter on samples: what the model was given and what it wrote, whole, in the order in which a reader reads it.

For a fill-in-the-middle prompt that is prefix, completion, suffix, though the model saw the suffix before it wrote. Nothing
is picked, trimmed or mended: the first completion of each prompt stands here, with the reason why it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.report.blocks import Block, Chapter, Code, Piece
from minisc.report.story import Story

LEAD = "Prompts plain, the model's own words marked. Nothing is selected, trimmed or mended."


def completions(story: Story) -> Chapter | None:
    blocks: list[Block] = [_sample(sample) for sample in story.samples]
    return Chapter("Samples", blocks, LEAD) if blocks else None


def _sample(sample: Mapping[str, Any]) -> Code:
    pieces = [Piece(_names(sample) + str(sample.get("prompt") or ""), "prompt"), Piece(str(sample.get("completion") or ""), "completion")]
    if sample.get("suffix") is not None:
        pieces.append(Piece(str(sample["suffix"]), "prompt"))
    told = [_settings(sample.get("settings"))]
    if sample.get("cut_tokens"):
        told.append(f"{sample['cut_tokens']} tokens of the prompt did not fit")
    return Code(str(sample.get("name") or "sample"), pieces, badge=_ending(sample), detail="; ".join(filter(None, told)))


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
