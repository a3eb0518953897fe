"""The chapter on scores: all of them with interval and contamination, bits per byte as bars beside the compressors, any other evaluation as
its table of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minisc.core import scoreboard
from minisc.report import spell
from minisc.report.blocks import ACCENT, FAINT, Bar, Block, Chapter, Column, Fold, Meter, Meters, Part, Table, Text
from minisc.report.story import Story

BARS = (
    ("bits_per_byte", "this model", ""),
    ("xz_bits_per_byte", "xz -9", ""),
    ("zlib_bits_per_byte", "zlib -9", ""),
    ("xz_solid_bits_per_byte", "xz -9, solid", "all files as one stream"),
    ("zlib_solid_bits_per_byte", "zlib -9, solid", "all files as one stream"),
)
ABOUT = (
    "Bits that are needed for a byte of code; less is better. The model and the first two compressors begin anew with each file. "
    "The solid figures compress all files as one stream; they know what the files of a repository share, which the model here does not."
)


def scores(story: Story) -> Chapter | None:
    blocks: list[Block] = []
    if rows := scoreboard.rows(story.scores):
        blocks.append(Table([Column(title.lstrip(">").capitalize(), right=title.startswith(">")) for title in scoreboard.HEAD], rows))
    for name, score in story.scores.items():
        blocks += _bits_per_byte(score) if name == "bits_per_byte" else _other(name, score)
    return Chapter("Scores", blocks) if blocks else None


def _bits_per_byte(score: Mapping[str, Any]) -> list[Block]:
    figures = score.get("figures", {})
    present = [(figures[key], key, label, detail) for key, label, detail in BARS if isinstance(figures.get(key), (int, float))]
    if not present:
        return []
    longest = max(value for value, *_ in present) or 1
    rows = []
    for value, key, label, detail in present:
        own = key == "bits_per_byte"
        error = figures.get("bits_per_byte_error") if own else None
        told = f"{value:.3f}" + (f" \u00b1 {error:.3f}" if error else "")
        rows.append(
            Meter(
                label,
                [Bar([Part(value / longest, ACCENT if own else FAINT, f"{label}: {value:.4f} bits per byte")], told)],
                detail=detail,
                strong=own,
            )
        )
    return [Meters(rows), Text(score.get("about") or ABOUT, "faint"), *_tables(score.get("tables", {})), _rest(figures)]


def _rest(figures: Mapping[str, Any]) -> Block:
    shown = {key for key, _, _ in BARS}
    left = [[spell.plain(key), spell.figure(key, value)] for key, value in figures.items() if key not in shown]
    return Fold("All figures of this score", [Table([Column("Figure"), Column("Value", right=True)], left)])


def _other(name: str, score: Mapping[str, Any]) -> list[Block]:
    rows = [[spell.plain(key), spell.figure(key, value)] for key, value in score.get("figures", {}).items()]
    about = [Text(str(score["about"]), "faint")] if score.get("about") else []
    return [Table([Column(spell.plain(name)), Column("Value", right=True)], rows), *about, *_tables(score.get("tables", {}))]


def _tables(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Block]:
    folds: list[Block] = []
    for name, rows in tables.items():
        if rows:
            keys = list(rows[0])
            numeric = {key for key in keys if all(isinstance(row.get(key), (int, float)) for row in rows)}
            columns = [Column(_heading(key), right=key in numeric) for key in keys]
            told = [[spell.figure(key, "" if row.get(key) is None else row[key]) for key in keys] for row in rows]
            folds.append(Fold(f"Per {_heading(name)}: {len(rows)} rows", [Table(columns, told)]))
    return folds


def _heading(key: str) -> str:
    return {"zlib_bits_per_byte": "zlib -9", "xz_bits_per_byte": "xz -9", "repos": "repository", "repo": "repository"}.get(
        key, spell.plain(key)
    )
