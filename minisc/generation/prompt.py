"""What a model is asked to go on with, and its ids: rendered as the corpus was, so that the model knows the form.

    plain        <|endoftext|>text
    fill-in      <|endoftext|><fim_prefix>text<fim_suffix>suffix<fim_middle>
    repository   <|endoftext|><repo_name>repo<file_sep>path\\ncode<file_sep>path\\ntext
    no names     <|endoftext|><file_sep>code<file_sep>text

(StarCoder2: arXiv 2402.19173, section 5.) A fill-in inside a repository puts `path\\n` into the prefix. Text is always
encoded as ordinary text: a `<fim_middle>` that stands in a prompt's text is eight harmless pieces, never the token.
Not done: token healing. A prompt that ends inside a token (`    retu`) asks for a continuation that training never showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minisc.core.errors import UserError

if TYPE_CHECKING:
    from minisc.tokenizer.base import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """`key` names the prompt's random numbers; None: its place in the list that is completed."""

    text: str
    suffix: str | None = None  # a fill-in: what comes after the hole
    repo: str | None = None  # with it, paths are written
    path: str | None = None  # of the text itself
    files: Sequence[tuple[str, str]] = ()  # (path, code) that come before, of the same repository
    name: str = ""
    key: int | None = None

    def __post_init__(self) -> None:
        if (self.repo is None) != (self.path is None):
            raise UserError(
                "a prompt names both its repository and its path, or neither",
                where=f"repo={self.repo!r} path={self.path!r}",
                do="give repo and path",
            )


@dataclass(frozen=True, slots=True)
class Encoded:
    ids: list[int]
    cut: int  # ids that had to go: 0 unless the prompt was longer than its room


def encode(prompt: Prompt, tokenizer: Tokenizer, room: int, *, cut: bool) -> Encoded:
    """The prompt's ids, at most `room` of them.

    A longer one is refused (UserError), or with `cut` shortened at its far ends: first whole files from the front, then the
    beginning of the text and the end of the suffix, which keeps at least a quarter of the room if it needs it.
    """
    special = tokenizer.special
    named = prompt.repo is not None
    start = [tokenizer.eot, *([special["<repo_name>"], *tokenizer.encode(prompt.repo)] if prompt.repo is not None else [])]
    files = [[special["<file_sep>"], *tokenizer.encode(f"{path}\n{code}" if named else code)] for path, code in prompt.files]
    own = [special["<file_sep>"]] if named or files else []
    path = tokenizer.encode(f"{prompt.path}\n") if named else []
    text = tokenizer.encode(prompt.text)
    hole = ([special["<fim_prefix>"]], [special["<fim_suffix>"]], [special["<fim_middle>"]]) if prompt.suffix is not None else ([], [], [])
    suffix = tokenizer.encode(prompt.suffix) if prompt.suffix is not None else []
    fixed = len(start) + len(own) + len(path) + sum(map(len, hole))
    whole = fixed + sum(map(len, files)) + len(text) + len(suffix)
    if whole > room:
        if not cut or fixed >= room:
            raise UserError(
                f"the prompt has {whole:,} tokens, the model takes {room:,} before it writes",
                where=prompt.name or repr(prompt.text[:40]),
                do="shorten the prompt, or cut it at its far ends: long_prompt=cut",
            )
        while files and fixed + sum(map(len, files)) + len(text) + len(suffix) > room:
            files.pop(0)
        left = room - fixed - sum(map(len, files))
        suffix = suffix[: max(left - len(text), min(len(suffix), left // 4))]
        text = text[len(text) - min(len(text), left - len(suffix)) :]
    ids = [*start, *(one for file in files for one in file), *own, *hole[0], *path, *text, *hole[1], *suffix, *hole[2]]
    assert len(ids) == whole or len(ids) <= room, "a cut prompt fits"
    return Encoded(ids, whole - len(ids))
