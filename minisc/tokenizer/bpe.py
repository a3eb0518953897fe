"""A byte-level BPE as StarCoder2's, learned by the `tokenizers` library.

In: texts. Out: `tokenizer.json`: ids 0..37 the special tokens, 38..293 the bytes, then the merges in the order in which they
were found. No prefix space, every digit a token of its own (as StarCoder2), every byte sequence encodable.

Where a text is cut into words, which no token crosses, is `WORDS`. Bytes a token on 8.2 MB of Python from distributions that
were not trained on (45.7 MB of others; vocabularies of 4,096 and 16,384):

    StarCoder2's: digits, then GPT-2's expression                3.408   3.923
    cl100k's words and line ends, single digits                  3.527   4.216
    WORDS                                                        3.582   4.285   (5.1 % and 9.2 % above StarCoder2's)
    as WORDS, but punctuation joined with line end and indent    3.752   4.591

The last would cram `):`, line end and indentation into one token; a prompt that ends in `def f(x):` would then end as no text
did in training, so it was passed over. WORDS puts borders where people stop typing: before a line end and after a whole
indentation. It has no look-around, so that matching is linear in any text (see `fast`).

Guarantees: the same texts give the same bytes, in whatever order they come and with any number of threads (words are
counted; ties go to the lower ids). Memory: `train_bytes` of text, and the distinct words in it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.step import Speaker
from minisc.tokenizer.base import FILE, SPECIAL_TOKENS, Tokenizer, TokenizerTrainer
from minisc.tokenizer.fast import BYTES

WORDS = "|".join((
    r"[^\r\n\p{L}\p{N}_]?[\p{L}_]+",  # an identifier's letters, with one sign or space before it
    r"\p{N}",  # one digit
    r" ?[^\s\p{L}\p{N}_]+",  # signs, with one space before them
    r"\s*[\r\n][ \t]*",  # empty lines, and the whole indentation of the next
    r"\s+",
))  # fmt: skip
SMALLEST = len(SPECIAL_TOKENS) + BYTES  # a vocabulary without a single merge
MEASURED_BYTES = 8 * 1024 * 1024  # of the texts, encoded again for the figure bytes_per_token


@dataclass(frozen=True, kw_only=True)
class Bpe(TokenizerTrainer):
    version: ClassVar[int] = 2

    vocab_size: int
    train_bytes: int
    min_frequency: int
    shrink: bool
    seed: int

    def __post_init__(self) -> None:
        if self.vocab_size <= SMALLEST:
            raise UserError(
                f"a vocabulary holds {len(SPECIAL_TOKENS)} special tokens and {BYTES} bytes before its first merge",
                where=f"tokenizer.vocab_size={self.vocab_size}",
                do="tokenizer.vocab_size=4096",
            )
        if self.train_bytes < 1:
            raise UserError(
                "there is no text in so few bytes", where=f"tokenizer.train_bytes={self.train_bytes}", do="tokenizer.train_bytes=268435456"
            )
        if self.min_frequency < 1:
            raise UserError(
                "a pair is seen at least once", where=f"tokenizer.min_frequency={self.min_frequency}", do="tokenizer.min_frequency=2"
            )

    def identity(self) -> Mapping[str, str]:
        return {"tokenizers": version_of("tokenizers")}

    def train(self, texts: Iterable[str], folder: Path, speak: Speaker) -> Figures:
        """Raises UserError when there is no text, or, without `shrink`, too little to fill the vocabulary."""
        chosen = self._chosen(texts, speak)
        if not chosen:
            raise UserError(
                "there is no text to learn a tokenizer from",
                where="the kept documents of split train",
                do="look into the waterfall: report.md",
            )
        learned = self._learned((text.decode() for text in chosen), self.vocab_size)
        merges = learned.get_vocab_size() - SMALLEST
        if merges + SMALLEST < self.vocab_size and self.shrink:
            size = _below(merges + SMALLEST)
            speak.warn(f"the text fills a vocabulary of {size:,}, not {self.vocab_size:,}: the tokenizer has {size:,} (tokenizer.shrink)")
            learned, merges = self._learned((text.decode() for text in chosen), size), size - SMALLEST
        elif merges + SMALLEST < self.vocab_size:
            raise UserError(
                f"the text holds {merges:,} merges that occur {self.min_frequency} times, the vocabulary has room for {self.vocab_size - SMALLEST:,}",
                where=f"tokenizer.vocab_size={self.vocab_size}, {sum(map(len, chosen)):,} bytes of text",
                do=f"tokenizer.vocab_size={_below(merges + SMALLEST)}, tokenizer.shrink=true, or collect more text",
            )
        with durable.write(folder / FILE) as temporary:
            temporary.write_text(learned.to_str(pretty=True), encoding="utf-8")
        return {
            "vocabulary": merges + SMALLEST,
            "merges": merges,
            "documents_read": len(chosen),
            "bytes_read": sum(map(len, chosen)),
            "bytes_per_token": _bytes_per_token(Tokenizer.load(folder), chosen),
        }

    def _chosen(self, texts: Iterable[str], speak: Speaker) -> list[bytes]:
        """UTF-8 of at most `train_bytes` of the texts: those with the lowest seeded hashes, a uniform sample in one pass.

        A text once passed over bars all with higher hashes, so that the choice does not depend on the order of the texts.
        """
        salt = self.seed.to_bytes(8, "big", signed=True)
        heap: list[tuple[int, int, bytes]] = []  # highest hash first
        held, barred = 0, 1 << 64
        with speak.progress("text for the tokenizer", None, "B") as bar:
            for place, text in enumerate(texts):
                raw = text.encode("utf-8")
                bar.advance(len(raw))
                key = int.from_bytes(hashlib.blake2b(raw, digest_size=8, salt=salt).digest(), "big")
                if not raw or key >= barred:
                    continue
                heapq.heappush(heap, (-key, place, raw))
                held += len(raw)
                while held > self.train_bytes and len(heap) > 1:
                    negative, _, raw = heapq.heappop(heap)
                    held, barred = held - len(raw), -negative
        return [raw for _, _, raw in sorted(heap, reverse=True)]

    def _learned(self, texts: Iterator[str], size: int) -> Any:
        from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ])  # fmt: skip
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=self.min_frequency,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(texts, trainer)
        return made


def _below(size: int) -> int:
    """The largest multiple of 64 that fits (a friendly shape for matrix units), or the size itself where none does."""
    return size // 64 * 64 if size // 64 * 64 > SMALLEST else size


def _bytes_per_token(tokenizer: Tokenizer, texts: list[bytes]) -> float:
    """On the first `MEASURED_BYTES` of the texts that were learned from."""
    size = tokens = 0
    for text in texts:
        size, tokens = size + len(text), tokens + len(tokenizer.encode(text.decode()))
        if size >= MEASURED_BYTES:
            break
    return size / tokens
