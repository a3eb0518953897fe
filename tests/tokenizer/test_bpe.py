from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minisc.core.errors import UserError
from minisc.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from minisc.tokenizer.bpe import Bpe
from tests.silent import Silent
from tests.tokenizer.small import TEXTS, trained


def bpe(**changes: int) -> Bpe:
    return Bpe(**{"vocab_size": 400, "train_bytes": 1 << 20, "min_frequency": 2, "shrink": False, "seed": 0, **changes})


def test_figures_and_golden_ids(tmp_path: Path) -> None:
    figures = bpe().train(TEXTS, tmp_path, Silent())
    size = sum(len(text.encode()) for text in TEXTS)
    assert figures == {
        "vocabulary": 400,
        "merges": 106,
        "documents_read": len(TEXTS),
        "bytes_read": size,
        "bytes_per_token": 2.1486486486486487,
    }
    tokenizer = Tokenizer.load(tmp_path)
    assert figures["bytes_per_token"] == size / sum(len(tokenizer.encode(text)) for text in TEXTS)
    words = [tokenizer.decode([index]) for index in tokenizer.encode("    def push(self, item):\n        self.items = [12]\n")]
    assert words == GOLDEN


GOLDEN = ["    ", "def", " push", "(self", ",", " item", "):", "\n        ", "self", ".items", " =", " ", "[", "1", "2", "]", "\n"]


def test_words_break_before_line_ends_and_after_indentation(tmp_path: Path) -> None:
    """Borders where a prompt ends: no token spans them, so a prompt's tokens are those of the whole text."""
    tokenizer = trained(tmp_path)
    text = "class Stack:\n    def push(self, item):\n        self.items.append(item)\n"
    for end in (
        "class Stack:",
        "class Stack:\n    ",
        "class Stack:\n    def push(self, item):",
        "class Stack:\n    def push(self, item):\n        ",
    ):
        assert tokenizer.encode(text)[: len(tokenizer.encode(end))] == tokenizer.encode(end)


def test_every_digit_stands_alone(tmp_path: Path) -> None:
    tokenizer = trained(tmp_path)
    assert [tokenizer.decode([index]) for index in tokenizer.encode("10101010")] == list("10101010")
    assert not any(any(48 <= byte < 58 for byte in word) and len(word) > 1 for word in tokenizer.token_bytes)


def test_order_of_texts_does_not_matter(tmp_path: Path) -> None:
    for folder, texts in (("one", TEXTS), ("two", tuple(reversed(TEXTS)))):
        (tmp_path / folder).mkdir()
        bpe(vocab_size=350, train_bytes=1500).train(texts, tmp_path / folder, Silent())
    assert (tmp_path / "one/tokenizer.json").read_bytes() == (tmp_path / "two/tokenizer.json").read_bytes()


SCRIPT = """
import sys
from pathlib import Path
from minisc.tokenizer.bpe import Bpe
from tests.silent import Silent
import random, string
draw = random.Random(7)
words = ["".join(draw.choices(string.ascii_lowercase[:6], k=draw.randint(2, 7))) for _ in range(3000)]
texts = [" ".join(draw.choices(words, k=200)) for _ in range(300)]
Bpe(vocab_size=1500, train_bytes=1 << 30, min_frequency=2, shrink=False, seed=0).train(texts, Path(sys.argv[1]), Silent())
"""


def test_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    """Random words of six letters: ties everywhere, and hash tables seeded anew in each process."""
    digests = set()
    for threads in ("1", "2", "7"):
        folder = tmp_path / threads
        folder.mkdir()
        env = {**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"}
        subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], check=True, env=env, cwd=Path(__file__).parents[2])
        digests.add(hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_vocabulary_that_the_text_cannot_fill(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds \d+ merges that occur 2 times, the vocabulary has room for 48,858") as caught:
        bpe(vocab_size=49_152).train(TEXTS, tmp_path, Silent())
    assert caught.value.where.startswith("tokenizer.vocab_size=49152")
    assert not (tmp_path / "tokenizer.json").exists()
    typed = int(caught.value.do.split(",")[0].removeprefix("tokenizer.vocab_size="))
    assert typed % 64 == 0
    assert bpe(vocab_size=typed).train(TEXTS, tmp_path, Silent())["vocabulary"] == typed


def test_a_vocabulary_that_may_shrink_is_what_the_text_can_fill(tmp_path: Path) -> None:
    speak = Silent()
    figures = bpe(vocab_size=49_152, shrink=True).train(TEXTS, tmp_path, speak)
    assert figures["vocabulary"] == Tokenizer.load(tmp_path).vocab_size < 49_152
    assert "not 49,152: the tokenizer has" in speak.warnings[0]
    assert bpe(vocab_size=400, shrink=True).train(TEXTS, tmp_path, speak)["vocabulary"] == 400
    assert len(speak.warnings) == 1


def test_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text to learn a tokenizer from"):
        bpe().train(["", ""], tmp_path, Silent())


def test_a_sample_is_seeded_uniform_and_bounded() -> None:
    texts = [f"text {number:04d}" for number in range(1000)]
    chosen = {seed: bpe(train_bytes=900, seed=seed)._chosen(texts, Silent()) for seed in (0, 1)}
    assert [len(raw) for raw in chosen.values()] == [100, 100]
    assert set(chosen[0]) != set(chosen[1])
    assert set(bpe(train_bytes=900)._chosen(reversed(texts), Silent())) == set(chosen[0])
    assert 350 < sum(int(raw[5:]) for raw in chosen[0]) / 100 < 650
    large = ["x" * 5000, "small", "y" * 4000]
    assert sum(map(len, bpe(train_bytes=4500)._chosen(large, Silent()))) <= 4500 or len(bpe(train_bytes=4500)._chosen(large, Silent())) == 1


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"vocab_size": 294}, "tokenizer.vocab_size=294"),
        ({"train_bytes": 0}, "tokenizer.train_bytes=0"),
        ({"min_frequency": 0}, "tokenizer.min_frequency=0"),
    ],
)
def test_bad_values_are_refused_when_built(changes: dict[str, int], where: str) -> None:
    with pytest.raises(UserError) as caught:
        bpe(**changes)
    assert caught.value.where == where
    assert caught.value.do


def test_transformers_reads_it(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = trained(tmp_path)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    assert len(theirs) == tokenizer.vocab_size
    for text in TEXTS:
        if "<" not in text:
            assert theirs(text)["input_ids"] == tokenizer.encode(text)
            assert theirs.decode(tokenizer.encode(text), clean_up_tokenization_spaces=False) == text
    assert theirs.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(38))
    assert theirs("<fim_prefix>x = 1<fim_suffix>")["input_ids"] == tokenizer.render("\0<fim_prefix>\0x = 1\0<fim_suffix>\0")
    assert theirs.decode([1, *tokenizer.encode("x"), 0], skip_special_tokens=True) == "x"


def test_identity_names_the_library() -> None:
    assert list(bpe().identity()) == ["tokenizers"]
