"""A model and prompts to texts: batched, with a KV cache, the same texts whatever the batch.

In: prompts and `Sampling`. Out: a `Completion` for each, in their order. Prompts are sorted by length and cut into batches of
`rows`; a row that has ended leaves its batch, so the last long text does not pay for the others. The weights are packed for
writing once, when the generator is made: what is done to the module afterwards is not seen.
Several tokens at once: where a text repeats itself, an `Echo` guesses how it goes on, and the model reads the guesses together
with the last token. A guess stands if it is what is chosen at its place anyway, greedily or by the place's own random number;
the first that is not is replaced by the choice, and what follows it is taken back. So guesses change the speed, not the text.
Guarantees: a prompt's random numbers are its own (see `sampling`), its positions count from its first token; so batch size,
order and guesses change logits by rounding only. On a CPU in fp32 the ids are the same by test.
Context: a text ends with "context" when it has filled the model's positions; a longer prompt is refused or cut, as
`Sampling.long_prompt` says, never silently.
Rejected: one bucket per exact length (with mixed prompts most batches hold one row); admitting new rows
into a running batch (worth it for a server; here the sorted batches are nearly even).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn

from minisc.core.errors import UserError
from minisc.generation.echo import Echo
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Chooser, Sampling
from minisc.generation.writing import Writing

if TYPE_CHECKING:
    from minisc.tokenizer.base import Tokenizer

# A new file, a new repository, a hole elsewhere: nothing after these belongs to the text. Placeholders such as <EMAIL> do.
ENDS = ("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
ROWS = 24  # of a batch: changes speed and memory (16 to 32 are within a tenth on a CPU; more wait for keys and values)
AT_ONCE = 96  # tokens read at once for all rows together, guesses included: changes speed
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

    # ids [n], counts[b] of text b, text after text -> logits [n, V] after each, or of `only` [m] of them
    def read(self, ids: Tensor, counts: Sequence[int], only: Tensor | None = None) -> Tensor: ...
    def back(self, counts: Sequence[int]) -> None: ...  # takes back the last so many ids of each text
    def keep(self, texts: Sequence[int]) -> None: ...


class Packed(Protocol):
    """A network's weights, laid out for writing."""

    def open(self, texts: int) -> Reading: ...


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
    echo: Echo
    room: int  # tokens that it may have at most

    def guess(self, most: int) -> list[int]:
        """What may come after the next token, none that would go beyond the end."""
        return self.echo.guess(min(most, self.room - len(self.writing.tokens) - 1))

    def take(self, chosen: Sequence[int], guessed: Sequence[int], raw: Callable[[int], bytes]) -> int:
        """Take the choices, one more than guesses, up to the first that was not guessed or ends the text; how many."""
        for taken, token in enumerate(chosen, 1):
            self.writing.take(token, raw(token))
            self.echo.take(token)
            if self.writing.ending or taken > len(guessed) or guessed[taken - 1] != token:
                return taken
        raise AssertionError("there is a choice after the last guess")


class Generator:
    """Completes prompts with one network and its tokenizer. Not for use by several threads at once."""

    def __init__(self, module: nn.Module, tokenizer: Tokenizer, *, rows: int = ROWS, at_once: int = AT_ONCE) -> None:
        network = cast(Network, module)
        self._tokenizer = tokenizer
        self._rows, self._at_once = rows, at_once
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
        room = min(settings.max_new_tokens, context)
        return _Row(at, at if prompt.key is None else prompt.key, encoded.ids, encoded.cut, writing, Echo(encoded.ids), room)

    def _steps(self, rows: list[_Row], settings: Sampling) -> Iterator[None]:
        """Write all rows to their ends; yields whenever each of them has got a token or more."""
        reading = self._packed.open(len(rows))
        chooser = Chooser(settings, [row.ids for row in rows], [row.key for row in rows], self._tokenizer.vocab_size, self._device)
        unread: list[list[int]] = [row.ids for row in rows]
        while rows:
            with torch.inference_mode(), _threads(1 if self._alone else None):
                most = 0 if chooser.one_by_one else self._at_once // len(rows) - 1
                guesses = [row.guess(most) for row in rows] if rows[0].writing.tokens else [[] for _ in rows]
                told = self._choices(reading, chooser, rows, unread, guesses)
                taken = [row.take(chosen, guessed, self._raw) for row, chosen, guessed in zip(rows, told, guesses, strict=True)]
                reading.back([len(guessed) + 1 - count for guessed, count in zip(guesses, taken, strict=True)])
                unread = [chosen[count - 1 : count] for chosen, count in zip(told, taken, strict=True)]
                alive = [at for at, row in enumerate(rows) if not row.writing.ending]
                if 0 < len(alive) < len(rows):
                    reading.keep(alive)
                    chooser.select(alive)
            yield
            rows, unread = [rows[at] for at in alive], [unread[at] for at in alive]

    def _choices(
        self, reading: Reading, chooser: Chooser, rows: Sequence[_Row], unread: Sequence[list[int]], guesses: Sequence[list[int]]
    ) -> list[list[int]]:
        """Read what each row has not read yet and its guesses; the choices after the last unread token and after each guess."""
        ids = [token for pair in zip(unread, guesses, strict=True) for part in pair for token in part]
        counts = [len(known) + len(guessed) for known, guessed in zip(unread, guesses, strict=True)]
        ends = list(accumulate(counts))
        asked = [
            (row, end - 1 - len(guessed) + at, at)
            for row, (end, guessed) in enumerate(zip(ends, guesses, strict=True))
            for at in range(len(guessed) + 1)
        ]
        only = torch.tensor([at for _, at, _ in asked], device=self._device) if len(asked) < len(ids) else None
        logits = reading.read(torch.tensor(ids, device=self._device), counts, only)[
            :, : self._tokenizer.vocab_size
        ]  # an imported model's may be padded
        places = [len(rows[row].writing.tokens) + more for row, _, more in asked]
        chosen = iter(chooser.choose(logits.float(), [row for row, _, _ in asked], places).tolist())
        return [list(islice(chosen, len(guessed) + 1)) for guessed in guesses]

    def _raw(self, token: int) -> bytes:
        return self._tokenizer.decode_bytes([token])


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
