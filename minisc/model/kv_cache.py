"""Keys and values of a batch of texts that grow at their own pace: where each token goes, and what it sees.

    B texts   n tokens read now, text after text   T the most of one text   S slots   K key-value heads   G query heads of each   D width

A text's token at position p lies in slot p, less the slots that were dropped for all: what a text holds does not depend on its
neighbours, and taking tokens back is a smaller number. What lies behind a text's end (zeros, tokens that were taken back, other
texts' length) is finite, and seen by nobody. `open` says once a call what all layers need: slots, the way from n tokens to
[B, T] and back, the mask. Texts of one length need neither, and their slots are a slice.
Memory: buffers grow by doubling; with a window, slots that no text can see any more are dropped once in a while.
Rejected: padding on the left (a text's slots then depend on the longest one, and texts cannot take back different counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

FIRST_ROOM = 64  # slots beyond the prompt


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tokens of one call lie."""

    texts: int  # B
    most: int  # T
    fresh: bool  # nothing was read before
    positions: Tensor  # [n]
    start: int  # first slot of the tokens and
    end: int  # one behind the last, over all texts
    first: int  # slot that any of them sees
    rows: Tensor | None  # [n * 2 K] of the buffer as [B * 2 K * capacity, D]; None: slots start to end of every text
    grid: Tensor | None  # [B * T] which of the n tokens stands there; None: they fill it
    back: Tensor | None  # [n] where in the grid each token stands
    mask: Tensor | None  # of type and shape [B or 1, 1, T * G, S], fresh [1, 1, T, S]: 0 or minus infinity; None: all before it


class Cache:
    """One batch. `like`: a tensor of the type and on the device that keys and values have."""

    def __init__(self, *, texts: int, layers: int, kv_heads: int, group: int, head: int, window: int | None, like: Tensor) -> None:
        self.lengths = [0] * texts
        self._kv_heads, self._group, self._window, self._like = kv_heads, group, window, like
        self._gone = 0  # slots that were dropped before the first
        self._held = [like.new_zeros(texts, 2 * kv_heads, 0, head) for _ in range(layers)]  # keys, then values

    @property
    def capacity(self) -> int:
        return self._held[0].shape[2]

    def open(self, counts: Sequence[int]) -> Places:
        """Make room for so many more tokens of each text, at least one."""
        self._forget()
        B, T, fresh = len(counts), max(counts), not any(self.lengths)
        starts = [length - self._gone for length in self.lengths]
        end = max(start + count for start, count in zip(starts, counts, strict=True))
        if end > self.capacity:
            self._grow(end + FIRST_ROOM if fresh else 2 * end)
        even = min(counts) == T
        level = even and min(starts) == max(starts)
        owners = [text for text, count in enumerate(counts) for _ in range(count)]
        slots = [slot for start, count in zip(starts, counts, strict=True) for slot in range(start, start + count)]
        mask, first = self._mask(starts[:1] if level else starts, T, end, fresh)
        device = self._like.device
        held = torch.tensor(slots, device=device)
        self.lengths = [length + count for length, count in zip(self.lengths, counts, strict=True)]
        grid = back = None
        if not even:
            begins = [sum(counts[:text]) for text in range(B)]
            grid = torch.tensor([begins[text] + min(t, counts[text] - 1) for text in range(B) for t in range(T)], device=device)
            back = torch.tensor([text * T + t for text, count in enumerate(counts) for t in range(count)], device=device)
        return Places(B, T, fresh, held + self._gone, starts[0], end, first, None if level else self._rows(owners, held), grid, back, mask)

    def extend(self, layer: int, new: Tensor, places: Places) -> tuple[Tensor, Tensor]:
        """Put keys and values [n, 2 K, D] where they belong; the layer's from the first that is seen on, each [B, K, S, D]."""
        held = self._held[layer]
        if places.rows is None:
            held[:, :, places.start : places.end] = new.view(places.texts, places.most, *new.shape[1:]).transpose(1, 2)
        else:
            held.view(-1, held.shape[3]).index_copy_(0, places.rows, new.reshape(-1, held.shape[3]))
        keys, values = held[:, :, places.first : places.end].split(self._kv_heads, dim=1)
        return keys, values

    def back(self, counts: Sequence[int]) -> None:
        """Take back the last so many tokens of each text; only tokens of the last call."""
        self.lengths = [length - count for length, count in zip(self.lengths, counts, strict=True)]

    def keep(self, texts: Sequence[int]) -> None:
        """Go on with these texts only, in this order."""
        at = torch.tensor(texts, device=self._like.device)
        self.lengths = [self.lengths[text] for text in texts]
        self._held = [held[at] for held in self._held]

    def _rows(self, owners: Sequence[int], slots: Tensor) -> Tensor:
        heads = torch.arange(2 * self._kv_heads, device=slots.device)
        owned = torch.tensor(owners, device=slots.device)[:, None] * len(heads) + heads  # [n, 2 K]
        return (owned * self.capacity + slots[:, None]).flatten()

    def _mask(self, starts: Sequence[int], T: int, end: int, fresh: bool) -> tuple[Tensor | None, int]:
        """The mask, and the first slot that it speaks of. `starts`: of each text, or of all."""
        window = self._window
        first = 0 if window is None else max(0, min(starts) + 1 - window)
        if (len(starts) == 1 and T == 1) or (fresh and (window is None or window >= T)):
            return None, first
        device = self._like.device
        slots = torch.arange(first, end, device=device)
        own = torch.tensor([starts[0]] if fresh else starts, device=device)[:, None] + torch.arange(T, device=device)  # [B or 1, T]
        unseen = slots > own[:, :, None]  # [B or 1, T, S]
        if window is not None:
            unseen |= slots <= own[:, :, None] - window
        mask = self._like.new_zeros(unseen.shape).masked_fill_(unseen, -torch.inf)[:, None]
        return (mask if fresh or self._group == 1 else mask.repeat_interleave(self._group, dim=2)), first

    def _forget(self) -> None:
        """Drop the slots that no window reaches any more, when they are more than half."""
        if self._window is None:
            return
        shortest, longest = min(self.lengths) - self._gone, max(self.lengths) - self._gone
        drop = shortest - self._window
        if drop > longest - drop:
            self._held = [held[:, :, drop:longest].clone() for held in self._held]
            self._gone += drop

    def _grow(self, capacity: int) -> None:
        for layer, held in enumerate(self._held):
            self._held[layer] = held.new_zeros(held.shape[0], held.shape[1], capacity, held.shape[3])
            self._held[layer][:, :, : held.shape[2]] = held
