"""StarCoder2 read token by token: the arithmetic of `starcoder2_module.py`, laid out for speed when texts are written.

    B texts   T tokens read now   S slots to attend to   H hidden   N query heads   K key-value heads   D H / N   V vocabulary

In: ids [B, T], texts padded on the left. Out: logits [B, V] of each text's next token. `Packed` holds the weights once more,
`Reading` the keys and values of one batch. What differs from the module, which a test holds it to:

* q, k and v are one product. A step reads all weights to multiply a few rows by them: they lie as [in, out], which is the
  faster way round for one row (1.6 ms a step instead of 2.2), and in fp32 on a CPU also packed by oneDNN, as torch.compile
  does it, for several (8 rows: 2.9 ms instead of 4.6);
* the pairs (i, i + D/2) of a head, which rotary positions turn, stand side by side, so a turn is one product of complex
  numbers; q and k are permuted alike, hence their products are the same;
* texts share slots, so their positions differ by their padding alone: a window is a slice, and texts of one length need no mask;
* buffers grow by doubling, and with a window what nobody can see any more is dropped once in a while.

Price: a second copy of the weights, on a CPU a third; what is done to the module afterwards is not seen here; torch's names
for oneDNN's products are private, so a test holds both ways to the module. Not for training. Measured: `recipes/README.md`.
Rejected: torch.compile (needs a compiler), a frozen graph (`torch.jit` is deprecated), attention as plain products and oneDNN
adding the residual (no faster).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from minisc.model.starcoder2 import Starcoder2
    from minisc.model.starcoder2_module import Starcoder2Module


class _Norm(NamedTuple):
    weight: Tensor  # [H]
    bias: Tensor  # [H]


class _Product(NamedTuple):
    weight: Tensor  # [in, out]
    bias: Tensor  # [out]
    packed: Tensor | None  # the weight once more, packed by oneDNN, which is slower for one row and faster for several

    def of(self, x: Tensor) -> Tensor:
        """x [rows, in] times the weight, [rows, out]."""
        if self.packed is None or len(x) == 1:
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
            self.layers = [self._layer(state, f"model.layers.{index}") for index in range(self.spec.layers)]

    def open(self, pads: Tensor | None = None) -> Reading:
        """Begin a batch; `pads` [B]: how many of a text's first ids are padding, None where no text has any."""
        return Reading(self, pads)

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

    def __init__(self, packed: Packed, pads: Tensor | None) -> None:
        spec, self._packed, self._pads = packed.spec, packed, pads
        head = spec.hidden // spec.heads
        exponents = torch.arange(0, head, 2, device=packed.embedding.device, dtype=torch.float32) / head
        self._frequencies = 1.0 / spec.rope_theta**exponents  # [D/2]
        self._keys: list[Tensor] = []  # one a layer, [B, K, capacity, D]
        self._values: list[Tensor] = []
        self._used = 0  # slots
        self._gone = 0  # slots that were dropped before the first

    def read(self, ids: Tensor) -> Tensor:
        """Logits [B, V] after the ids [B, T], which go on where the last call ended."""
        packed, eps = self._packed, self._packed.spec.norm_eps
        B, T = ids.shape
        turn, mask = self._turn(T), self._mask(T)
        x = F.embedding(ids.flatten(), packed.embedding)  # [B*T, H]
        for index, layer in enumerate(packed.layers):
            h = F.layer_norm(x, layer.norm.weight.shape, *layer.norm, eps)
            x = x + layer.out.of(self._attention(index, layer.qkv.of(h).view(B, T, -1), turn, mask))
            h = F.layer_norm(x, layer.mlp_norm.weight.shape, *layer.mlp_norm, eps)
            x = x + layer.down.of(F.gelu(layer.up.of(h), approximate="tanh"))  # [B*T, H] -> [B*T, 4H] -> [B*T, H]
        self._used += T
        last = x.view(B, T, -1)[:, -1]  # [B, H]
        return packed.unembedding.of(F.layer_norm(last, packed.norm.weight.shape, *packed.norm, eps))

    def keep(self, rows: Tensor) -> None:
        """Go on with these texts only, in this order."""
        self._pads = self._pads[rows] if self._pads is not None else None
        self._keys, self._values = [k[rows] for k in self._keys], [v[rows] for v in self._values]

    def _attention(self, index: int, qkv: Tensor, turn: Tensor, mask: Tensor | None) -> Tensor:
        spec = self._packed.spec
        B, T, _ = qkv.shape
        N, K, D = spec.heads, spec.kv_heads, spec.hidden // spec.heads
        heads = qkv.view(B, T, N + 2 * K, D)
        turned = torch.view_as_complex(heads[:, :, : N + K].float().view(B, T, N + K, D // 2, 2)) * turn
        qk = torch.view_as_real(turned).view(B, T, N + K, D).to(qkv.dtype).transpose(1, 2)  # [B, N + K, T, D]
        k, v = self._extended(index, qk[:, N:], heads[:, :, N + K :].transpose(1, 2))  # [B, K, S, D]
        q = qk[:, :N]
        if T == 1:  # the query heads of a group are read as if they were tokens
            first = 0 if spec.window is None else max(0, k.shape[2] - spec.window)
            y = F.scaled_dot_product_attention(q.reshape(B, K, N // K, D), k[:, :, first:], v[:, :, first:], attn_mask=mask)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=N != K).transpose(1, 2)
        return y.reshape(B * T, N * D)

    def _turn(self, T: int) -> Tensor:
        """cos + i sin of position times frequency, [B or 1, T, 1, D/2], complex."""
        self._forget()
        start = self._gone + self._used
        slots = torch.arange(start, start + T, device=self._frequencies.device)[None]  # [1, T]
        places = slots if self._pads is None else (slots - self._pads[:, None]).clamp(min=0)
        angles = places.float()[:, :, None, None] * self._frequencies
        return torch.polar(torch.ones_like(angles), angles)

    def _mask(self, T: int) -> Tensor | None:
        """Which slots each token sees, [B or 1, 1, T, S]; None where all see all before them."""
        S, window = self._used + T, self._packed.spec.window
        if T == 1 and self._pads is None:
            return None
        device = self._frequencies.device
        slots = torch.arange(S, device=device)  # [S]
        real = slots[None] + self._gone >= self._pads[:, None] if self._pads is not None else None  # [B, S]
        if T == 1:
            assert real is not None, "texts without padding need no mask for one token"
            return real[:, None, None, max(0, S - window) if window is not None else 0 :]
        if real is None and self._used == 0 and (window is None or window >= T):
            return None
        own = slots[self._used :, None]  # [T, 1]
        seen = slots[None] <= own  # [T, S]
        if window is not None:
            seen = seen & (slots[None] > own - window)
        if real is None:
            return seen[None, None]
        return (seen[None] & real[:, None] | (slots[None] == own))[:, None]  # padding sees itself: a row of nothing would be NaN

    def _extended(self, index: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Put k and v [B, K, T, D] into the next slots; all keys and values of the layer, [B, K, S, D]."""
        end = self._used + k.shape[2]
        for kept, new in ((self._keys, k), (self._values, v)):
            if len(kept) <= index:
                kept.append(_room(new, new.shape[2] + FIRST_ROOM))
            elif kept[index].shape[2] < end:
                kept[index] = _room(kept[index], 2 * end)
            kept[index][:, :, self._used : end] = new
        return self._keys[index][:, :, :end], self._values[index][:, :, :end]

    def _forget(self) -> None:
        """Drop the slots that no window reaches any more, when they are more than half."""
        window = self._packed.spec.window
        if window is None or self._used <= 2 * window:
            return
        drop = self._used - window
        self._keys, self._values = ([one[:, :, drop : self._used].clone() for one in kept] for kept in (self._keys, self._values))
        self._used, self._gone = window, self._gone + drop


FIRST_ROOM = 64  # slots beyond the prompt


def _room(held: Tensor, slots: int) -> Tensor:
    """`held` [B, K, used, D] at the beginning of a buffer of `slots`; the rest is not written yet."""
    roomy = held.new_empty(held.shape[0], held.shape[1], slots, held.shape[3])
    roomy[:, :, : held.shape[2]] = held
    return roomy


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
    return _Product(weight.t().contiguous(), bias.clone(), packed)
