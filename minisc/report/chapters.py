"""The table of contents: which chapters a report has, in which order. A new chapter is a file and a line here."""

from __future__ import annotations

from minisc.report.beside import beside
from minisc.report.blocks import Chapter
from minisc.report.completions import completions
from minisc.report.corpus import corpus
from minisc.report.earlier import earlier
from minisc.report.learning import learning
from minisc.report.road import colophon, road
from minisc.report.scores import scores
from minisc.report.story import Story


def chapters(story: Story) -> list[Chapter]:
    """Those that the run has something to say in."""
    made = [beside(story), scores(story), completions(story), learning(story), earlier(story), corpus(story), road(story), colophon(story)]
    return [chapter for chapter in made if chapter is not None]
