"""One sentence that says what the run is worth.

A model of code is measured against what anyone has at hand: zlib and xz on the same held-out files, a file each. Under
both is a result; above zlib is none, and the sentence says so just as plainly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minisc.report.story import Story

RIVALS = (("zlib_bits_per_byte", "zlib -9"), ("xz_bits_per_byte", "xz -9"))


def verdict(story: Story) -> str:
    """The story's own verdict, else one from its bits per byte, else what the run left behind."""
    if story.verdict:
        return story.verdict
    figures = story.scores.get("bits_per_byte", {}).get("figures", {})
    if "bits_per_byte" in figures:
        return _against_rivals(figures)
    if story.waterfall and story.waterfall.get("stages"):
        last, first = story.waterfall["stages"][-1], story.waterfall["stages"][0]
        return f"{last['kept']:,} of {first['seen']:,} documents were kept for training."
    if story.beside:
        return f"{len(story.beside['runs'])} runs side by side."
    done = sum(1 for step in story.steps if not step.get("cached"))
    return f"{len(story.steps)} steps: {done} done now, {len(story.steps) - done} taken from the store."


def _against_rivals(figures: Mapping[str, Any]) -> str:
    score = figures["bits_per_byte"]
    told = [f"{_difference(score, figures[name])} {rival} ({figures[name]:.2f})" for name, rival in RIVALS if figures.get(name)]
    against = f": {', '.join(told)}" if told else ""
    return f"{score:.2f} bits per byte on repositories that the model has never seen{against}."


def _difference(score: float, rival: float) -> str:
    percent = 100 * abs(score / rival - 1)
    if percent < 0.5:
        return "level with"
    return f"{percent:.0f} % {'below' if score < rival else 'above'}"
