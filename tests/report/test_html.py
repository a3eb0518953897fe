"""The page is whole, says what the story says, and lets nothing of the story act."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from minisc.report.html import render_html
from minisc.report.markup import VOID, source, tag
from minisc.report.story import Story
from tests.report import stories


class Seen(HTMLParser):
    """An independent reader of the page: its elements, their attributes, its text; complains about bad nesting."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def test_the_whole_story_stands_in_the_page() -> None:
    seen = Seen(render_html(stories.full()))
    for words in (
        "1.81 bits per byte on repositories that the model has never seen: 9 % below zlib -9 (1.99), 9 % below xz -9 (1.99).",
        "python -m minisc +recipe=tiny seed=1", "2 cores, 4 GB", "4 min 22 s", "1.812 \u00b1 0.021", "1.301",
        "Of 9,812 files (74.3 MB), 6,225 (43.6 MB) are left, 58.6 % of the bytes, from 143 repositories.",
        "copyleft", "877 files, 8.12 MB (12.6 %)", "BSD-3-Clause", "2 others", "held_out", "installed",
        "six/tests/test_py2.py", "sum(values)", "ended by itself", "ended by itself: <file_sep>", "cut at its limit", "12 tokens of the prompt did not fit", "<repo_name>",
        "the loss went from 9.08 to 1.58 nats a token", "(log scale)", "learning rate", "model FLOPs utilisation",
        "cached", "outputs/store/pretrain", "repeats 27 of its 41 words and signs in a row", "six:six/gcd.py:41", "swh:1:cnt:5f5f", "over 2", "none of its 4 words",
        "Beside an earlier run", "2026-03-13_11-02-44", "Settings that differ: 2", "0.22.1", "near_dup dropped 10.6 %", "hidden: 256",
    ):  # fmt: skip
        assert words in seen.text, words


def test_white_space_of_a_completion_is_kept_and_its_trailing_part_marked() -> None:
    page = render_html(stories.full())
    assert 'def __init__(self, self, self):<span class="ws">   </span>\n        self.self = self.self\n\tself.self = self</span>' in page


def test_a_prompt_that_stops_inside_a_line_has_no_trailing_space() -> None:
    assert source("    ", ends=False) == "    "
    assert source("a \nb ", ends=False) == 'a<span class="ws"> </span>\nb '
    assert source("b ") == 'b<span class="ws"> </span>'


def test_special_tokens_are_told_from_text_that_looks_like_them() -> None:
    assert source("\0<fim_prefix>\0a") == '<b class="special">&lt;fim_prefix&gt;</b>a'
    assert source("<fim_prefix>a") == "&lt;fim_prefix&gt;a"


def test_nothing_of_a_hostile_story_becomes_markup() -> None:
    seen = Seen(render_html(stories.hostile()))
    allowed = {name for name, _ in Seen(render_html(stories.full())).tags}
    assert {name for name, _ in seen.tags} <= allowed | {"i"}
    assert not {"script", "img", "a", "iframe", "link", "object"} & {name for name, _ in seen.tags}
    assert not [key for _, attributes in seen.tags for key in attributes if key.startswith("on") or key in ("href", "src", "style")]
    assert seen.text.count(stories.SCRIPT) > 30  # it is shown, in every place


def test_what_the_eye_cannot_see_is_shown_by_its_code_point() -> None:
    page = render_html(stories.hostile())
    page.encode("utf-8")  # a lone surrogate could not be written
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\ud800-\udfff]", page)
    for code_point in ("U+202E", "U+200B", "U+001B", "U+0000", "U+D800"):
        assert f'<i class="u">{code_point}</i>' in page


def test_it_needs_nothing_else_and_runs_nothing() -> None:
    page = render_html(stories.full())
    assert "default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;" in page
    assert "url(" not in page and "@import" not in page and "http://" not in page and "https://" not in page
    assert len(page) < 150_000


def test_parts_that_a_run_did_not_have_are_left_out() -> None:
    seen = Seen(render_html(Story(recipe="r", command="c", date="d", machine="m")))
    assert [name for name, _ in seen.tags].count("section") == 1  # what lies where
    assert "0 steps: 0 done now, 0 taken from the store." in seen.text
    assert "Scores" not in seen.text


@pytest.mark.parametrize(
    "part", ["steps", "waterfall", "metrics", "scores", "samples", "traces", "earlier", "places", "versions", "figures"]
)
def test_any_part_may_be_missing(part: str) -> None:
    default = Story(recipe="r", command="c", date="d", machine="m")
    Seen(render_html(dataclasses.replace(stories.full(), **{part: getattr(default, part)})))


def test_broken_numbers_do_not_break_the_page() -> None:
    rows = [
        {"step": 1, "tokens": 10, "loss": 3.0},
        {"step": 2, "tokens": 20, "loss": float("nan")},
        {"step": 3, "tokens": 30, "loss": None},
    ]
    story = dataclasses.replace(
        stories.full(), metrics={"pretrain": [*rows, {"step": 4, "tokens": 40, "loss": float("inf")}]}, waterfall=empty_waterfall()
    )
    page = render_html(story)
    assert "nan" not in page.lower().replace("finance", "") and "inf\u0020" not in page
    Seen(page)


def empty_waterfall() -> dict[str, object]:
    nothing = {"seen": 0, "kept": 0, "dropped": 0, "seen_bytes": 0, "kept_bytes": 0, "dropped_bytes": 0, "reasons": {}}
    return {
        "stages": [{"stage": "collect", **nothing}],
        "licenses": [{"license": None, "documents": 0, "bytes": 0}],
        "splits": {},
        "repos": 0,
    }


def test_the_same_story_gives_the_same_bytes() -> None:
    assert render_html(stories.full()) == render_html(stories.full())


def test_a_tag_escapes_its_children_and_its_attributes() -> None:
    assert tag("p", "a<b", tag("b", "c"), title='"x"', class_=None) == '<p title="&quot;x&quot;">a&lt;b<b>c</b></p>'


def test_bits_per_byte_of_training_text_are_not_called_held_out() -> None:
    story = dataclasses.replace(stories.full(), scores={})
    assert story.figures["bits_per_byte"] and "held out" not in Seen(render_html(story)).text.split("The road")[0].replace("held_out", "")
