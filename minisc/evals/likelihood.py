"""The negative log-likelihood of whole documents, also of those that are longer than the model's context.

In: documents as ids. Out: -ln p of each one's tokens and its closing `<|endoftext|>`, in nats, one number a document.
Each document is read with a context of its own: its input begins with `<|endoftext|>`, positions begin at zero. One that is
longer than the context is read through a window that moves on by `jump` tokens: every token is scored exactly once, and,
but for the first of a document, with at least `context - jump` tokens before it.
Price: a long document costs context / jump times its length. Rejected: keeping the cache over the whole document, which
asks for positions that a model with rotary positions was never trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE = -100
LOGIT_BYTES = 64 * 1024 * 1024  # of fp32 logits at once; changes memory, never a result


class Network(Protocol):
    """What scoring needs of a network."""

    def hidden(self, ids: Tensor) -> Tensor: ...  # [B, T] -> [B, T, H]
    def logits(self, hidden: Tensor) -> Tensor: ...  # [..., H] -> [..., V]
    def parameters(self) -> Iterator[Tensor]: ...


@dataclass(frozen=True, slots=True)
class Window:
    """Inputs [start, end) of a document's stream, of whose targets those from `scored` on count."""

    document: int
    start: int
    scored: int
    end: int


def windows(document: int, length: int, context: int, jump: int) -> list[Window]:
    """Cover `length` inputs: every one is scored in exactly one window; all windows but a short document's only one are full."""
    out = [Window(document, 0, 0, min(context, length))]
    while out[-1].end < length:
        end = min(out[-1].end + jump, length)
        out.append(Window(document, end - context, out[-1].end, end))
    return out


def nats(
    network: Network, ids: Sequence[Sequence[int]], eot: int, context: int, jump: int, batch_tokens: int, advance: Callable[[float], None]
) -> np.ndarray:
    """-ln p of each document's tokens and its closing `<|endoftext|>`; float64, one a document.

    Windows of like lengths share a batch, padded on the right: behind every scored token, so that no mask is needed.
    """
    streams = [np.array([eot, *own, eot], dtype=np.int64) for own in ids]
    todo = sorted((window for at, stream in enumerate(streams) for window in windows(at, len(stream) - 1, context, jump)), key=_order)
    total = np.zeros(len(ids))
    device = next(network.parameters()).device
    with torch.inference_mode():
        for batch in _batches(todo, batch_tokens):
            width = batch[0].end - batch[0].start
            inputs = np.full((len(batch), width), eot, dtype=np.int64)
            targets = np.full((len(batch), width), IGNORE, dtype=np.int64)
            for row, window in enumerate(batch):
                stream = streams[window.document]
                inputs[row, : window.end - window.start] = stream[window.start : window.end]
                targets[row, window.scored - window.start : window.end - window.start] = stream[window.scored + 1 : window.end + 1]
            scored = targets != IGNORE
            hidden = network.hidden(torch.from_numpy(inputs).to(device))[torch.from_numpy(scored).to(device)]  # [scored, H]
            losses = _losses(network, hidden, torch.from_numpy(targets[scored]).to(device))
            owners = np.repeat([window.document for window in batch], scored.sum(axis=1))
            np.add.at(total, owners, losses)
            advance(len(losses))
    return total


def _order(window: Window) -> tuple[int, int, int]:
    return (window.start - window.end, window.document, window.start)  # the widest first: it decides the memory


def _batches(todo: Sequence[Window], batch_tokens: int) -> Iterator[Sequence[Window]]:
    start = 0
    while start < len(todo):
        rows = max(1, batch_tokens // (todo[start].end - todo[start].start))
        yield todo[start : start + rows]
        start += rows


def _losses(network: Network, hidden: Tensor, targets: Tensor) -> np.ndarray:
    """-ln p of each target, float64, with a bounded amount of logits at once."""
    out, start, step = [], 0, 1
    while start < len(targets):
        logits = network.logits(hidden[start : start + step]).float()  # [step, V]; the first, of one row, tells V
        out.append(F.cross_entropy(logits, targets[start : start + step], reduction="none"))
        start, step = start + step, max(1, LOGIT_BYTES // (4 * logits.shape[1]))
    return torch.cat(out).double().cpu().numpy()
