"""index: the training split made searchable, for `trace`.

In: documents. Out: an `index` artifact: `index/part-00000.*` for each part (see `minisc/trace`), and `index.json` with what a search has to
know. Part by part through the engine; a finished part is left alone. It needs no tokenizer and no model: one index serves every model that
was trained on the same documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Figures, Work
from minisc.core.errors import UserError
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.trace.part import PartTask, index_part

ABOUT = "index.json"
BYTES_PER_SECOND = 50e6  # of text on two cores; measured, see recipes/README.md
BYTES_PER_LEXEME = 4.9  # of text: installed packages
EVERY_MOST = 1024


@dataclass(frozen=True, kw_only=True)
class Index(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("index",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    window: int
    every: int

    def __post_init__(self) -> None:
        if self.window % 2 or not 4 <= self.window <= 256:
            raise UserError(
                "a window holds an even number of tokens from 4 to 256",
                where=f"steps.index.window={self.window}",
                do="steps.index.window=16",
            )
        if not 1 <= self.every <= EVERY_MOST:
            raise UserError(
                f"`every` is a number from 1 to {EVERY_MOST:,}", where=f"steps.index.every={self.every}", do="steps.index.every=8"
            )

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        size = inputs["documents"].get("bytes_kept", 0) - inputs["documents"].get("held_out_bytes", 0)
        return Cost(seconds=1 + size / BYTES_PER_SECOND, disk_bytes=round(size / BYTES_PER_LEXEME * (5 + 12 / self.every)))

    def run(self, work: Work, inputs: Inputs) -> Figures:
        target = work.path / "index"
        target.mkdir(exist_ok=True)
        tasks = [
            PartTask(documents=part, target=target / part.stem, window=self.window, every=self.every)
            for part in inputs["documents"].files("kept")
        ]
        total: dict[str, Any] = {"documents_indexed": 0, "lexemes_indexed": 0, "index_bytes": 0}
        with work.context.speak.progress("indexing", len(tasks), "parts") as bar:
            for figures in work.context.engine.map(index_part, tasks):
                total = {name: total[name] + figures[name] for name in total}
                bar.advance()
        if not total["documents_indexed"]:
            raise UserError(
                "there is not one training document to index", where=f"documents {inputs['documents'].path}", do="a larger source"
            )
        durable.write_json(work.path / ABOUT, {"window": self.window, "every": self.every})
        return total
