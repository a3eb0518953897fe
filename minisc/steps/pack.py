"""pack: the training split as token shards.

In: documents, a tokenizer. Out: a `tokens` artifact: `tokens/part-00000.bin` (ids) and `.parquet` (which document lies
where) for each part, and the tokenizer that made them. Part by part through the engine; a finished part is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable, mirror
from minisc.core.artifact import Figures, Work
from minisc.core.errors import UserError
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.tokens.pack import encode_part

BYTES_PER_SECOND = 25e6  # of text on two cores; measured, see recipes/README.md


@dataclass(frozen=True, kw_only=True)
class Pack(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("tokens", "tokenizer")
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents"), "tokenizer": Need("tokenizer")}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        size = inputs["documents"].get("bytes_kept", 0) - inputs["documents"].get("held_out_bytes", 0)
        tokens = round(size / inputs["tokenizer"].get("bytes_per_token", 3.3))
        return Cost(
            seconds=size / BYTES_PER_SECOND, disk_bytes=2 * tokens,
            expect={"tokens": tokens, "bytes": size, "vocabulary": inputs["tokenizer"].get("vocabulary", 0)},
        )  # fmt: skip

    def run(self, work: Work, inputs: Inputs) -> Figures:
        parts = inputs["documents"].files("kept")
        (work.path / "tokens").mkdir(exist_ok=True)
        durable.copy(inputs["tokenizer"].file("tokenizer.json"), work.path / "tokenizer.json")
        tasks = [_Encode(part, work.path / "tokenizer.json", work.path / "tokens" / part.stem) for part in parts]
        total: dict[str, float] = {}
        with work.context.speak.progress("packing", len(tasks), "parts") as bar:
            for figures in work.context.engine.map(_encode, tasks):
                for name, figure in figures.items():
                    total[name] = total.get(name, 0) + figure
                bar.advance()
        if not total.get("tokens"):
            raise UserError(
                "there is not one training document to pack",
                where=f"documents {inputs['documents'].path}",
                do="steps.collect.held_out=0.03, or a larger source",
            )
        return {**total, "bytes_per_token": total["bytes"] / total["tokens"], "vocabulary": _vocabulary(inputs["tokenizer"])}


@dataclass(frozen=True)
class _Encode:
    part: Path
    tokenizer: Path
    target: Path


def _encode(task: _Encode) -> dict[str, Any]:
    return encode_part(task.part, mirror.fetch(task.tokenizer), task.target)


def _vocabulary(tokenizer: Any) -> int:
    from minisc.tokenizer.base import Tokenizer

    return Tokenizer.load(tokenizer.path).vocab_size
