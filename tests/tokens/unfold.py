"""Samples undone, from their ids and targets alone: an implementation of its own, which knows nothing of how they are made."""

from __future__ import annotations

from collections.abc import Iterable

from minisc.tokenizer.base import Tokenizer
from minisc.tokens.window import Sample

Symbol = int | bytes  # a special token, or a run of text


def told(sample: Sample, special: dict[str, int]) -> list[int]:
    """The tokens of a window as they are told: inputs but the first, and the last target; without padding."""
    tokens = [*sample.ids[1:].tolist(), int(sample.targets[-1])]
    while tokens[-1] in (special["<fim_pad>"], -100):
        tokens.pop()
    return tokens


def untold(tokens: list[int], tokenizer: Tokenizer) -> list[Symbol]:
    """Text in its order again, between the special tokens that separate documents."""
    special = tokenizer.special
    prefix, middle, suffix = special["<fim_prefix>"], special["<fim_middle>"], special["<fim_suffix>"]
    out: list[Symbol] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token == prefix:
            end = next((at for at in range(place + 1, len(tokens)) if tokens[at] < 38 and tokens[at] not in (middle, suffix)), len(tokens))
            first, last = tokens.index(suffix, place), tokens.index(middle, place)
            parts = [tokenizer.decode_bytes(part) for part in (tokens[place + 1 : first], tokens[first + 1 : last], tokens[last + 1 : end])]
            assert first < last < end
            out.append(parts[0] + parts[2] + parts[1])  # suffix first (SPM): the first part is empty, the last is prefix and middle
            place = end
        else:
            out.append(token if token < 38 else tokenizer.token_bytes[token])
            place += 1
    return out


def stream(samples: Iterable[Sample], tokenizer: Tokenizer) -> list[Symbol]:
    """The windows of an epoch, in the order of the stream, undone: special tokens, and all text between two of them as one run."""
    joined: list[Symbol] = []
    for sample in sorted(samples, key=lambda sample: (sample.epoch, sample.window)):
        tokens = told(sample, dict(tokenizer.special))
        if sample.pieces and sample.pieces[-1].ended:
            tokens.pop()
        for symbol in untold(tokens, tokenizer):
            if isinstance(symbol, bytes) and joined and isinstance(joined[-1], bytes):
                joined[-1] += symbol
            else:
                joined.append(symbol)
    return joined
