r"""How llama.cpp cuts text into words, and how far its nearest way is from ours.

llama.cpp knows pre-tokenizers by name only, each a list of regular expressions in its source. StarCoder2's own is among them
(`starcoder`); the expression of `minisc/tokenizer/bpe.py` is not. Of its names, measured on 30 files of CPython's library with
a vocabulary of 4,096 learned by our expression (249,444 tokens), this share of the right tokens comes out. (The numbers are
those of `agreement`; llama.cpp itself, given the same files, came to the same ones in all their digits.)

    superbpe   98.5 %   numbers are cut, everything else is one word: hardly any merge crosses a border of ours
    qwen2      82.0 %   as seed-coder, bailingmoe, laguna
    starcoder  76.4 %   as gpt-2, refact, command-r; on all of them `_` is no letter, on which names of Python are built

So a vocabulary of ours is written with `superbpe`. In the other 1.5 % llama.cpp joins what ours keeps apart: `((x` is `((`, `x`
here and may be `(`, `(x` there. The model still reads every character, but not in the pieces that it was trained on. Who wants
none of that gives llama.cpp ids instead of text (its server takes a list of ids as a prompt): ids to ids it is exact, and
ids to text too. `agreement` measures the share for a given tokenizer and texts, and the export writes it into its figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from minisc.core.errors import UserError, did_you_mean

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ENGLISH = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
# Names that llama.cpp knows -> its expressions, applied one after the other to what the one before has cut.
NAMED: dict[str, tuple[str, ...]] = {
    "superbpe": (r"\p{N}+",),
    "starcoder": (r"\p{N}", _GPT2),
    "gpt-2": (_GPT2,),
    "qwen2": (_ENGLISH + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",),
}
AUTO = "nearest"


def name_for(tokenizer: dict[str, Any], wanted: str) -> tuple[str, bool]:
    """The name to write, and whether llama.cpp then cuts exactly as the tokenizer does. `wanted`: a name, or `nearest`."""
    if wanted != AUTO and wanted not in NAMED:
        raise UserError(
            f"llama.cpp's pre-tokenizer {wanted!r} is not among those that we know", where=f"steps.export.pretokenizer={wanted}",
            do=did_you_mean(wanted, {AUTO, *NAMED}),
        )  # fmt: skip
    starcoder = _is_starcoder(tokenizer.get("pre_tokenizer"))
    name = wanted if wanted != AUTO else ("starcoder" if starcoder else "superbpe")
    return name, starcoder and name == "starcoder"


def _is_starcoder(pre_tokenizer: Any) -> bool:
    """StarCoder2's own: single digits, then GPT-2's expression inside the byte-level part."""
    match pre_tokenizer:
        case {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, **rest},
            ],
        }:
            return bool(rest.get("use_regex", True))
    return False


def agreement(tokenizer_json: Path, name: str, texts: Iterable[str]) -> tuple[float, int]:
    """Share of the right tokens that come out at the right place with llama.cpp's cut, and how many tokens were looked at."""
    import tokenizers
    from tokenizers import Regex, pre_tokenizers

    ours, theirs = (tokenizers.Tokenizer.from_file(str(tokenizer_json)) for _ in range(2))
    theirs.pre_tokenizer = pre_tokenizers.Sequence([
        *(pre_tokenizers.Split(Regex(expression), behavior="isolated") for expression in NAMED[name]),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    same = looked = 0
    for text in texts:
        right, found = (_pieces(tokenizer, text) for tokenizer in (ours, theirs))
        same, looked = same + len(right & found), looked + len(right)
    return (same / looked if looked else 1.0), looked


def _pieces(tokenizer: Any, text: str) -> set[tuple[int, int]]:
    """Where each token begins and ends, in bytes; special tokens in the text are ordinary text."""
    tokenizer.encode_special_tokens = True
    ends, at = [0], 0
    for token in tokenizer.encode(text, add_special_tokens=False).tokens:
        at += len(token)  # a letter of the byte-level alphabet is a byte
        ends.append(at)
    return set(pairwise(ends))
