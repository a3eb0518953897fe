"""Text to ids and back: what every tokenizer of ours can do, and the special tokens that all of them share.

In: a `tokenizer.json` as the `tokenizers` library writes and `transformers` reads it: a byte-level BPE, so that any text
comes back exactly. Out: ids. The special tokens are StarCoder2's, in its order, at ids 0..37 (arXiv 2402.19173, table 5, then
the placeholders for redacted personal data). A string in a document that looks like one is ordinary text to `encode`; the
real ones are written by `render`, which marks them with NUL (`\\0<fim_prefix>\\0`), a character that documents cannot hold.

Guarantees: `decode(encode(text)) == text` for every text without lone surrogates; the ids are those of `tokenizers`, though
a faster encoder finds them where it can (see `fast`).
Price: about 0.3 s to load a vocabulary of 49,152, once a process and only when first used. A `Tokenizer` pickles as its path.
"""

from __future__ import annotations

import functools
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minisc.core import mirror
from minisc.core.errors import BadInput, UserError, did_you_mean
from minisc.tokenizer import fast

if TYPE_CHECKING:
    from minisc.core.artifact import Figures
    from minisc.core.step import Speaker

SPECIAL_TOKENS = (
    "<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>",
    "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>",
    "<jupyter_output>", "<jupyter_script>", "<empty_output>", "<code_to_intermediate>", "<intermediate_to_code>",
    "<pr>", "<pr_status>", "<pr_is_merged>", "<pr_base>", "<pr_file>", "<pr_base_code>", "<pr_diff>", "<pr_diff_hunk>",
    "<pr_comment>", "<pr_event_id>", "<pr_review>", "<pr_review_state>", "<pr_review_comment>",
    "<pr_in_reply_to_review_id>", "<pr_in_reply_to_comment_id>", "<pr_diff_hunk_comment_line>",
    "<NAME>", "<EMAIL>", "<KEY>", "<PASSWORD>",
)  # fmt: skip
EOT = SPECIAL_TOKENS[0]  # ends a document
FILE = "tokenizer.json"


@dataclass(frozen=True)
class Tokenizer:
    """A `tokenizer.json`, read when first used. Comparable and picklable by its path."""

    path: Path

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """From a `tokenizer.json` or the folder that holds one.

        Raises UserError when there is none; what it holds is checked when first used (BadInput, UserError).
        """
        file = path / FILE if path.is_dir() else path
        if not file.is_file():
            raise UserError(
                "there is no tokenizer here", where=str(file), do="inputs.tokenizer=<a tokenizer artifact or a folder with tokenizer.json>"
            )
        return cls(file)

    def __reduce__(self) -> tuple[object, ...]:  # to another process goes the path, not the vocabulary
        return (type(self), (self.path,))

    @functools.cached_property
    def _spec(self) -> dict[str, Any]:
        try:
            spec = json.loads(mirror.fetch(self.path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"the tokenizer cannot be read: {error}", where=str(self.path), do=_REMAKE) from error
        _check_form(spec, self.path)
        return dict(spec)

    @functools.cached_property
    def token_bytes(self) -> tuple[bytes, ...]:
        """The bytes of each id; a special token's are those of its name."""
        try:
            return fast.table(self._spec)
        except (KeyError, ValueError) as error:
            raise BadInput(f"the vocabulary is not that of a byte-level BPE: {error}", where=str(self.path), do=_REMAKE) from error

    @functools.cached_property
    def _encode(self) -> Callable[[str], list[int]]:
        return fast.encoder(self._spec, self.token_bytes, self.path)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides the ids, whatever the file's white space: equal digests, equal ids."""
        deciding = {key: self._spec.get(key) for key in ("model", "pre_tokenizer", "normalizer", "added_tokens")}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()

    @property
    def vocab_size(self) -> int:
        return len(self.token_bytes)

    @functools.cached_property
    def special(self) -> Mapping[str, int]:
        """`SPECIAL_TOKENS` by name, ids 0..37 in order."""
        assert self._spec  # its order was checked when the file was read
        return {name: index for index, name in enumerate(SPECIAL_TOKENS)}

    @property
    def eot(self) -> int:
        """The id of `<|endoftext|>`."""
        return self.special[EOT]

    def encode(self, text: str) -> list[int]:
        """The ids of ordinary text: never a special token, whatever stands in it."""
        return self._encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """`encode` of each, as int32 arrays."""
        return [np.array(self._encode(text), dtype=np.int32) for text in texts]

    def render(self, marked: str) -> list[int]:
        """The ids of text in which `\\0<name>\\0` stands for a special token.

        Raises UserError for an unknown name or an odd number of NULs.
        """
        parts = marked.split("\0")
        if len(parts) % 2 == 0:
            raise UserError(
                "a special token is marked on one side only", where=repr(marked[:80]), do="write it between two NULs: \\0<fim_prefix>\\0"
            )
        ids: list[int] = []
        for place, part in enumerate(parts):
            if place % 2 == 0:
                ids += self._encode(part) if part else []
            elif part in self.special:
                ids.append(self.special[part])
            else:
                raise UserError(f"there is no special token {part!r}", where=repr(marked[:80]), do=did_you_mean(part, SPECIAL_TOKENS))
        return ids

    def decode_bytes(self, ids: Sequence[int] | np.ndarray) -> bytes:
        """The bytes of the ids, joined; raises IndexError for an id outside the vocabulary."""
        table = self.token_bytes
        return b"".join([table[index] for index in (ids.tolist() if isinstance(ids, np.ndarray) else ids)])

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of the ids; bytes that are no UTF-8 (a character cut by a limit) become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")


_REMAKE = "train it again (steps=[train_tokenizer]) or name another with inputs.tokenizer=…"


def _check_form(spec: object, path: Path) -> None:
    """Raises BadInput unless this is a BPE without a normalizer, with our special tokens at ids 0..37."""
    wrong = ""
    if not isinstance(spec, dict) or not isinstance(spec.get("model"), dict) or spec["model"].get("type") != "BPE":
        wrong = "is not a BPE tokenizer"
    elif spec.get("normalizer") is not None:
        wrong = "changes the text before it encodes it (a normalizer), so that texts would not come back"
    else:
        named = [(token["id"], token["content"]) for token in spec.get("added_tokens") or []]
        if sorted(named) != list(enumerate(SPECIAL_TOKENS)):
            wrong = "does not have StarCoder2's special tokens, and no other, at ids 0 to 37"
    if wrong:
        raise BadInput(f"the tokenizer {wrong}", where=str(path), do=_REMAKE)


@dataclass(frozen=True, kw_only=True)
class TokenizerTrainer(ABC):
    """Learns a tokenizer from texts. Subclasses are frozen dataclasses of settings."""

    version: ClassVar[int]
    vocab_size: int  # ids that it will have
    train_bytes: int  # of text that it reads at most

    def identity(self) -> Mapping[str, str]:
        """State outside our settings that changes a result; enters the fingerprint."""
        return {}

    @abstractmethod
    def train(self, texts: Iterable[str], folder: Path, speak: Speaker) -> Figures:
        """Write `folder/tokenizer.json`, return the figures. The same texts give the same bytes."""
