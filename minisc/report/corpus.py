"""The chapter on data: how many files came in, who sent which away and why, what is left and under which licenses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minisc.report import spell
from minisc.report.blocks import ACCENT, PALETTE, Bar, Block, Chapter, Code, Fold, Key, Meter, Meters, Part, Piece, Text
from minisc.report.story import Story

SHARES_SHOWN = len(PALETTE) - 1
PRIVATE = "Texts that were dropped for malware, an opt-out, personal data or their license are never sampled."


def corpus(story: Story) -> Chapter | None:
    fall = story.waterfall
    if not fall or not fall.get("stages"):
        return None
    stages = fall["stages"]
    first, last = stages[0], stages[-1]
    lead = (
        f"Of {spell.count(first['seen'])} files ({spell.size(first['seen_bytes'])}), {spell.count(last['kept'])} "
        f"({spell.size(last['kept_bytes'])}) are left, {spell.share(last['kept_bytes'], first['seen_bytes'])} of the bytes"
    ) + (f", from {spell.count(fall['repos'])} repositories." if fall.get("repos") else ".")
    blocks: list[Block] = [_waterfall(stages)]
    if any(fall.get(key) for key in ("licenses", "splits", "sources")):
        blocks.append(_shares(fall))
    blocks += _specimens(fall.get("samples") or {})
    return Chapter("From files to a corpus", blocks, lead)


def _waterfall(stages: Sequence[Mapping[str, Any]]) -> Meters:
    """One row a stage. A bar's full length is what came in at the top; what a stage drops is coloured by reason."""
    documents, size = stages[0]["seen"] or 1, stages[0]["seen_bytes"] or 1
    most = max((stage.get("seen_tokens") or stage.get("kept_tokens") or 0 for stage in stages), default=0)
    titles = ("documents", "bytes", *(("tokens, estimated",) if most else ()))
    return Meters([_stage(stage, documents, size, most, last=stage is stages[-1]) for stage in stages], titles=titles)


def _stage(stage: Mapping[str, Any], documents: int, size: int, most: int, *, last: bool) -> Meter:
    """`most`: the tokens of the longest bar of tokens; 0 where none were estimated."""
    reasons = sorted(stage.get("reasons", {}).items(), key=lambda item: (-item[1]["bytes"], item[0]))
    tones = {name: PALETTE[at % len(PALETTE)] for at, (name, _) in enumerate(reasons)}
    kept = ACCENT

    def bar(whole: int, left: int, unit: str, told: str) -> Bar:
        parts = [Part(left / whole, kept, f"kept: {told}")]
        parts += [
            Part(count[unit] / whole, tones[name], f"{name}: {_amount(unit, count[unit])}") for name, count in reasons if unit in count
        ]
        return Bar(parts, told, unit)

    bars = [
        bar(documents, stage["kept"], "documents", spell.count(stage["kept"])),
        bar(size, stage["kept_bytes"], "bytes", spell.size(stage["kept_bytes"])),
    ]
    if most:
        left = stage.get("kept_tokens")
        bars.append(bar(most, left or 0, "tokens", "unknown" if left is None else spell.short(left)))
    return Meter(
        label=str(stage["stage"]),
        bars=bars,
        keys=[
            Key(
                tones[name],
                spell.plain(name),
                f"{_files(count['documents'])}, {spell.size(count['bytes'])} ({spell.share(count['bytes'], stage['seen_bytes'])})"
                + (f", about {spell.short(count['tokens'])} tokens" if "tokens" in count else ""),
            )
            for name, count in reasons
        ],
        detail="" if reasons else "dropped nothing",
        strong=last,
    )


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{spell.count(number)} files"


def _amount(unit: str, number: int) -> str:
    return {"documents": spell.count, "bytes": spell.size, "tokens": spell.short}[unit](number)


def _shares(fall: Mapping[str, Any]) -> Meters:
    """What is kept, cut three ways: by license, by split, by source; each one bar of all its bytes."""
    licenses = [(row["license"] or "none found", row) for row in fall.get("licenses") or ()]
    splits = sorted(((str(name), row) for name, row in dict(fall.get("splits") or {}).items()), key=lambda item: -item[1]["bytes"])
    sources = [(str(row["source"]), row) for row in fall.get("sources") or ()]
    cuts = (("licenses", licenses), ("split", splits), ("sources", sources))
    return Meters([_cut(label, rows) for label, rows in cuts if rows])


def _cut(label: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Meter:
    """The tail beyond `SHARES_SHOWN` stands as one part."""
    whole = sum(row["bytes"] for _, row in rows) or 1
    told = [(name, row["documents"], row["bytes"]) for name, row in rows[:SHARES_SHOWN]]
    if rest := [row for _, row in rows[SHARES_SHOWN:]]:
        told.append((f"{len(rest)} others", sum(row["documents"] for row in rest), sum(row["bytes"] for row in rest)))
    parts = [Part(size / whole, tone, f"{name}: {spell.share(size, whole)}") for tone, (name, _, size) in zip(PALETTE, told, strict=False)]
    keys = [
        Key(tone, name, f"{spell.share(size, whole)}, {_files(documents)}")
        for tone, (name, documents, size) in zip(PALETTE, told, strict=False)
    ]
    return Meter(label, [Bar(parts, spell.size(whole))], keys=keys)


def _specimens(samples: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Block]:
    if not any(samples.values()):
        return []
    folds = [
        Fold(
            f"{key} \u2013 {len(rows)} sample{'s' if len(rows) != 1 else ''}",
            [Code(str(row.get("repo", "")), [Piece(str(row.get("text", "")))], detail=str(row.get("path", "")), low=True) for row in rows],
        )
        for key, rows in samples.items()
        if rows
    ]
    return [Text(f"What was dropped, as it was (the beginning of each file). {PRIVATE}", "faint"), *folds]
