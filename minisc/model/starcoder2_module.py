"""The StarCoder2 network: token ids to logits, in one file, shapes on the line.

    B sequences   T tokens   H hidden   N query heads   K key-value heads   D H / N   V vocabulary

In: ids [B, T]. Out: logits [B, T, V] (`forward`), hidden states (`hidden`), or the summed negative log-likelihood (`loss`).
Guarantees: the arithmetic of `transformers.Starcoder2ForCausalLM`, under its parameter names, so that `state_dict()` needs
no translation (a test holds both to 1e-4). It reads whole texts, as training and scoring do; `packed` is the same network for
writing, token by token, with a cache.
Price: with `segments`, or with a window shorter than the text, the mask is a [B, 1, T, T] matrix; the plain causal case has
none and takes the fast kernel.
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
    from minisc.model.starcoder2 import Starcoder2
    from minisc.model.starcoder2_reading import Packed

Rotation = tuple[Tensor, Tensor]  # cos, sin; each [1, 1, T, D/2], float32


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

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """Logits [B, T, V] of the next token."""
        return self.logits(self.hidden(ids, segments))

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.model.embed_tokens.weight)  # [..., H] -> [..., V]

    def hidden(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """Normed states [B, T, H]. `segments` [B, T]: attention stays among equal values (documents in a training window)."""
        places = torch.arange(ids.shape[1], device=ids.device)
        rotation = _rotation(places[None], self.spec.hidden // self.spec.heads, self.spec.rope_theta)
        return self.model(ids, rotation, _mask(places, segments, self.spec.window))

    def packed(self) -> Packed:
        """The network as it is now, for writing; see `starcoder2_reading.py`."""
        from minisc.model.starcoder2_reading import Packed

        return Packed(self)

    def loss(self, ids: Tensor, targets: Tensor, segments: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, and how many targets (not -100) it is over; both scalars on the device."""
        hidden = self.hidden(ids, segments).flatten(0, 1)  # [B*T, H]
        return summed_nll(hidden, self.model.embed_tokens.weight, targets.flatten()), (targets != -100).sum()


class _Decoder(nn.Module):
    def __init__(self, spec: Starcoder2, vocab_size: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, spec.hidden)
        self.layers = nn.ModuleList(_Block(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)

    def forward(self, ids: Tensor, rotation: Rotation, mask: Tensor | None) -> Tensor:
        x = self.embed_tokens(ids)  # [B, T, H]
        for block in self.layers:
            x = block(x, rotation, mask)
        return self.norm(x)


class _Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, spec: Starcoder2) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)
        self.self_attn = _Attention(spec)
        self.post_attention_layernorm = nn.LayerNorm(spec.hidden, eps=spec.norm_eps)
        self.mlp = _MLP(spec)

    def forward(self, x: Tensor, rotation: Rotation, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotation, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class _Attention(nn.Module):
    """Grouped-query attention: N / K query heads share one key-value head."""

    def __init__(self, spec: Starcoder2) -> None:
        super().__init__()
        self.heads, self.kv_heads = spec.heads, spec.kv_heads
        head = spec.hidden // spec.heads
        self.q_proj = nn.Linear(spec.hidden, spec.heads * head)
        self.k_proj = nn.Linear(spec.hidden, spec.kv_heads * head)
        self.v_proj = nn.Linear(spec.hidden, spec.kv_heads * head)
        self.o_proj = nn.Linear(spec.heads * head, spec.hidden)

    def forward(self, x: Tensor, rotation: Rotation, mask: Tensor | None) -> Tensor:
        B, T, H = x.shape
        q = self.q_proj(x).view(B, T, self.heads, -1).transpose(1, 2)  # [B, N, T, D]
        k = self.k_proj(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # [B, K, T, D]
        v = self.v_proj(x).view(B, T, self.kv_heads, -1).transpose(1, 2)  # [B, K, T, D]
        q, k = _rotate(q, rotation), _rotate(k, rotation)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=self.heads != self.kv_heads)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, H))


class _MLP(nn.Module):
    def __init__(self, spec: Starcoder2) -> None:
        super().__init__()
        self.c_fc = nn.Linear(spec.hidden, spec.mlp_ratio * spec.hidden)
        self.c_proj = nn.Linear(spec.mlp_ratio * spec.hidden, spec.hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))  # [B, T, H] -> [B, T, 4H] -> [B, T, H]


def _mask(places: Tensor, segments: Tensor | None, window: int | None) -> Tensor | None:
    """Who sees whom, [B or 1, 1, T, T]; None: every token sees all before it. A query at q sees the keys q - window < k <= q."""
    T = places.shape[0]
    if segments is None and (window is None or window >= T):
        return None
    q, k = places[:, None], places[None]  # [T, 1], [1, T]
    seen = (k <= q)[None]  # [1, T, T]
    if window is not None:
        seen = seen & (k > q - window)
    if segments is not None:
        seen = seen & (segments[:, :, None] == segments[:, None, :])
    return seen[:, None]


def _rotation(positions: Tensor, head: int, theta: float) -> Rotation:
    """cos and sin [1, 1, T, D/2] of position times frequency theta^(-2i/D)."""
    frequencies = 1.0 / theta ** (torch.arange(0, head, 2, device=positions.device, dtype=torch.float32) / head)  # [D/2]
    angles = positions.float()[:, None, :, None] * frequencies
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn the pairs (i, i + D/2) of each head [B, N, T, D] by their angles: the split form."""
    cos, sin = rotation[0].to(x.dtype), rotation[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
