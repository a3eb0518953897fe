"""Amounts that people type: `500M` tokens, `20x` the parameters, `48MB`.

The budget of a training run is in tokens: a count with an optional k, M, G/B or T, or a multiple of the model's parameters
(Chinchilla's rule of thumb is 20x: Hoffmann et al. 2022, arXiv 2203.15556).
"""

from __future__ import annotations

import re

from minisc.core.errors import UserError

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_AMOUNT = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,9})?)\s*(?P<scale>[kmgbt]?)(?P<times>x?)", re.IGNORECASE)


def tokens_of(budget: str | int, parameters: int | None, where: str = "budget") -> int:
    """Tokens to train on. Raises UserError if it is no amount, or a multiple of parameters that nobody knows."""
    match = _AMOUNT.fullmatch(str(budget).strip())
    if not match or (match["scale"] and match["times"]):
        raise UserError(
            f"{budget!r} is no number of tokens",
            where=f"{where}={budget}",
            do=f"{where}=500M, {where}=2B, or {where}=20x (times the parameters)",
        )
    amount = float(match["number"]) * _SCALES[match["scale"].lower()]
    if match["times"]:
        if parameters is None:
            raise UserError(
                "a multiple of the parameters needs a model", where=f"{where}={budget}", do=f"{where}=500M, or a step that trains a model"
            )
        amount *= parameters
    if amount < 1:
        raise UserError("a budget of no tokens trains nothing", where=f"{where}={budget}", do=f"{where}=1M")
    return round(amount)


def is_multiple(budget: str | int) -> bool:
    return str(budget).strip().lower().endswith("x")
