"""The StarCoder2 network: token ids to logits, in one file, shapes on the line.

    B sequences   T tokens read now   S slots to attend to   H hidden   N query heads   K key-value heads   D H / N   V vocabulary

In: ids [B, T]. Out: logits [B, T, V] (`forward`), hidden states (`hidden`), or the summed negative log-likelihood (`loss`).
Guarantees: the arithmetic of `transformers.Starcoder2ForCausalLM`, under its parameter names, so that `state_dict()` needs
no translation (a test holds both to 1e-4). A mask is built from positions alone: a query at position q sees the keys at
positions q - window < k <= q, and position -1 is padding, which nobody sees. So left padding, right padding and a cache that
forgot its oldest slots are one case, not three.
Price: with `segments`, with a window shorter than the text or with a cache of unequal rows the mask is a [B, 1, T, S] matrix;
the plain causal case has none and takes the fast kernel.
Rejected: flex attention (needs a compiler); dropout (StarCoder2's 0.1 serves fine-tuning; its pretraining used none).
Source: arXiv 2402.19173 and the published config.json files; RoPE in the split form, arXiv 2104.09864.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minisc.model.cross_entropy import summed_nll

if TYPE_CHECKING:
    from minisc.model.cache import Cache
    from minisc.model.starcoder2 import Starcoder2

Rotation = tuple[Tensor, Tensor]  # cos, sin; each [B or 1, 1, T, D/2], float32


class Starcoder2Module(nn.Module):
    """`model.*` names follow transformers; the output matrix is the embedding (tied), so it has no name of its own."""

    def __init__(self, spec: Starcoder2, vocab_size: int) -> None:
        super().__init__()
        self.spec, self.vocab_size = spec, vocab_size
        self.model = _Decoder(spec, vocab_size)

    @torch.no_grad()
    def initialize(self, seed: int) -> None:
        """Normal weights of the spec's deviation, zero biases, unit norms; from a generator of its own, in the order of `parameters()`."""
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            elif weight.ndim == 1:
                weight.fill_(1.0)
            else:
                weight.normal_(0.0, self.spec.deviation, generator=generator)

    def forward(self, ids: Tensor, segments: Tensor | None = None, cache: Cache | None = None, positions: Tensor | None = None) -> Tensor:
        """Logits [B, T, V] of the next token."""
        return self.logits(self.hidden(ids, segments, cache, positions))

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.model.embed_tokens.weight)  # [..., H] -> [..., V]

    def hidden(self, ids: Tensor, segments: Tensor | None = None, cache: Cache | None = None, positions: Tensor | None = None) -> Tensor:
        """Normed states [B, T, H].

        `segments` [B, T]: attention stays among equal values (documents in a training window); not together with a cache.
        `cache`: what was read before; it grows by T. `positions` [B, T]: where each token stands in its own text, -1 for
        padding; without it all rows go on where the cache ends.
        """
        assert segments is None or cache is None, "segments are for training, a cache for generation"
        mask, where = _view(ids, segments, cache, positions, self.spec.window)
        rotation = _rotation(where, self.spec.hidden // self.spec.heads, self.spec.rope_theta)
        return self.model(ids, rotation, mask, cache)

    def loss(self, ids: Tensor, targets: Tensor, segments: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, and how many targets (not -100) it is over; both scalars on the device."""
        hidden = self.hidden(ids, segments).flatten(0, 1)  # [B*T, H]
        return summed_nll(hidden, self.model.embed_tokens.weight, targets.flatten()), (targets != -100).sum()


class _Decoder(nn.Module):
    def __init__(self, spec: Starcoder2, vocab_size: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, spec.hidden)
        self.layers = nn.ModuleList(_Block(spec, index) for index in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)

    def forward(self, ids: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None) -> Tensor:
        x = self.embed_tokens(ids)  # [B, T, H]
        for block in self.layers:
            x = block(x, rotation, mask, cache)
        return self.norm(x)


class _Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, spec: Starcoder2, index: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)
        self.self_attn = _Attention(spec, index)
        self.post_attention_layernorm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)
        self.mlp = _MLP(spec)

    def forward(self, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotation, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class _Attention(nn.Module):
    """Grouped-query attention: N / K query heads share one key-value head."""

    def __init__(self, spec: Starcoder2, index: int) -> None:
        super().__init__()
        self.index, self.heads, self.kv_heads = index, spec.heads, spec.kv_heads
        head = spec.hidden // spec.heads
        self.q_proj = nn.Linear(spec.hidden, spec.heads * head)
        self.k_proj = nn.Linear(spec.hidden, spec.kv_heads * head)
        self.v_proj = nn.Linear(spec.hidden, spec.kv_heads * head)
        self.o_proj = nn.Linear(spec.heads * head, spec.hidden)

    def forward(self, x: Tensor, rotation: Rotation, mask: Tensor | None, cache: Cache | None) -> Tensor:
        B, T, H = x.shape
        q = self.q_proj(x).view(B, T, self.heads, -1).transpose(1, 2)  # [B, N, T, D]
        k = self.k_proj(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # [B, K, T, D]
        v = self.v_proj(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # [B, K, T, D]
        q, k = _rotate(q, rotation), _rotate(k, rotation)
        if cache is not None:
            k, v = cache.extend(self.index, k, v)  # [B, K, S, D]
        causal = mask is None and T > 1
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=self.heads != self.kv_heads)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, H))


class _MLP(nn.Module):
    def __init__(self, spec: Starcoder2) -> None:
        super().__init__()
        self.c_fc = nn.Linear(spec.hidden, spec.mlp_ratio * spec.hidden)
        self.c_proj = nn.Linear(spec.mlp_ratio * spec.hidden, spec.hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))  # [B, T, H] -> [B, T, 4H] -> [B, T, H]


def _view(
    ids: Tensor, segments: Tensor | None, cache: Cache | None, positions: Tensor | None, window: int | None
) -> tuple[Tensor | None, Tensor]:
    """The mask (None: every token sees all before it), and where each token stands, [B or 1, T]."""
    start = cache.seen if cache is not None else 0
    end = start + ids.shape[1]
    alone = cache is None or start == 0 or (ids.shape[1] == 1 and cache.even)  # nothing before, or one token after equal rows
    plain = alone and positions is None and segments is None and (window is None or end <= window)
    where = torch.arange(start, end, device=ids.device)[None] if positions is None else positions
    if cache is None:
        return (None, where) if plain else (_allowed(where, where, segments, window), where)
    slots = cache.reserve(where.expand(ids.shape[0], -1), even=positions is None)  # [B, S]
    return (None, where) if plain else (_allowed(where, slots, None, window), where)


def _allowed(queries: Tensor, slots: Tensor, segments: Tensor | None, window: int | None) -> Tensor:
    """[B or 1, 1, T, S] from positions [B or 1, T] and [B or 1, S]; the last T slots are the queries' own."""
    q, k = queries[:, :, None], slots[:, None, :]  # [., T, 1], [., 1, S]
    seen = (k >= 0) & (k <= q)
    if window is not None:
        seen = seen & (k > q - window)
    if segments is not None:
        seen = seen & (segments[:, :, None] == segments[:, None, :])
    T, S = queries.shape[1], slots.shape[1]
    own = torch.arange(S, device=slots.device) == torch.arange(S - T, S, device=slots.device)[:, None]  # [T, S]
    return (seen | own)[:, None]  # padding sees itself: a row of nothing would be NaN, and NaN times a weight of zero is NaN


def _rotation(positions: Tensor, head: int, theta: float) -> Rotation:
    """cos and sin [B or 1, 1, T, D/2] of position times frequency theta^(-2i/D)."""
    frequencies = 1.0 / theta ** (torch.arange(0, head, 2, device=positions.device, dtype=torch.float32) / head)  # [D/2]
    angles = positions.clamp(min=0).float()[:, None, :, None] * frequencies
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn the pairs (i, i + D/2) of each head [B, N, T, D] by their angles: the split form."""
    cos, sin = rotation[0].to(x.dtype), rotation[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
