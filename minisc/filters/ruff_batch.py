"""One call of ruff for a whole batch of texts.

In: texts, and what ruff is to do. Out: ruff's exit status and output, with the texts as files `<number>.py` in a folder of their own; what
ruff wrote there can be read back. A document's name never becomes a path, and no configuration of the machine is read: `--isolated`, no
cache, nothing excluded, no .gitignore of a folder above.
Guarantees: each file is judged by itself, so the batch does not matter. A text that ends ruff, or that it does not finish within `SECONDS`,
is found by halving the batch and given up alone. Price: 6 ms a call, then 16 MB a CPU second formatting and 20 checking,
files included (tests/benchmarks/bench_scores.py).
Rejected: a process a document (a tenth of the speed); ruff's server (it keeps state between documents).
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from minisc.core.errors import UserError

T = TypeVar("T")
SECONDS = 60.0  # for a batch of at most 8 MB, which takes a fifth of a second
VERSION = re.compile(r"py3\d{1,2}")
_ALWAYS = ("--isolated", "--no-cache", "--config", "exclude = []", "--config", "respect-gitignore = false")


class Ended(Exception):
    """Ruff was ended by a signal, gave up or took too long."""


def version() -> str:
    """Of ruff, for `Stage.identity`."""
    return importlib.metadata.version("ruff")


@cache
def program() -> str:
    """The path of ruff's program."""
    from ruff import find_ruff_bin  # type: ignore[import-untyped]

    return str(find_ruff_bin())


def check_target(target: str, where: str) -> None:
    """Raises UserError unless `target` is a version of Python as ruff writes it."""
    if not VERSION.fullmatch(target):
        raise UserError("a version of Python is written py311", where=f"{where}={target}", do=f"{where}=py313")


def over(texts: Sequence[str], words: Sequence[str], read: Callable[[Path, list[bytes | None], str, str], list[T]], failed: T) -> list[T]:
    """Run `ruff <words>` over texts; `failed` stands for one that ends ruff.

    `read(folder, texts as bytes, stdout, stderr)` gives a result a text; it may raise `Ended` itself. A text that is no
    Unicode (it holds a lone surrogate) has no file: `read` sees None.
    """
    try:
        return _once(texts, words, read)
    except Ended:
        if len(texts) == 1:
            return [failed]
        half = len(texts) // 2
        return [*over(texts[:half], words, read, failed), *over(texts[half:], words, read, failed)]


def _once(texts: Sequence[str], words: Sequence[str], read: Callable[[Path, list[bytes | None], str, str], list[T]]) -> list[T]:
    raw = [_encoded(text) for text in texts]
    with tempfile.TemporaryDirectory(prefix="minisc-") as name:
        folder = Path(name)
        for number, data in enumerate(raw):
            if data is not None:
                (folder / f"{number}.py").write_bytes(data)
        status, told, trouble = call([*words, "."], folder)
        if status not in (0, 1, 2) or trouble.startswith("ruff failed"):
            raise Ended(trouble[:500])
        return read(folder, raw, told, trouble)


def _encoded(text: str) -> bytes | None:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def call(words: Sequence[str], folder: Path | None = None) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of `ruff <words>`; the first word is ruff's command. Nothing is read from the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUFF_")}
    try:
        done = subprocess.run(
            [program(), words[0], *_ALWAYS, *words[1:]], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            env={**kept, "RAYON_NUM_THREADS": "1", "NO_COLOR": "1"}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Ended("too slow") from error
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
