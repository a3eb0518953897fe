"""The story of a run as plain data: all that a report may say, and nothing that has to be looked up.

In: what the report step read from the run's artifacts (dictionaries and lists as they stand in JSON). Out: nothing; the
chapters turn it into blocks, the renderers turn blocks into HTML and Markdown. Every part but the head is optional: what a
run did not do is left out, not shown as empty.

All text in it is hostile: documents, file names, names of repositories. Nothing here is escaped; the renderers do that, in
one place each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened in a run.

    `steps`      one a step, in order: {step, fingerprint, cached, seconds, figures, artifact (a path)}
    `waterfall`  {stages, licenses, splits, sources, repos, samples} as a documents artifact's `waterfall.json` has them
    `metrics`    name of the training step -> its rows {step, tokens, loss, bits_per_byte, lr, grad_norm, tokens_per_second, mfu}
    `scores`     name of the evaluation -> {about, figures, tables: name -> rows}
    `samples`    {name, prompt, suffix or None, completion, finish_reason, settings} and, where there are, ended_by, cut_tokens,
                 repo, path; NUL pairs mark real special tokens
    `traces`     number of a sample -> what it repeats of the training documents, an entry of `trace.json`
    `earlier`    another run to compare with: {name, command, figures, settings: key -> [then, now], metrics: rows,
                 apart: rows of what lies between the scores of both}
    `beside`     runs set side by side: {runs: (number, name, command), and tables of head and rows: scores, apart, figures, settings}
    `places`     (what it is, where it lies)
    `versions`   package -> version
    `warnings`   what the run warned of, in its own words
    """

    recipe: str
    command: str
    date: str  # as people write it; the report step chooses the form
    machine: str
    seconds: float = 0.0
    verdict: str = ""  # one sentence; empty: said from the scores
    figures: Row = field(default_factory=dict)  # of the whole run
    steps: Sequence[Row] = ()
    waterfall: Row | None = None
    metrics: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    scores: Mapping[str, Row] = field(default_factory=dict)
    samples: Sequence[Row] = ()
    traces: Mapping[int, Row] = field(default_factory=dict)
    earlier: Row | None = None
    beside: Row | None = None
    places: Sequence[tuple[str, str]] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    config: str = ""  # the resolved configuration, YAML
