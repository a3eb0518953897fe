"""What a plan will cost, said before it is spent.

In: the nodes of a plan. Out: a `Cost` for each. A step tells its cost from the figures of its inputs: the real ones where
they are in the store, else those that the step before expects to commit.
What a step lacks (benchmark files) is an error here, before the first step runs; in a plan that nobody runs it is put into `lacking`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context, Cost
from minisc.runner.graph import Node


def costs(nodes: Sequence[Node], context: Context, lacking: list[UserError] | None = None) -> dict[str, Cost]:
    """Costs by the name of the step, in order; a cached step costs nothing."""
    out: dict[str, Cost] = {}
    for node in nodes:
        inputs = {role: _figures(value, out) for role, value in node.inputs.items() if value is not None}
        out[node.name] = Cost(expect=Artifact(node.path).figures) if node.cached else _cost(node, inputs, context, lacking)
    return out


def _cost(node: Node, inputs: Mapping[str, Mapping[str, float]], context: Context, lacking: list[UserError] | None) -> Cost:
    try:
        return node.step.cost(inputs, context)
    except UserError as error:
        if lacking is None:
            raise
        lacking.append(error)
        return Cost()


def _figures(value: Any, known: Mapping[str, Cost]) -> Mapping[str, float]:
    if isinstance(value, list):
        total: dict[str, float] = {}
        for item in value:
            for name, figure in _figures(item, known).items():
                if isinstance(figure, (int, float)):
                    total[name] = total.get(name, 0) + figure
        return total
    if isinstance(value, Artifact):
        return value.figures
    return known[value.name].expect
