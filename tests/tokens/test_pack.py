from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from minisc.core.document import table_of
from minisc.core.errors import DamagedArtifact, UserError
from minisc.tokenizer.base import Tokenizer
from minisc.tokens.pack import encode_part, open_tokens
from tests.tokenizer.small import TEXTS, trained
from tests.tokens.corpora import rows, store


def test_a_document_is_its_path_line_and_its_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, TEXTS, parts=2)
    order = [*range(0, len(TEXTS), 2), *range(1, len(TEXTS), 2)]
    assert len(opened) == len(TEXTS)
    for document, number in enumerate(order):
        tokens, names = opened.tokens(document).tolist(), int(opened.names[document])
        assert tokens[:names] == tokenizer.encode(f"src/caf\u00e9 {number}.py\n")
        assert tokens[names:] == tokenizer.encode(TEXTS[number])
        row = opened.row(document)
        assert (row["path_text"], row["repo"], row["bytes"]) == (
            f"src/caf\u00e9 {number}.py",
            f"org/r{number % 3}",
            len(TEXTS[number].encode()),
        )
        assert opened.repos[opened.repo_of[document]] == row["repo"]
    assert opened.dtype == np.dtype("<u2")
    assert opened.bytes == sum(len(text.encode()) for text in TEXTS)


def test_only_kept_documents_of_the_training_split(tmp_path: Path, tokenizer: Tokenizer) -> None:
    every = rows(["kept", "held out", "dropped", ""], ["r"] * 4)
    every[1]["split"] = "held_out"
    every[2] |= {"text": None, "dropped_by": "license", "reason": "unknown"}
    every[3] |= {"path_text": None, "repo": None}
    pq.write_table(table_of(every), tmp_path / "kept.parquet")
    figures = encode_part(tmp_path / "kept.parquet", tokenizer.path.parent, tmp_path / "tokens" / "part-00000")
    opened = open_tokens(tmp_path)
    assert [opened.row(document)["uid"] for document in range(len(opened))] == [every[0]["uid"], every[3]["uid"]]
    assert opened.tokens(1).tolist() == tokenizer.encode("\n")
    names = len(tokenizer.encode("src/caf\u00e9 0.py\n")) + 1
    assert figures == {
        "documents": 2,
        "tokens": len(tokenizer.encode("kept")),
        "name_tokens": names,
        "bytes": 4,
        "special_tokens_inside": 0,
    }


def test_strings_like_special_tokens_are_text_and_counted(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = "a <|endoftext|> b <fim_prefix><fim_prefix> <pr <NAME> <other>"
    opened = store(tmp_path, tokenizer, [text])
    assert opened.row(0)["special_inside"] == 4
    assert opened.tokens(0).min() >= 38
    assert tokenizer.decode(opened.tokens(0)[opened.names[0] :]) == text


def test_the_same_part_gives_the_same_bytes(tmp_path: Path, tokenizer: Tokenizer) -> None:
    for name in ("one", "two"):
        store(tmp_path / name, tokenizer, TEXTS)
    for file in ("part-00000.bin", "part-00000.parquet"):
        assert (tmp_path / "one/tokens" / file).read_bytes() == (tmp_path / "two/tokens" / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one/tokens").iterdir()) == ["part-00000.bin", "part-00000.parquet"]


def test_a_finished_part_is_left_alone_and_an_unfinished_one_made_again(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store(tmp_path, tokenizer, TEXTS)
    target, documents = tmp_path / "tokens" / "part-00000", tmp_path / "kept-0.parquet"
    shard, table = tmp_path / "tokens/part-00000.bin", tmp_path / "tokens/part-00000.parquet"
    made, figures = shard.read_bytes(), encode_part(documents, tokenizer.path.parent, target)
    shard.write_bytes(b"torn")
    assert encode_part(documents, tokenizer.path.parent, target) == figures
    assert shard.read_bytes() == b"torn"
    table.unlink()  # killed between the two: the table is written last
    assert encode_part(documents, tokenizer.path.parent, target) == figures
    assert shard.read_bytes() == made


def test_uint32_beyond_65536_ids(tmp_path: Path, wide_tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, wide_tokenizer, ["a\u6b6d"])
    assert opened.dtype == np.dtype("<u4")
    assert opened.tokens(0)[-1] == 65_829
    assert wide_tokenizer.decode(opened.tokens(0)[opened.names[0] :]) == "a\u6b6d"


def test_damage_is_named(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(UserError, match="there are no token shards"):
        open_tokens(tmp_path)
    store(tmp_path, tokenizer, TEXTS)
    shard, table = tmp_path / "tokens/part-00000.bin", tmp_path / "tokens/part-00000.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-2])
    with pytest.raises(DamagedArtifact, match=f"holds {len(whole) - 2:,} bytes, its table says {len(whole):,}") as caught:
        open_tokens(tmp_path)
    assert caught.value.where == str(shard)
    shard.unlink()
    with pytest.raises(DamagedArtifact, match="is missing"):
        open_tokens(tmp_path)
    table.write_bytes(b"not a table")
    with pytest.raises(DamagedArtifact, match="no table of a token shard"):
        open_tokens(tmp_path)


def test_shards_of_two_tokenizers_are_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    store(tmp_path, tokenizer, TEXTS)
    other = trained(tmp_path / "other", vocab_size=390)
    encode_part(tmp_path / "kept-0.parquet", other.path.parent, tmp_path / "tokens" / "part-00001")
    with pytest.raises(DamagedArtifact, match="different tokenizers"):
        open_tokens(tmp_path)


def test_a_store_pickles_as_its_path(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, TEXTS * 50)
    data = pickle.dumps(opened)
    assert len(data) < 500
    assert pickle.loads(data).tokens(7).tolist() == opened.tokens(7).tolist()


def test_a_part_without_documents(tmp_path: Path, tokenizer: Tokenizer) -> None:
    opened = store(tmp_path, tokenizer, ["only"], parts=2)
    assert len(opened) == 1
    assert (tmp_path / "tokens/part-00001.bin").stat().st_size == 0
