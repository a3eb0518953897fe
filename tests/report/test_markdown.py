"""The Markdown says what the page says, and hostile text stays text in it."""

from __future__ import annotations

import re

from minisc.report.markdown import render_markdown
from tests.report import stories


def outside_fences(page: str) -> str:
    """The page without its code blocks, read as CommonMark does: a fence ends at one as long as it began."""
    out, fence = [], ""
    for line in page.split("\n"):
        run = re.match("`{3,}$", line)
        if fence:
            fence = "" if run and len(line) >= len(fence) else fence
        elif run:
            fence = line
        else:
            out.append(line)
    assert not fence, "a fence never ends"
    return "\n".join(out)


def test_it_holds_the_same_facts() -> None:
    page = render_markdown(stories.full())
    for words in (
        "9 % below zlib -9 (1.99)", "$ python -m minisc +recipe=tiny seed=1", "1.812 \u00b1 0.021", "| documents kept | 6,225 |",
        "copyleft: 877 files, 8.12 MB (12.6 %)", "BSD-3-Clause: 26.0 %", "six/tests/test\\_py2.py", "sum(values)",
        "| 24,576,000 | 1.584 |", "outputs/store/pretrain/43fa9c04d1e77ab20c5", "| tokenizers | 0.22.1 |", "> **Warning:** near\\_dup",
    ):  # fmt: skip
        assert words in page, words


def test_hostile_text_opens_no_tag_link_or_column() -> None:
    page = render_markdown(stories.hostile())
    page.encode("utf-8")
    flow = outside_fences(page)
    assert "<" not in flow and "](" not in flow.replace("\\](", "")
    assert stories.SCRIPT in page  # inside fences, as it was
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in flow.split("\n") if line.startswith("|")]
    tables = [len(re.findall(r"(?<!\\)\|", line)) for line in flow.split("\n") if re.match(r"\| -", line)]
    assert set(columns) == set(tables)


def test_a_fence_is_longer_than_any_inside() -> None:
    page = render_markdown(stories.hostile())
    assert "``````\n$ <script>" in page
