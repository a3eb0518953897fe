"""Small texts of every awkward kind, and tokenizers made from them in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from minisc.tokenizer.bpe import Bpe
from minisc.tokenizer.fast import _letters
from tests.silent import Silent

TEXTS = (
    "def add(a, b):\n    return a + b\n",
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        self.items.append(item)\n" * 4,
    "# na\u00efve caf\u00e9 \u4f60\u597d\uff0c\u4e16\u754c \u0645\u0631\u062d\u0628\u0627 \U0001f600\U0001f469\u200d\U0001f4bb\nprint('\u4f60\u597d')\n"
    * 3,
    "x",
    "\n",
    "\r\n\tif x:\r\n\t\tpass\r\n",
    "DATA = '" + "0123456789abcdef" * 40 + "'\n",
    "s = '<|endoftext|><fim_prefix>a<fim_suffix>b<fim_middle>'  # <NAME> <file_sep>\n",
    "for i in range(10):\n    for j in range(i):\n        print(i * j, end=' ')\n    print()\n" * 5,
)


def trained(folder: Path, *, vocab_size: int = 400) -> Tokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    Bpe(vocab_size=vocab_size, train_bytes=1 << 20, min_frequency=2, shrink=False, seed=0).train(TEXTS, folder, Silent())
    return Tokenizer.load(folder)


def written(folder: Path, merges: list[tuple[str, str]], **changes: object) -> Path:
    """A tokenizer.json by hand: the special tokens, the bytes, then one token a merge; `changes` replace top-level keys."""
    letters = sorted(_letters())
    words = [*SPECIAL_TOKENS, *letters, *("".join(pair) for pair in merges)]
    added = [
        {"id": index, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for index, name in enumerate(SPECIAL_TOKENS)
    ]
    split = {"type": "Split", "pattern": {"Regex": r"\p{L}+|[^\p{L}]"}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    spec: dict[str, object] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]}, "post_processor": None, "decoder": {"type": "ByteLevel"} | level,
        "model": {"type": "BPE", "vocab": {word: index for index, word in enumerate(words)}, "merges": [list(pair) for pair in merges]},
    }  # fmt: skip
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(spec | changes), encoding="utf-8")
    return path


def wide(folder: Path) -> Tokenizer:
    """65,830 ids: every pair of bytes is a token, so that ids need uint32."""
    letters = sorted(_letters())
    return Tokenizer.load(written(folder, [(one, two) for one in letters for two in letters]))
