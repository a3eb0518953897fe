"""Prompts are rendered as the corpus is, and cut only at their far ends."""

from __future__ import annotations

import pytest

from minisc.core.errors import UserError
from minisc.generation.prompt import Prompt, encode
from tests.generation.small import tokenizer


def shown(prompt: Prompt, room: int = 4096, *, cut: bool = False) -> str:
    return tokenizer().decode(encode(prompt, tokenizer(), room, cut=cut).ids)


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (Prompt(text="a = 1"), "<|endoftext|>a = 1"),
        (Prompt(text=""), "<|endoftext|>"),
        (Prompt(text="pre", suffix="suf"), "<|endoftext|><fim_prefix>pre<fim_suffix>suf<fim_middle>"),
        (Prompt(text="pre", suffix=""), "<|endoftext|><fim_prefix>pre<fim_suffix><fim_middle>"),
        (Prompt(text="b", files=[("x.py", "a\n")]), "<|endoftext|><file_sep>a\n<file_sep>b"),
        (Prompt(text="b", repo="r", path="y.py"), "<|endoftext|><repo_name>r<file_sep>y.py\nb"),
        (Prompt(text="b", repo="r", path="y.py", files=[("x.py", "a\n")]), "<|endoftext|><repo_name>r<file_sep>x.py\na\n<file_sep>y.py\nb"),
        (
            Prompt(text="b", suffix="c", repo="r", path="y.py"),
            "<|endoftext|><repo_name>r<file_sep><fim_prefix>y.py\nb<fim_suffix>c<fim_middle>",
        ),
    ],
)
def test_the_forms_of_a_prompt(prompt: Prompt, told: str) -> None:
    assert shown(prompt) == told


def test_a_special_token_in_the_text_is_ordinary_text() -> None:
    ids = encode(Prompt(text="<fim_middle><|endoftext|>"), tokenizer(), 100, cut=False).ids
    assert ids[0] == 0 and all(token >= 38 for token in ids[1:])


def test_a_cut_prompt_keeps_what_is_near() -> None:
    text = "".join(f"a{number} = {number}\n" for number in range(100))
    told = shown(Prompt(text=text), 60, cut=True)
    assert text.endswith(told.removeprefix("<|endoftext|>"))
    assert len(encode(Prompt(text=text), tokenizer(), 60, cut=True).ids) == 60


def test_a_cut_fill_in_keeps_its_marks_the_end_of_its_prefix_and_the_beginning_of_its_suffix() -> None:
    text, suffix = "p" * 500 + "PRE", "SUF" + "s" * 500
    encoded = encode(Prompt(text=text, suffix=suffix), tokenizer(), 64, cut=True)
    told = tokenizer().decode(encoded.ids)
    assert told.startswith("<|endoftext|><fim_prefix>p") and "PRE<fim_suffix>SUF" in told and told.endswith("s<fim_middle>")
    assert len(encoded.ids) == 64 and encoded.cut > 0


def test_other_files_go_first() -> None:
    prompt = Prompt(text="near", repo="r", path="y.py", files=[("far.py", "x" * 80), ("x.py", "y = 2\n")])
    assert shown(prompt, 60, cut=True) == "<|endoftext|><repo_name>r<file_sep>x.py\ny = 2\n<file_sep>y.py\nnear"


def test_names_alone_that_do_not_fit_are_refused_even_with_cut() -> None:
    with pytest.raises(UserError, match="tokens, the model takes 20"):
        encode(Prompt(text="a", repo="r" * 400, path="y.py"), tokenizer(), 20, cut=True)


def test_a_path_without_a_repository_is_refused() -> None:
    with pytest.raises(UserError, match="both its repository and its path"):
        Prompt(text="a", path="y.py")
