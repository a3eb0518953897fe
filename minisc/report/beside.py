"""The chapter on runs set side by side: what `compare` found, where a report follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minisc.report.blocks import Block, Chapter, Column, Fold, Table, Text
from minisc.report.story import Story


def beside(story: Story) -> Chapter | None:
    told = story.beside
    if not told:
        return None
    blocks: list[Block] = [Table([Column(""), Column("Run"), Column("Command", mono=True)], told["runs"])]
    blocks += _table(told["scores"])
    if told["apart"][1]:
        blocks += [Text("Less run 1, over the files or items that both judged:"), *_table(told["apart"])]
    for title, name in (("Figures that differ", "figures"), ("Settings that differ", "settings")):
        if told[name][1]:
            blocks.append(Fold(f"{title}: {len(told[name][1])}", _table(told[name])))
    return Chapter("Runs side by side", blocks)


def _table(told: Sequence[Any]) -> list[Block]:
    head, rows = told
    columns = [
        Column(title.lstrip(">").capitalize() if at == 0 else title.lstrip(">"), right=title.startswith(">"))
        for at, title in enumerate(head)
    ]
    return [Table(columns, rows)] if rows else []
