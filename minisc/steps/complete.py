"""complete: a prompt in the terminal; the model goes on with what you type, letter by letter as it is found.

In: a model with its tokenizer, and a person (or lines from a pipe). Out: a `samples` artifact with all that was asked and
answered: samples.json, as `generate` writes it, so that a report shows the session. Every session is an artifact of its own.

    >>> def mean(values):          a line is sent as it is; one that ends in \\ goes on in the next
    >>> :lines                     several lines, up to an empty one
    >>> :fim                       code before a hole, then code after it
    >>> :temperature 0.8           also :top_k :top_p :repetition_penalty :max_new_tokens :seed
    >>> :quit                      or the end of the input

Ctrl-C ends a completion, not the session. Lines can be edited and called back (readline, where Python has it). What a model
writes is not trusted: control characters are shown by their code, so that it cannot drive the terminal.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Figures, Work
from minisc.core.errors import UserError, did_you_mean
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.core.unseen import made_visible

if TYPE_CHECKING:
    from minisc.generation.generator import Completion, Generator
    from minisc.generation.prompt import Prompt
    from minisc.generation.sampling import Sampling

NUMBERS: dict[str, type[int] | type[float]] = {
    "temperature": float, "top_k": int, "top_p": float, "repetition_penalty": float, "max_new_tokens": int, "seed": int,
}  # fmt: skip
COMMANDS = (*NUMBERS, "lines", "fim", "settings", "help", "quit")
HELP = """a line is sent as it is; end it with \\ to go on in the next
:lines  several lines, up to an empty one      :fim  code before a hole, then after it
:temperature 0.8  :top_k 0  :top_p 1  :repetition_penalty 1  :max_new_tokens 128  :seed 0
:settings  what is set      :quit  or Ctrl-D      Ctrl-C ends a completion"""


@dataclass(frozen=True, kw_only=True)
class Complete(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("samples",)
    needs: ClassVar[Mapping[str, Need]] = {"model": Need("model"), "tokenizer": Need("tokenizer")}

    max_new_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    seed: int

    def leaves(self, context: Context) -> Mapping[str, Any]:
        """What a person will type is not known before: each session has its own name."""
        return {"session": context.name}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return Cost(remark="interactive")

    def run(self, work: Work, inputs: Inputs) -> Figures:
        from minisc.generation.generator import Generator
        from minisc.generation.sampling import Sampling
        from minisc.model.base import load
        from minisc.tokenizer.base import Tokenizer

        settings = Sampling(**{name: getattr(self, name) for name in NUMBERS}, long_prompt="cut")
        for name in ("model.safetensors", "config.json"):
            inputs["model"].file(name)
        loaded = load(inputs["model"].path)
        tokenizer = Tokenizer.load(inputs["tokenizer"].file("tokenizer.json"))
        if sys.stdin.isatty():
            _editable()
        session = Session(Generator(loaded.module, tokenizer), settings, ask=input, show=_print)
        with _own_interrupts():
            session.talk()
        durable.write_json(work.path / "samples.json", session.samples)
        return {"completions": len(session.samples), "completion_tokens": session.tokens}


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt here, which ends a completion; elsewhere it ends the run.

    A run also listens for signals through Python's wake-up file, to end a process that does not end by itself: not in here.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal comes here
        yield
        return
    wakes, before = signal.set_wakeup_fd(-1), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)


def _editable() -> None:
    """Line editing and history of this session; without the module, the terminal's own."""
    try:
        import readline
    except ImportError:
        return
    readline.parse_and_bind("set enable-bracketed-paste off")  # pasted code comes as the lines that it is


class Session:
    """One conversation. `ask(prompt)` returns a line or raises EOFError; `show(text)` writes at once."""

    def __init__(self, generator: Generator, settings: Sampling, *, ask: Callable[[str], str], show: Callable[[str], None]) -> None:
        self._generator, self._settings = generator, settings
        self._ask, self._show = ask, show
        self.samples: list[dict[str, Any]] = []
        self.tokens = 0

    def talk(self) -> None:
        """Until :quit or the end of the input."""
        self._show("type code, :help for help, :quit to leave\n")
        while True:
            try:
                if not self._turn(self._ask(">>> ")):
                    return
            except EOFError:
                self._show("\n")
                return
            except KeyboardInterrupt:
                self._show("\n(:quit leaves)\n")
            except UserError as error:
                self._show(f"{error}\n")

    def _turn(self, line: str) -> bool:
        """One line from the person; False to leave."""
        from minisc.generation.prompt import Prompt

        if line.startswith(":"):
            return self._command(*line[1:].split(maxsplit=1))
        while line.endswith("\\"):
            line = line[:-1] + "\n" + self._ask("... ")
        if line.strip():
            self._answer(Prompt(text=line))
        return True

    def _command(self, name: str = "", value: str = "") -> bool:
        from minisc.generation.prompt import Prompt

        if name == "quit":
            return False
        if name == "help":
            self._show(HELP + "\n")
        elif name == "settings":
            self._show("  ".join(f"{key} {getattr(self._settings, key)}" for key in NUMBERS) + "\n")
        elif name == "lines":
            self._answer(Prompt(text=self._many("... ")))
        elif name == "fim":
            self._answer(Prompt(text=self._many("before> "), suffix=self._many("after>  ")))
        elif name in NUMBERS:
            self._set(name, value)
        else:
            raise UserError(f"there is no command :{name}", do=did_you_mean(name, COMMANDS))
        return True

    def _many(self, mark: str) -> str:
        """Lines up to an empty one, each with its line end."""
        lines = []
        while line := self._ask(mark):
            lines.append(line + "\n")
        return "".join(lines)

    def _set(self, name: str, value: str) -> None:
        try:
            changed: dict[str, Any] = {name: NUMBERS[name](value)}
        except ValueError as error:
            raise UserError(f"{value!r} is no number", where=f":{name} {value}", do=f":{name} {getattr(self._settings, name)}") from error
        self._settings = replace(self._settings, **changed)

    def _answer(self, prompt: Prompt) -> None:
        """Stream a completion, and keep it; what Ctrl-C left of one is kept as it is."""
        told: Completion | None = None
        pieces: list[str] = []
        # Each question has its own random numbers, so that asking again gives another answer.
        asked = replace(prompt, key=len(self.samples))
        try:
            for piece in self._generator.stream(asked, self._settings):
                if isinstance(piece, str):
                    pieces.append(piece)
                    self._show(made_visible(piece))
                else:
                    told = piece
        except KeyboardInterrupt:
            pass
        ending = told.finish_reason if told else "interrupted"
        cut = f", the prompt's first {told.cut_tokens} tokens left out" if told and told.cut_tokens else ""
        self._show(f"\n[{ending}{cut}]\n")
        self.tokens += len(told.tokens) if told else 0
        self.samples.append({
            "name": f"question {len(self.samples) + 1}", "prompt": prompt.text, "suffix": prompt.suffix,
            "completion": told.text if told else "".join(pieces), "finish_reason": ending,
            "settings": {key: getattr(self._settings, key) for key in NUMBERS},
        })  # fmt: skip
