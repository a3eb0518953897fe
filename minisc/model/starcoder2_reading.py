"""StarCoder2 read token by token: the arithmetic of `starcoder2_module.py`, laid out for speed when texts are written.

    B texts   n tokens read now   T the most of one text   H hidden   N query heads   K key-value heads   D H / N   V vocabulary

In: ids [n], those of each text one after another. Out: logits of the token after each. `Packed` holds the weights once more,
`Reading` a batch, whose keys and values lie in a `kv_cache.Cache`. What differs from the module, which a test holds it to:

* q, k and v are one product. A step reads all weights to multiply a few rows by them. In fp32 on a CPU they are packed by oneDNN, as
  torch.compile does it (6.1M parameters: 6 rows 1.5 ms, 8 rows 2.1, 32 rows 4.7, where `F.linear` takes 3.7, 3.9, 7.3); for one row
  they also lie as [in, out], which is faster still unless the product narrows (256 to 1024: 39 us, packed 57; 1024 to 256: 107, packed 53);
* products are of the n tokens that there are, not of a padded [B, T]: texts may go on by different counts;
* the pairs (i, i + D/2) of a head, which rotary positions turn, stand side by side, so a turn is one product of complex
  numbers; q and k are permuted alike, hence their products are the same.

Guarantees: how a text is cut into calls, and which texts stand beside it, changes its logits by rounding only.
Price: a second copy of the weights, on a CPU most of a third; what is done to the module afterwards is not seen here; torch's names
for oneDNN's products are private, so a test holds both ways to the module. Not for training. Measured: `recipes/README.md`.
Rejected: torch.compile (needs a compiler), a frozen graph (`torch.jit` is deprecated), attention as plain products and oneDNN
adding the residual (no faster).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from minisc.model.kv_cache import Cache, Places

if TYPE_CHECKING:
    from minisc.model.starcoder2 import Starcoder2
    from minisc.model.starcoder2_module import Starcoder2Module


class _Norm(NamedTuple):
    weight: Tensor  # [H]
    bias: Tensor  # [H]


class _Product(NamedTuple):
    bias: Tensor  # [out]
    weight: Tensor | None  # [in, out], for what `packed` is slower at: one row of a product that is not narrower than its input
    packed: Tensor | None  # packed by oneDNN

    def of(self, x: Tensor) -> Tensor:
        """x [rows, in] times the weight, [rows, out]."""
        if self.weight is not None and (self.packed is None or len(x) == 1):
            return torch.addmm(self.bias, x, self.weight)
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")


class _Layer(NamedTuple):
    norm: _Norm
    qkv: _Product  # out: (N + 2 K) * D
    out: _Product
    mlp_norm: _Norm
    up: _Product
    down: _Product


class Packed:
    """A snapshot of a network's weights, in their type and on their device."""

    def __init__(self, module: Starcoder2Module) -> None:
        self.spec: Starcoder2 = module.spec
        state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
        with torch.inference_mode():
            self.embedding = state["model.embed_tokens.weight"].clone()  # [V, H]
            self.unembedding = _packed(self.embedding, self.embedding.new_zeros(len(self.embedding)))  # out: V
            self.norm = _norm(state, "model.norm")
            self._turns = _turns(self.spec, self.embedding.device)
            self.layers = [self._layer(state, f"model.layers.{index}") for index in range(self.spec.layers)]

    def open(self, texts: int) -> Reading:
        """Begin a batch of so many texts."""
        return Reading(self, texts)

    def turns(self, positions: Tensor) -> Tensor:
        """cos + i sin of position times frequency, [n, 1, D/2], complex, for positions [n] below the spec's `max_positions`."""
        return self._turns.index_select(0, positions)

    def _layer(self, state: dict[str, Tensor], name: str) -> _Layer:
        def product(part: str) -> _Product:
            return _packed(state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"])

        def joint(kind: str) -> Tensor:
            q, k, v = (state[f"{name}.self_attn.{part}_proj.{kind}"] for part in "qkv")
            return torch.cat([_paired(q, self.spec.heads), _paired(k, self.spec.kv_heads), v])

        return _Layer(
            _norm(state, f"{name}.input_layernorm"), _packed(joint("weight"), joint("bias")), product("self_attn.o_proj"),
            _norm(state, f"{name}.post_attention_layernorm"), product("mlp.c_fc"), product("mlp.c_proj"),
        )  # fmt: skip


class Reading:
    """One batch of texts, and what was read of them. To be used under `torch.inference_mode()`."""

    def __init__(self, packed: Packed, texts: int) -> None:
        spec, self._packed = packed.spec, packed
        head = spec.hidden // spec.heads
        self._cache = Cache(
            texts=texts, layers=spec.layers, kv_heads=spec.kv_heads, group=spec.heads // spec.kv_heads, head=head, window=spec.window,
            like=packed.embedding,
        )  # fmt: skip

    def read(self, ids: Tensor, counts: Sequence[int], only: Tensor | None = None) -> Tensor:
        """Logits [n, V] after each of the ids [n]: counts[b] of text b, text after text. `only` [m]: of these ids alone, [m, V]."""
        packed, eps = self._packed, self._packed.spec.norm_eps
        places = self._cache.open(counts)
        turn = packed.turns(places.positions)
        x = F.embedding(ids, packed.embedding)  # [n, H]
        for index, layer in enumerate(packed.layers):
            h = F.layer_norm(x, layer.norm.weight.shape, *layer.norm, eps)
            x += layer.out.of(self._attention(index, layer.qkv.of(h), turn, places))
            h = F.layer_norm(x, layer.mlp_norm.weight.shape, *layer.mlp_norm, eps)
            x += layer.down.of(F.gelu(layer.up.of(h), approximate="tanh"))  # [n, H] -> [n, 4H] -> [n, H]
        last = x if only is None else x[only]
        return packed.unembedding.of(F.layer_norm(last, packed.norm.weight.shape, *packed.norm, eps))

    def back(self, counts: Sequence[int]) -> None:
        """Take back the last so many ids of each text, of those that the last call read."""
        self._cache.back(counts)

    def keep(self, texts: Sequence[int]) -> None:
        """Go on with these texts only, in this order."""
        self._cache.keep(texts)

    def _attention(self, index: int, qkv: Tensor, turn: Tensor, places: Places) -> Tensor:
        """[n, (N + 2 K) * D] -> [n, N * D]."""
        spec = self._packed.spec
        B, T, N, K, D = places.texts, places.most, spec.heads, spec.kv_heads, spec.hidden // spec.heads
        turned = qkv[:, : (N + K) * D].float()  # in fp32 no copy: the turn is done in place
        torch.view_as_complex(turned.view(-1, N + K, D // 2, 2)).mul_(turn)
        q = turned[:, : N * D].to(qkv.dtype)
        if turned.dtype != qkv.dtype:
            qkv[:, : (N + K) * D] = turned
        k, v = self._cache.extend(index, qkv[:, N * D :].view(-1, 2 * K, D), places)  # [B, K, S, D]
        if places.grid is not None:
            q = q.index_select(0, places.grid)  # [B * T, N * D]
        if places.fresh:
            q = q.view(B, T, N, D).transpose(1, 2)  # [B, N, T, D]
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=places.mask, is_causal=places.mask is None, enable_gqa=N != K).transpose(
                1, 2
            )
        else:  # the query heads of a group are read as if they were tokens
            q = q.view(B, T, K, N // K, D).transpose(1, 2).reshape(B, K, T * (N // K), D)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=places.mask).view(B, K, T, N // K, D).transpose(1, 2)
        y = y.reshape(B * T, N * D)
        return y if places.back is None else y.index_select(0, places.back)


def _turns(spec: Starcoder2, device: torch.device) -> Tensor:
    """[max_positions, 1, D/2], complex."""
    head = spec.hidden // spec.heads
    frequencies = 1.0 / spec.rope_theta ** (torch.arange(0, head, 2, device=device, dtype=torch.float32) / head)  # [D/2]
    angles = torch.arange(spec.max_positions, device=device).float()[:, None, None] * frequencies
    return torch.polar(torch.ones_like(angles), angles)


def _norm(state: dict[str, Tensor], name: str) -> _Norm:
    return _Norm(state[f"{name}.weight"].clone(), state[f"{name}.bias"].clone())


def _paired(rows: Tensor, heads: int) -> Tensor:
    """The rows [heads * D, ...] of each head in the order 0, D/2, 1, D/2 + 1, …"""
    return rows.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _packed(weight: Tensor, bias: Tensor) -> _Product:
    """A product with `weight` [out, in], as the device does it fastest."""
    kind, packed = (weight.device.type, weight.dtype), None
    if kind == ("cpu", torch.float32) and torch.backends.mkldnn.is_available():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    plain = packed is None or weight.shape[0] >= weight.shape[1]
    return _Product(bias.clone(), weight.t().contiguous() if plain else None, packed)
