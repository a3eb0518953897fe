"""The cache of a decoder: keys and values of the tokens read so far, for a batch of texts.

One slot a token, slots shared by all rows; what stands where is told by positions, with -1 for padding, so rows may be
padded left or right and be of any lengths. Buffers grow by doubling: a token costs amortised constant time. With a window,
slots that no later query can see are forgotten once there are more than twice the window's.
Rejected: a buffer of the greatest length from the start (a batch of short completions would pay for the longest), and
concatenation (every token would copy everything before it).
"""

from __future__ import annotations

import torch
from torch import Tensor


class Cache:
    """Empty at first; `Starcoder2Module.hidden(..., cache=cache)` fills it. K key-value heads, D a head's width, S slots."""

    def __init__(self, window: int | None = None) -> None:
        self._window = window
        self._keys: list[Tensor] = []  # one a layer, [B, K, capacity, D]
        self._values: list[Tensor] = []
        self._used = 0  # slots
        self.seen = 0  # tokens read, forgotten ones included
        self.even = True  # all rows stand at the same position and nothing was forgotten
        self.positions: Tensor | None = None  # [B, S]

    def reserve(self, positions: Tensor, *, even: bool) -> Tensor:
        """Make room for tokens at `positions` [B, T], `even` if those continue all rows alike; the positions of all slots, [B, S]."""
        self.even = self.even and even
        if self.positions is not None:
            self._forget()
            positions, new = torch.cat([self.positions, positions], dim=1), positions
        else:
            new = positions
        self.positions, self._used, self.seen = positions, positions.shape[1], self.seen + new.shape[1]
        return positions

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Put k and v [B, K, T, D] into the slots reserved last; all keys and values of the layer, [B, K, S, D]."""
        start = self._used - k.shape[2]
        for kept, new in ((self._keys, k), (self._values, v)):
            if len(kept) <= layer:
                kept.append(new)
                continue
            if kept[layer].shape[2] < self._used:
                kept[layer] = _grown(kept[layer], start, 2 * self._used)
            kept[layer][:, :, start : self._used] = new
        return self._keys[layer][:, :, : self._used], self._values[layer][:, :, : self._used]

    def select(self, rows: Tensor) -> None:
        """Keep these rows only, in this order: texts that have ended leave the batch."""
        assert self.positions is not None, "nothing was read yet"
        self.positions = self.positions[rows]
        self._keys, self._values = [k[rows] for k in self._keys], [v[rows] for v in self._values]

    def _forget(self) -> None:
        if self._window is None or self.positions is None or self._used <= 2 * self._window:
            return
        first_seen = self.positions.amax(dim=1, keepdim=True) + 2 - self._window  # by the next query, [B, 1]
        needed = (self.positions >= first_seen.clamp(min=0)).any(dim=0)  # [S]
        drop = int(needed.int().argmax())
        self.positions = self.positions[:, drop:]
        self._keys = [k[:, :, drop : self._used].clone() for k in self._keys]
        self._values = [v[:, :, drop : self._used].clone() for v in self._values]
        self._used -= drop


def _grown(kept: Tensor, used: int, capacity: int) -> Tensor:
    grown = kept.new_empty(kept.shape[0], kept.shape[1], capacity, kept.shape[3])
    grown[:, :, :used] = kept[:, :, :used]
    return grown
