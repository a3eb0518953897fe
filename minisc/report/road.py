"""The chapters on the run itself: its tiles, its steps with their times, where everything lies and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.report import spell
from minisc.report.blocks import (
    ACCENT,
    FAINT,
    Bar,
    Block,
    Chapter,
    Code,
    Column,
    Fold,
    Meter,
    Meters,
    Part,
    Piece,
    Table,
    Text,
    Tile,
    Tiles,
)
from minisc.report.story import Story

HEADLINES = (  # figure, label, remark: shown in this order where the run has them
    ("bits_per_byte", "bits per byte, held out", "less is better"),
    ("documents_kept", "documents kept", ""),
    ("bytes_kept", "of code kept", ""),
    ("parameters", "parameters", ""),
    ("tokens_trained", "tokens trained on", ""),
    ("tokens_per_second", "tokens per second", "in training"),
    ("peak_memory_bytes", "peak memory", ""),
)
FIGURES_SHOWN = 5


def tiles(story: Story) -> Tiles:
    """Bits per byte come from the evaluation alone: a figure of that name in the run may be of training text."""
    scored = story.scores.get("bits_per_byte", {}).get("figures", {})
    figures = {**story.figures, "bits_per_byte": scored.get("bits_per_byte")}
    items = [
        Tile(_large(name, figures[name]), label, remark, accent=name == "bits_per_byte")
        for name, label, remark in HEADLINES
        if isinstance(figures.get(name), (int, float))
    ]
    if story.seconds:
        items.append(Tile(spell.seconds(story.seconds), "in all", "this run"))
    return Tiles(items)


def _large(name: str, value: float) -> str:
    if name == "bits_per_byte":
        return f"{value:.2f}"
    return spell.size(value) if "bytes" in name.split("_") else spell.short(value)


def road(story: Story) -> Chapter | None:
    if not story.steps:
        return None
    longest = max(float(step.get("seconds") or 0) for step in story.steps) or 1
    cached = sum(1 for step in story.steps if step.get("cached"))
    lead = f"{len(story.steps)} steps; {cached} of them were taken from the store, made by an earlier run." if cached else ""
    return Chapter("The road", [Meters([_step(step, longest) for step in story.steps])], lead)


def _step(step: Mapping[str, Any], longest: float) -> Meter:
    seconds = float(step.get("seconds") or 0)
    name = str(step.get("step"))
    bar = Bar(
        [Part(seconds / longest, FAINT if step.get("cached") else ACCENT, f"{name}: {spell.seconds(seconds)}")], spell.seconds(seconds)
    )
    planned = dict(step.get("expected") or {}).get("seconds")
    told = [f"planned {spell.seconds(float(planned))}"] if isinstance(planned, (int, float)) else []
    told += [
        f"{spell.plain(key)} {spell.figure(key, value)}"
        for key, value in dict(step.get("figures") or {}).items()
        if isinstance(value, (int, float))
    ]
    return Meter(name, [bar], badge="cached" if step.get("cached") else "", detail=" \u00b7 ".join(told[: FIGURES_SHOWN + 1]))


def colophon(story: Story) -> Chapter:
    """Enough to make it again: command, artifacts by fingerprint, versions, the whole configuration."""
    blocks: list[Block] = [Code("command", [Piece(story.command)])]
    artifacts = [
        [str(step.get("step")), str(step.get("fingerprint") or ""), str(step.get("artifact") or "")]
        for step in story.steps
        if step.get("artifact")
    ]
    if artifacts:
        blocks.append(Table([Column("Step"), Column("Fingerprint", mono=True), Column("Artifact", mono=True)], artifacts))
    if story.places:
        blocks.append(Table([Column("What"), Column("Where", mono=True)], [[what, where] for what, where in story.places]))
    figures = [
        [str(step.get("step")), spell.plain(key), spell.figure(key, value)]
        for step in story.steps
        for key, value in dict(step.get("figures") or {}).items()
    ]
    if figures:
        blocks.append(
            Fold(
                f"All figures of all steps: {len(figures)}",
                [Table([Column("Step"), Column("Figure"), Column("Value", right=True)], figures)],
            )
        )
    if story.versions:
        blocks.append(
            Fold("Versions", [Table([Column("Package"), Column("Version", mono=True)], [list(pair) for pair in story.versions.items()])])
        )
    if story.config:
        blocks.append(Fold("The whole configuration", [Code("config", [Piece(story.config)])]))
    return Chapter("What lies where", blocks, "Every result is a folder named by the fingerprint of all that it depends on.")


def warned(story: Story) -> list[Block]:
    return [Text(warning, "warn") for warning in story.warnings]
