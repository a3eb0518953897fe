"""What a person sees beside progress: the help, the plan, the waterfall, the closing table, an error.

In: plain facts. Out: text or tables for a terminal of 80 to 120 columns. Numbers carry their units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from minisc.console.speaker import Terminal, duration, human
from minisc.core import mirror
from minisc.core.errors import UserError
from minisc.core.step import Context, Cost, Done
from minisc.core.unseen import made_visible
from minisc.runner.graph import Node
from minisc.runner.run import expected_of, spent_of


def welcome(recipes: Mapping[str, str]) -> str:
    """One screen: what it is, the recipes, three commands."""
    width = max(map(len, recipes), default=0)
    lines = [f"  {name:<{width}}  {about}" for name, about in recipes.items()]
    return "\n".join([
        "minisc builds a small StarCoder2-style language model for Python code,",
        "from source files to scores.",
        "",
        "Recipes (python -m minisc +recipe=NAME):",
        *lines,
        "",
        "Try:",
        "  python -m minisc +recipe=tiny                   five minutes on two cores",
        "  python -m minisc +recipe=tiny plan_only=true    what it would do and cost",
        "  python -m minisc +recipe=pretrain_local source.path=~/code model=20m",
        "",
        "Anything can be overridden: model=60m, filters.near_dup.threshold=0.8,",
        "'~filters.license', steps=[collect,curate]. All settings of a run: --cfg job;",
        "all groups and options: --help.",
    ])  # fmt: skip


def failure(console: Console, error: UserError) -> None:
    """An error in its three parts."""
    text = Text()
    text.append("error: ", style="bold red").append(made_visible(error.what))
    for label, part in (("where", error.where), ("do", error.do)):
        if part:
            text.append(f"\n  {label + ':':<7}", style="bold").append(made_visible(part))
    console.print(text, soft_wrap=True)


def plan_table(terminal: Terminal, nodes: Sequence[Node], costs: Mapping[str, Cost]) -> None:
    """The plan: every step with its fingerprint and those of its inputs, whether it is in the store, what it will cost."""
    rows = []
    for node in nodes:
        state = "in the store" if node.cached else _cost(costs[node.name])
        takes = sorted({mark for value in node.inputs.values() for mark in _marks(value)})
        rows.append([node.name, node.fingerprint[:6] if node.step.stored else "", " ".join(takes), state])
    terminal.table("plan", ["step", "id", "takes", "cost"], rows)


def _marks(value: Any) -> list[str]:
    """The first digits of the fingerprints that fill a role."""
    items = value if isinstance(value, list) else [value] if value is not None else []
    return [item.fingerprint[:6] for item in items]


def _cost(cost: Cost) -> str:
    parts = [
        f"about {duration(cost.seconds)}" if cost.seconds else "",
        f"{human(cost.tokens)} tokens" if cost.tokens else "",
        f"{human(cost.flops)}FLOP" if cost.flops else "",
        f"{human(cost.requests)} requests" if cost.requests else "",
        f"download {human(cost.download_bytes)}B" if cost.download_bytes else "",
        f"disk {human(cost.disk_bytes)}B" if cost.disk_bytes else "",
        cost.remark,
    ]
    return ", ".join(filter(None, parts))


def closing_table(terminal: Terminal, done: Sequence[Done], context: Context) -> None:
    """What came out, and where it lies."""
    rows = []
    for item in done:
        where = near(item.artifact.path if item.artifact else Path(str(item.figures.get("where", context.run))))
        rows.append([item.step, "stored" if item.cached else duration(item.seconds), _headline(item.figures), where])
    rows.append(["run", duration(sum(item.seconds for item in done)), "log, settings, TensorBoard events", near(context.run)])
    held_against_plan(terminal, done)
    terminal.table("what came out", ["step", ">time", "result", "where"], rows)


def held_against_plan(terminal: Terminal, done: Sequence[Done]) -> None:
    """What the plan said beside what it then took, of the steps that ran and were given a cost."""
    rows = []
    for item in done:
        expected, spent = expected_of(item), spent_of(item)
        if not expected:
            continue
        row = [item.step]
        for name, form in (("seconds", duration), ("disk_bytes", human)):
            row += [form(told[name]) if name in told else "" for told in (expected, spent)]
        more = [f"{human(spent.get(name))} of {human(amount)} {word}" for name, word in AMOUNTS.items() if (amount := expected.get(name))]
        rows.append([*row, ", ".join(more)])
    if rows:
        terminal.table("planned, and spent", ["step", ">planned", ">took", ">disk planned", ">kept", "spent of planned"], rows)


AMOUNTS = {"tokens": "tokens", "flops": "FLOP", "requests": "requests", "download_bytes": "bytes downloaded"}


def _headline(figures: Mapping[str, Any]) -> str:
    parts = []
    for name, form in HEADLINES.items():
        if isinstance(figures.get(name), (int, float)):
            parts.append(form.format(figures[name], human=human(figures[name]), mega=figures[name] / 1e6))
    return ", ".join(parts[:4])


HEADLINES = {
    "documents_kept": "{:,} documents", "bytes_kept": "{mega:,.1f} MB", "vocabulary": "vocabulary {:,}", "bytes_per_token": "{:.2f} bytes a token",
    "tokens": "{human} tokens", "tokens_trained": "{human} tokens trained", "parameters": "{human} parameters", "bits_per_byte": "{:.3f} bits per byte", "zlib_bits_per_byte": "zlib {:.3f}",
    "xz_bits_per_byte": "xz {:.3f}", "completions": "{:,} completions", "report_bytes": "report of {human}B", "export_bytes": "{human}B to hand over",
}  # fmt: skip


def near(path: Path) -> str:
    """A path as a person would type it from here."""
    if mirror.is_mirror(path):
        return mirror.name(path)
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
