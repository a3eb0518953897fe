"""A conversation in the terminal: what is typed, what is answered, what is kept."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minisc.core.artifact import Artifact
from minisc.core.errors import UserError
from minisc.core.step import Context
from minisc.core.unseen import made_visible
from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt
from minisc.generation.sampling import Sampling
from minisc.model.base import load
from minisc.steps.complete import COMMANDS, Complete, Session, _own_interrupts
from minisc.tokenizer.base import Tokenizer
from tests import made, road
from tests.ready import ready

SETTINGS: dict[str, Any] = {"max_new_tokens": 12, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, "seed": 0}
Road = tuple[dict[str, Artifact], Context]


@pytest.fixture(scope="module")
def generator(finished: Road) -> Generator:
    folder = finished[0]["pretrain"].path
    return Generator(load(folder).module, Tokenizer.load(folder))


def talk(generator: Generator, *lines: str) -> tuple[Session, str]:
    typed, shown = iter(lines), []
    session = Session(generator, Sampling(**SETTINGS), ask=_asked(typed), show=shown.append)
    session.talk()
    return session, "".join(shown)


def _asked(typed: Iterator[str]) -> Callable[[str], str]:
    def ask(mark: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    return ask


def test_what_is_shown_is_what_is_generated(generator: Generator) -> None:
    session, shown = talk(generator, "def f(", ":quit", "never asked")
    right = generator.complete([Prompt(text="def f(")], Sampling(**SETTINGS))[0]
    assert made_visible(right.text) in shown
    assert [(one["prompt"], one["completion"], one["finish_reason"]) for one in session.samples] == [
        ("def f(", right.text, right.finish_reason)
    ]
    assert session.tokens == len(right.tokens)


def test_a_hole_and_several_lines(generator: Generator) -> None:
    session, _ = talk(
        generator, ":fim", "def f(x):", "    y = 1", "", "    return y", "", ":lines", "a = 1", "b = 2", "", "x = \\", "    1"
    )
    assert [(one["prompt"], one["suffix"]) for one in session.samples] == [
        ("def f(x):\n    y = 1\n", "    return y\n"), ("a = 1\nb = 2\n", None), ("x = \n    1", None),
    ]  # fmt: skip
    hole = generator.complete([Prompt(text="def f(x):\n    y = 1\n", suffix="    return y\n")], Sampling(**SETTINGS))[0]
    assert session.samples[0]["completion"] == hole.text


def test_settings_are_changed_while_talking(generator: Generator) -> None:
    session, shown = talk(generator, ":temperature 0.8", ":max_new_tokens 3", ":settings", "x", "x")
    assert "temperature 0.8" in shown
    assert session.samples[0]["settings"]["temperature"] == 0.8
    drawn = [
        generator.complete([Prompt(text="x", key=key)], Sampling(**{**SETTINGS, "temperature": 0.8, "max_new_tokens": 3}))[0].text
        for key in (0, 1)
    ]
    assert [one["completion"] for one in session.samples] == drawn


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (":tempreature 1", "did you mean 'temperature'?"), (":temperature hot", "'hot' is no number"), (":top_p 2", "top_p lies above 0"),
        (":", "choose from"), (":seed 1.5", "'1.5' is no number"),
    ],
)  # fmt: skip
def test_mistakes_are_answered_and_forgiven(generator: Generator, typed: str, told: str) -> None:
    session, shown = talk(generator, typed, "x = ")
    assert told in shown
    assert len(session.samples) == 1


def test_an_interrupted_completion_is_kept_and_the_session_goes_on(generator: Generator) -> None:
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        if len(shown) == 3:
            raise KeyboardInterrupt

    session = Session(generator, Sampling(**SETTINGS), ask=_asked(iter(["def f(", "x = "])), show=show)
    session.talk()
    assert session.samples[0]["finish_reason"] == "interrupted"
    assert len(session.samples) == 2
    assert "".join(shown[1:3]) == session.samples[0]["completion"]


def test_help_names_every_command(generator: Generator) -> None:
    _, shown = talk(generator, ":help")
    assert all(f":{name}" in shown for name in COMMANDS if name != "help")


def test_a_model_cannot_drive_the_terminal() -> None:
    assert made_visible("a\x1b[2Jb\x00\t\n\r\u202e") == "a<U+001B>[2Jb<U+0000>\t\n<U+000D><U+202E>"


def test_ctrl_c_is_lent_for_a_conversation_and_given_back() -> None:
    """A run ends its process some seconds after a Ctrl-C, through the wake-up file: a conversation must not be ended so."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    wakes, handler = signal.set_wakeup_fd(theirs.fileno()), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _own_interrupts():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            ours.setblocking(False)
            with pytest.raises(BlockingIOError):
                ours.recv(1)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.set_wakeup_fd(-1) == theirs.fileno()
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(wakes)
        ours.close()
        theirs.close()


def test_bad_settings_are_found_before_a_question_is_asked(finished: Road, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="top_p lies above 0"):
        made.run({"complete": Complete(**{**SETTINGS, "top_p": 0.0})}, made.context(tmp_path), model=str(finished[0]["pretrain"].path))


@pytest.mark.system
def test_a_person_at_a_terminal(finished: Road, tmp_path: Path) -> None:
    """The real command line behind a pseudo-terminal: prompt, streamed answer, Ctrl-C while it writes, Ctrl-D, the kept session.

    Nothing here waits without an end: reading, typing and the program's own end have deadlines, and whatever happens the
    program is killed with all that it started.
    """
    words = [sys.executable, "-m", "minisc", "steps=[complete]", f"inputs.model={finished[0]['pretrain'].path}", f"out={tmp_path}"]
    with Screen([*words, "steps.complete.max_new_tokens=40"]) as screen:
        screen.until(">>> ")
        screen.type("def f(x)\x7f):\n")  # a key of line editing: rub out and type again
        screen.until(r"\[(length|end|context)[^\]]*\]\r\n>>> ")
        screen.type(":temperature 1\n")
        screen.until(">>> ")
        for attempt in range(8):  # a text may end by itself before the key arrives: then another is asked for
            screen.type(f":seed {attempt}\n")
            screen.until(">>> ")
            screen.type(":max_new_tokens 100000\n")
            screen.until(">>> ")
            screen.type("x = 1\n")
            screen.until("x = 1\r\n[^>]")
            screen.type("\x03")
            ended = screen.until(r"\[(interrupted|length|end|context)[^\]]*\]\r\n>>> |:quit leaves\)\r\n>>> ")
            if "interrupted" in ended:
                break
        else:
            raise AssertionError(f"Ctrl-C never met a completion: {screen.text[-2000:]!r}")
        screen.type(":max_new_tokens 8\n")
        screen.until(">>> ")
        screen.type(":fim\nreturn \n\nx\n\n")
        screen.until(r"\[(length|end|context)[^\]]*\]\r\n>>> ")
        screen.type("\x04")
        assert screen.ended() == 0, screen.text
    samples = json.loads(next(tmp_path.glob("store/complete/*/samples.json")).read_text())
    assert (samples[0]["prompt"], samples[0]["suffix"]) == ("def f(x):", None)
    assert (samples[-1]["prompt"], samples[-1]["suffix"]) == ("return \n", "x\n")
    assert "interrupted" in {one["finish_reason"] for one in samples}
    assert "Traceback" not in screen.text


class Screen:
    """What a program behind a pseudo-terminal has shown, and the keyboard before it."""

    def __init__(self, words: list[str], seconds: float = 240) -> None:
        self._end = time.monotonic() + seconds
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env={**road.environment(), "TERM": "xterm"}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.text, self._seen = "", 0

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        left = keys.encode()
        while left:
            assert ready(self._master, select.POLLOUT, self._left()), f"{keys!r} could not be typed"
            left = left[os.write(self._master, left) :]

    def until(self, pattern: str) -> str:
        """Wait until the pattern is shown after what was waited for before; what was shown up to its end."""
        while not (found := re.compile(pattern).search(self.text, self._seen)):
            assert self._left() > 0, f"{pattern!r} was not shown: {self.text[self._seen :]!r}"
            assert self._read(), f"{pattern!r} was not shown, and the program ended: {self.text[self._seen :]!r}"
        told, self._seen = self.text[self._seen : found.end()], found.end()
        return told

    def ended(self) -> int:
        """The exit status; reads on meanwhile, since a program that is not read from may never end."""
        while self._process.poll() is None:
            assert self._left() > 0, f"the program did not end: {self.text[self._seen :]!r}"
            self._read()
        return self._process.returncode

    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def _read(self) -> bool:
        """Take what is shown, waiting a little; False when the other side is closed."""
        if ready(self._master, select.POLLIN, 0.2):
            try:
                self.text += os.read(self._master, 65536).decode(errors="replace")
            except OSError:  # the program behind the terminal has ended
                time.sleep(0.05)
                return self._process.poll() is None
        return True
