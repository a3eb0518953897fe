"""Which windows a rank reads for which micro batch: integers only, no state.

In: the windows (`batch(first_index, count)`, a pure function) and a `Plan`. Out: micro batches as tensors, in order.
Window i of step s is number s * W + i. A rank takes a contiguous share of a step's W windows, a micro batch a contiguous
share of that; so a run resumes from one integer, and another number of ranks or another micro batch reads the same windows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from minisc.core.errors import UserError

Batch = dict[str, torch.Tensor]


class Windows(Protocol):
    """Training windows by number: ids, targets (-100 is outside the loss) and segments, each int32 [count, T]."""

    def batch(self, first_index: int, count: int) -> Mapping[str, np.ndarray[Any, Any]]: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a budget of tokens is cut."""

    seq_len: int
    windows: int  # a step, all ranks together
    steps: int
    micro_batches: int  # a step and rank
    ranks: int = 1
    repeat: int = 0  # the windows of so many steps again and again; 0: never
    vocab_size: int

    @property
    def tokens_per_step(self) -> int:
        return self.windows * self.seq_len

    def share(self, index: int, rank: int) -> tuple[int, int]:
        """(first window, how many) of micro batch `index`, counted over the whole run; shares differ by one window at most."""
        step, micro = divmod(index, self.micro_batches)
        step = step % self.repeat if self.repeat else step
        mine = self.windows // self.ranks
        start, end = micro * mine // self.micro_batches, (micro + 1) * mine // self.micro_batches
        return step * self.windows + rank * mine + start, end - start


def plan(*, seq_len: int, batch_tokens: int, budget_tokens: int, micro_batch: int, ranks: int, vocab_size: int, repeat: int = 0) -> Plan:
    """`micro_batch`: windows at a time, at most. A step has as many whole windows as `batch_tokens` holds, one at least."""
    windows = max(1, batch_tokens // seq_len)
    if windows % ranks:
        what = f"a step of {windows} windows of {seq_len} tokens cannot be divided among {ranks} devices"
        raise UserError(
            what, where=f"trainer.batch_tokens={batch_tokens}", do=f"trainer.batch_tokens={math.ceil(windows / ranks) * ranks * seq_len}"
        )
    steps = math.ceil(budget_tokens / (windows * seq_len))
    micro_batches = math.ceil(windows // ranks / micro_batch)
    return Plan(
        seq_len=seq_len, windows=windows, steps=steps, micro_batches=micro_batches, ranks=ranks, vocab_size=vocab_size, repeat=repeat
    )


class MicroBatches(Dataset[Batch]):
    """Micro batch `index` of the run, for one rank."""

    def __init__(self, windows: Windows, plan: Plan, rank: int) -> None:
        self._windows, self._plan, self._rank = windows, plan, rank

    def __getitem__(self, index: int) -> Batch:
        arrays = self._windows.batch(*self._plan.share(index, self._rank))
        top = int(arrays["ids"].max())
        if top >= self._plan.vocab_size:
            what = f"token id {top} lies outside the model's vocabulary of {self._plan.vocab_size}: the tokens were made with another tokenizer"
            raise UserError(what, where="inputs.tokens", do="pack the documents with the model's own tokenizer")
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


class Loader:
    """Micro batches from `first_step` on, with the seconds that training waited for them."""

    def __init__(self, windows: Windows, plan: Plan, *, first_step: int, rank: int, workers: int, pinned: bool) -> None:
        order = range(first_step * plan.micro_batches, plan.steps * plan.micro_batches)
        data = MicroBatches(windows, plan, rank)
        self._loader = DataLoader(data, batch_size=None, sampler=order, num_workers=workers, pin_memory=pinned)  # type: ignore[arg-type]
        self._length = len(order)
        self.waited = 0.0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self._loader)
        while True:
            begin = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - begin
            if batch is None:
                return
            yield batch
