"""The fast encoder: tiktoken, built from a `tokenizer.json`, where that provably gives the ids of `tokenizers`.

`tokenizers` defines the ids; tiktoken finds the same ones several times as fast (`tests/benchmarks/bench_tokens.py`).
It merges whatever two neighbours make a known token, lowest id first, where `tokenizers` follows its list of merges. The two
agree on every text when (1) merge number i makes the token of id 38 + 256 + i, so that both orders are one, and (2) every
token, encoded alone, is itself: for if two neighbours x, y made a token t by another way than t's own merge, then, since what
lies between two token borders is encoded as if it stood alone, t alone would become x, y too. Training by counting gives (2)
(a merge is learned where its two halves are neighbours), (1) is checked here, and what was argued is tried at every load on `TRICKY`.

Also left to `tokenizers`: a pre-tokenizer other than one plain regular expression, such as StarCoder2's own (digits, then
GPT-2's expression), and an expression with look-around: tiktoken dies of a stack overflow on a megabyte of spaces there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minisc.core.errors import UserError

BYTES = 256


def _letters() -> dict[str, int]:
    """GPT-2's alphabet: printable Latin-1 bytes are their own characters, the others take U+0100 and up, in order."""
    own = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(BYTES) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(0x100 + place): byte for place, byte in enumerate(others)}


def table(spec: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The bytes of each id. Raises KeyError or ValueError when the vocabulary is not byte-level or its ids have holes."""
    letters = _letters()
    special = {token["content"]: token["id"] for token in spec["added_tokens"]}
    known = {index: name.encode() for name, index in special.items()}
    for word, index in spec["model"]["vocab"].items():
        if word not in special:
            known[index] = bytes([letters[letter] for letter in word])
    if sorted(known) != list(range(len(known))):
        raise ValueError("its ids have holes")
    distinct = set(known.values())
    if len(distinct) < len(known) or not all(bytes([byte]) in distinct for byte in range(BYTES)):
        raise ValueError("it misses a byte, or has a token twice")
    return tuple(known[index] for index in range(len(known)))


def encoder(spec: Mapping[str, Any], token_bytes: Sequence[bytes], path: Path) -> Callable[[str], list[int]]:
    """Text to ids, special tokens as ordinary text. Raises UserError naming the file when the two encoders disagree."""
    slow = _defining(path)
    pattern = _plain_pattern(spec.get("pre_tokenizer"))
    if pattern is None or not _merges_in_order(spec):
        return slow
    quick = _tiktoken(pattern, token_bytes, len(spec["added_tokens"]))
    for text in TRICKY:
        if quick(text) != slow(text):
            raise UserError(
                f"the fast encoder disagrees with `tokenizers` on {text[:40]!r}",
                where=str(path),
                do="train it again (steps=[train_tokenizer]); it was not made by this project",
            )
    return quick


def _defining(path: Path) -> Callable[[str], list[int]]:
    import tokenizers

    loaded = tokenizers.Tokenizer.from_file(str(path))
    loaded.encode_special_tokens = True
    loaded.no_truncation()
    loaded.no_padding()
    return lambda text: list(loaded.encode(text, add_special_tokens=False).ids)


def _plain_pattern(pre_tokenizer: Any) -> str | None:
    """The one regular expression that cuts text into words, or None when it takes more than that."""
    match pre_tokenizer:
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        } if "(?" not in pattern:
            return pattern
    return None


def _merges_in_order(spec: Mapping[str, Any]) -> bool:
    """Merge number i makes the token of the i-th id after the special tokens and the 256 bytes."""
    model, first = spec["model"], len(spec["added_tokens"]) + BYTES
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"])
    in_order = all(model["vocab"].get("".join(pair)) == first + place for place, pair in enumerate(pairs))
    return in_order and len(model["merges"]) == len(model["vocab"]) - first and not model.get("ignore_merges")


def _tiktoken(pattern: str, token_bytes: Sequence[bytes], specials: int) -> Callable[[str], list[int]]:
    import tiktoken

    ranks = {word: index for index, word in enumerate(token_bytes) if index >= specials}
    made = tiktoken.Encoding("minisc", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return made.encode_ordinary


def _runs() -> str:
    """Runs of one character, of every length up to 70, where overlapping merges could go two ways."""
    return "".join(sign * length + "|" for sign in " \n=-#*_.a0\t" for length in range(1, 71))


TRICKY = (
    "",
    "def f(x, *args):\n    if x_1 >= 10:\n\t\treturn  self._name['k']  # don't  \n\n\n\n    \nclass A:\r\n    pass\r\n",
    "    leading, trailing   \n   ",
    "<|endoftext|><fim_prefix>a<fim_suffix>\n<fim_middle> <NAME>",
    "caf\u00e9 na\u00efve \u4f60\u597d \u0645\u0631\u062d\u0628\u0627 \U0001f469\u200d\U0001f4bb e\u0301 \ufeff\u00a0\u2028\u0085\u3000x \u0663\u0664 \u2167 \u00bd \u01c5 \x00\x01\x1c\x7f",
    "a" * 300 + "ab" * 200 + "abc" * 100 + "0123456789" * 30 + "=-" * 100 + " \n" * 100 + "\n " * 100,
    "".join(chr(code) for code in range(0x20, 0x250)),
    _runs(),
)
