"""A model and prompts to texts: batched, with a KV cache, the same texts whatever the batch.

In: prompts and `Sampling`. Out: a `Completion` for each, in their order. Prompts are sorted by length, cut into batches of
`rows`, padded on the left; a row that has ended leaves its batch, so the last long text does not pay for the others. The
weights are packed for writing once, when the generator is made: what is done to the module afterwards is not seen.
Guarantees: a prompt's random numbers are its own (see `sampling`), its positions count from its first token, and padding is
seen by nobody; so batch size and order change logits by rounding only. On a CPU in fp32 the ids are the same by test.
Context: a text ends with "context" when it has filled the model's positions; a longer prompt is refused or cut, as
`Sampling.long_prompt` says, never silently.
Rejected: one bucket per exact length (no padding, but with mixed prompts most batches hold one row); admitting new rows
into a running batch (worth it for a server; here the sorted batches are nearly even).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from minisc.core.errors import UserError
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Chooser, Sampling
from minisc.generation.writing import Writing

if TYPE_CHECKING:
    from minisc.tokenizer.base import Tokenizer

# A new file, a new repository, a hole elsewhere: nothing after these belongs to the text. Placeholders such as <EMAIL> do.
ENDS = ("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
ROWS = 32  # of a batch: changes speed and memory
# Parameters below which a CPU writes with one thread: a step is a hundred products of some 20 microseconds, and threads that
# meet after each lose more than they save (6.1M parameters: 2.5 ms a step with one; with two 2.6 ms at rest, 36 ms beside others).
ONE_THREAD = 32_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """`tokens` are those of the text (and of the stop string that ended it), without the special token at the end."""

    text: str
    finish_reason: str  # end: a special token; stop: a stop string; length: max_new_tokens; context: no positions left
    tokens: tuple[int, ...]
    ended_by: str = ""
    prompt_tokens: int = 0
    cut_tokens: int = 0  # of the prompt, see Sampling.long_prompt


class Reading(Protocol):
    """One batch of texts, read as they grow."""

    def read(self, ids: Tensor) -> Tensor: ...  # [B, T] -> logits [B, V] of the next token
    def keep(self, rows: Tensor) -> None: ...


class Packed(Protocol):
    """A network's weights, laid out for writing."""

    def open(self, pads: Tensor | None) -> Reading: ...  # [B]: ids of padding at the left


class Network(Protocol):
    """What generation needs of a network."""

    spec: Any  # max_positions
    vocab_size: int

    def packed(self) -> Packed: ...


@dataclass(slots=True)
class _Row:
    at: int  # the prompt's place in the list
    key: int
    ids: list[int]
    cut: int
    writing: Writing


class Generator:
    """Completes prompts with one network and its tokenizer. Not for use by several threads at once."""

    def __init__(self, module: nn.Module, tokenizer: Tokenizer, *, rows: int = ROWS) -> None:
        network = cast(Network, module)
        self._tokenizer = tokenizer
        self._rows = rows
        self._device = next(module.parameters()).device
        self._positions = int(network.spec.max_positions)
        self._ends = {tokenizer.special[name]: name for name in ENDS}
        if network.vocab_size < tokenizer.vocab_size:
            raise UserError(
                f"the tokenizer does not fit the model: it has {tokenizer.vocab_size:,} tokens, the model knows {network.vocab_size:,}",
                where=str(tokenizer.path),
                do="name the tokenizer that the model was trained with: inputs.tokenizer=<artifact>",
            )
        self._packed = network.packed()
        self._alone = self._device.type == "cpu" and sum(one.numel() for one in module.parameters()) < ONE_THREAD

    def complete(self, prompts: Sequence[Prompt], settings: Sampling) -> list[Completion]:
        """One completion a prompt, in order. Raises UserError for a prompt that does not fit, before anything is generated."""
        rows = [self._row(at, prompt, settings) for at, prompt in enumerate(prompts)]
        ordered = sorted(rows, key=lambda row: (len(row.ids), row.at))
        for start in range(0, len(ordered), self._rows):
            for _ in self._steps(ordered[start : start + self._rows], settings):
                pass
        return [_completion(row) for row in rows]

    def stream(self, prompt: Prompt, settings: Sampling) -> Iterator[str | Completion]:
        """Pieces of one text as they come, then its Completion: the same as `complete([prompt])` gives."""
        row = self._row(0, prompt, settings)
        for _ in self._steps([row], settings):
            if piece := row.writing.fresh():
                yield piece
        yield _completion(row)

    def _row(self, at: int, prompt: Prompt, settings: Sampling) -> _Row:
        room = self._positions - 1
        cut = settings.long_prompt == "cut"
        if cut:
            room = self._positions - min(settings.max_new_tokens, self._positions // 2)
        encoded = encode(prompt, self._tokenizer, room, cut=cut)
        context = self._positions - len(encoded.ids)
        writing = Writing(stop=settings.stop, ends=self._ends, limit=settings.max_new_tokens, context=context)
        return _Row(at, at if prompt.key is None else prompt.key, encoded.ids, encoded.cut, writing)

    def _steps(self, rows: list[_Row], settings: Sampling) -> Iterator[None]:
        """Write all rows to their ends; yields after each token."""
        ids, pads = self._padded(rows)
        reading = self._packed.open(pads)
        chooser = Chooser(settings, [row.ids for row in rows], [row.key for row in rows], self._tokenizer.vocab_size, self._device)
        while rows:
            with torch.inference_mode(), _threads(1 if self._alone else None):
                logits = reading.read(ids)[:, : self._tokenizer.vocab_size]  # an imported model's may be padded
                chosen = chooser.choose(logits.float())  # [B]
                told = chosen.tolist()
                for row, token in zip(rows, told, strict=True):
                    row.writing.take(token, self._tokenizer.decode_bytes([token]))
                alive = [at for at, row in enumerate(rows) if not row.writing.ending]
                ids = chosen[:, None]
                if 0 < len(alive) < len(rows):
                    kept = torch.tensor(alive, device=self._device)
                    ids = ids[kept]
                    reading.keep(kept)
                    chooser.select(alive)
            yield
            rows = [rows[at] for at in alive]

    def _padded(self, rows: Sequence[_Row]) -> tuple[Tensor, Tensor | None]:
        """Ids [B, T], and how many of each row's are padding [B]; None when all rows are equally long."""
        longest = max(len(row.ids) for row in rows)
        pads = [longest - len(row.ids) for row in rows]
        ids = torch.tensor([[self._tokenizer.eot] * pad + row.ids for pad, row in zip(pads, rows, strict=True)], device=self._device)
        return ids, torch.tensor(pads, device=self._device) if any(pads) else None


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let torch work with so many threads meanwhile; None: as many as it has."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _completion(row: _Row) -> Completion:
    writing = row.writing
    return Completion(
        text=writing.text, finish_reason=writing.ending, tokens=tuple(writing.tokens), ended_by=writing.ended_by,
        prompt_tokens=len(row.ids), cut_tokens=row.cut,
    )  # fmt: skip
