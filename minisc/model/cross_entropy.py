"""Cross-entropy of a large vocabulary without its logits.

In: hidden states [N, H], the output matrix [V, H], targets [N]. Out: the summed negative log-likelihood in nats.
Guarantees: never more than `CHUNK_BYTES` of fp32 logits at once, whatever N and V are (64 x 2048 tokens at V = 49,152 would be
25 GB in fp32); the value and both gradients are those of `torch.nn.functional.cross_entropy` to rounding (a test).
Method: the gradient of the loss is softmax(logits) - onehot(target), which is known as soon as the logits are; so it is
multiplied back to the two inputs while the chunk is at hand, and nothing is computed twice. Price: the gradients are held
from the forward pass on, [N, H] and [V, H]. The same idea as in arXiv 2410.10989 (Liger kernels), in plain PyTorch.
Rejected: `torch.utils.checkpoint` over chunks (computes the logits twice; the head is up to half of a small model).
Precision: the matrix products run in the autocast type when autocast is on, everything between them in fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# By device: a CPU wants the chunk in its caches, a GPU wants matrices large enough to fill it. Changes the result only to rounding.
CHUNK_BYTES = {"cpu": 8 * 1024**2}
CHUNK_BYTES_ELSEWHERE = 512 * 1024**2
IGNORE = -100  # the target of a position outside the loss


def summed_nll(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Scalar fp32: the sum of -log p(target) over the positions whose target is not -100."""
    if torch.is_autocast_enabled(hidden.device.type):
        dtype = torch.get_autocast_dtype(hidden.device.type)
        hidden, weight = hidden.to(dtype), weight.to(dtype)  # differentiable: the gradients come back in the original types
    rows = max(1, CHUNK_BYTES.get(hidden.device.type, CHUNK_BYTES_ELSEWHERE) // (4 * weight.shape[0]))
    return _SummedNLL.apply(hidden, weight, targets, rows)


class _SummedNLL(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, rows: int) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        to_hidden = torch.empty_like(hidden) if wanted else None
        to_weight = torch.zeros_like(weight, dtype=torch.float32) if wanted else None
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(hidden), rows):
                part = slice(start, start + rows)
                nll, back = _chunk(hidden[part], weight, targets[part])
                total += nll
                if to_hidden is not None and to_weight is not None:
                    to_hidden[part] = back @ weight  # [n, V] @ [V, H]
                    to_weight += back.T @ hidden[part]  # [V, n] @ [n, H]
        if wanted:
            ctx.save_for_backward(to_hidden, to_weight)
            ctx.dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        to_hidden, to_weight = ctx.saved_tensors
        return to_hidden * grad.to(to_hidden.dtype), (to_weight * grad).to(ctx.dtype), None, None


def _chunk(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The chunk's summed loss, and its gradient by the logits [n, V] in the type of `hidden`."""
    inside = targets != IGNORE
    at = targets.long().where(inside, 0)[:, None]  # [n, 1]
    logs = torch.log_softmax(hidden @ weight.T, dim=-1, dtype=torch.float32)  # [n, V]
    nll = -(logs.gather(1, at)[:, 0] * inside).sum()
    back = logs.exp_()  # softmax, in place of its logarithm
    back.scatter_add_(1, at, back.new_full(at.shape, -1.0))
    return nll, (back * inside[:, None]).to(hidden.dtype)
