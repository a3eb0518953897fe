"""How the next token is chosen, and why a prompt's choices do not depend on its neighbours.

In: logits [n, V], each of a row and a place in it. Out: one id each. Order as in `transformers`: repetition penalty (arXiv 1909.05858),
temperature, top-k, top-p (arXiv 1904.09751), then a draw by inverting the cumulative distribution.
Guarantees: the uniform number behind token i of prompt k is number i of the Philox-4x64 stream keyed by (seed, k), a
counter-based generator (Salmon et al. 2011) whose raw words numpy promises not to change. So batch size, order and the
fate of other prompts change nothing but the last bits of the logits, which a draw meets about once in 10^6 tokens.
Rejected: torch.multinomial with a generator: its stream depends on the shape of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minisc.core.errors import UserError

LONG_PROMPTS = ("refuse", "cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Settings of a completion. Temperature 0 is greedy; top_k 0, top_p 1 and repetition_penalty 1 are off."""

    max_new_tokens: int
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()  # the text ends before the first of them
    seed: int = 0
    long_prompt: str = "refuse"  # or "cut": see prompt.encode

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        for name, right, rule in (
            ("max_new_tokens", self.max_new_tokens >= 1, "is at least 1"),
            ("temperature", self.temperature >= 0, "is 0 (greedy) or more"),
            ("top_k", self.top_k >= 0, "is 0 (off) or more"),
            ("top_p", 0 < self.top_p <= 1, "lies above 0 and is at most 1 (off)"),
            ("repetition_penalty", self.repetition_penalty > 0, "lies above 0; 1 is off"),
            ("stop", all(self.stop), "holds no empty string"),
            ("seed", 0 <= self.seed < 2**63, "is 0 or more"),
            ("long_prompt", self.long_prompt in LONG_PROMPTS, f"is one of {', '.join(LONG_PROMPTS)}"),
        ):
            if not right:
                raise UserError(f"{name} {rule}", where=f"{name}={getattr(self, name)!r}", do=f"give another {name}")


def uniforms(seed: int, key: int, count: int) -> np.ndarray:
    """The first `count` numbers in [0, 1) of the stream (seed, key), float64: 53 bits of each raw word."""
    raw = np.random.Philox(key=np.array([seed, key], dtype=np.uint64)).random_raw(count)
    return (raw >> np.uint64(11)) * 2.0**-53


class Chooser:
    """Chooses for a batch of rows; rows can leave."""

    def __init__(
        self, settings: Sampling, prompts: Sequence[Sequence[int]], keys: Sequence[int], vocabulary: int, device: torch.device
    ) -> None:
        self._settings = settings
        self._draws: Tensor | None = None  # [B, max_new_tokens], float64
        self._seen: Tensor | None = None  # [B, V], bool: ids that a row holds
        if settings.temperature > 0:
            drawn = np.stack([uniforms(settings.seed, key, settings.max_new_tokens) for key in keys])
            self._draws = torch.from_numpy(drawn)
        if settings.repetition_penalty != 1:
            self._seen = torch.zeros(len(prompts), vocabulary, dtype=torch.bool, device=device)
            for row, ids in enumerate(prompts):
                self._seen[row, list(ids)] = True

    @property
    def one_by_one(self) -> bool:
        """Whether a choice depends on those before it otherwise than by the logits: then `choose` takes one place of each row at a time."""
        return self._seen is not None

    def choose(self, logits: Tensor, rows: Sequence[int], places: Sequence[int]) -> Tensor:
        """Ids [n] from logits [n, V] in fp32: of token places[i] that rows[i] writes, counted from 0."""
        if self._seen is not None:
            assert list(rows) == list(range(len(self._seen))), "a penalty wants one place of each row"
            penalty = self._settings.repetition_penalty
            logits = torch.where(self._seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
        if self._draws is None:
            chosen = logits.argmax(dim=-1)
        else:
            uniform = self._draws[list(rows), list(places)]
            chosen = draw(logits.cpu() / self._settings.temperature, uniform, self._settings.top_k, self._settings.top_p).to(logits.device)
        if self._seen is not None:
            self._seen.scatter_(1, chosen[:, None], True)
        return chosen

    def select(self, rows: Sequence[int]) -> None:
        at = list(rows)
        self._draws = self._draws[at] if self._draws is not None else None
        self._seen = self._seen[at] if self._seen is not None else None


def draw(logits: Tensor, uniform: Tensor, top_k: int, top_p: float) -> Tensor:
    """Ids [B] by inverting the cumulative distribution of the tokens that top-k and top-p leave; float64 throughout."""
    probabilities = torch.softmax(logits.double(), dim=-1)  # [B, V]
    order = None
    if top_k or top_p < 1:
        probabilities, order = probabilities.sort(dim=-1, descending=True, stable=True)
    if top_k:
        probabilities = probabilities[:, :top_k]
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    reached = probabilities.cumsum(dim=-1)  # [B, V or k]
    if top_p < 1:  # the smallest set that reaches top_p: what lies before a kept token is still short of it
        kept = ((reached - probabilities) < top_p).sum(dim=-1, keepdim=True)  # [B, 1], at least 1
        reached = reached.clamp(max=reached.gather(1, kept - 1))
    wanted = uniform[:, None] * reached[:, -1:]
    chosen = torch.searchsorted(reached, wanted, right=True).clamp(max=reached.shape[1] - 1)  # [B, 1]
    return (chosen if order is None else order.gather(1, chosen)).squeeze(1)
