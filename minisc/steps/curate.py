"""curate: a list of filters over a corpus, every document accounted for.

In: documents, and (`inputs.against`) finished corpora that they are compared with. Out: documents: the kept ones, and the dropped ones as rows without text that say who dropped them and why;
the waterfall; up to 20 samples a reason; who has to be named (`attribution.parquet`); what global stages found (clusters and the like) under `tables/<filter>/`.
Guarantees: seen = kept + dropped for every filter, held against the number of rows that came in, before the commit. A
filter that drops far more than its option file expects is said aloud, with the override that accepts it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from minisc.core import durable, ledger
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.attribution import write_attribution
from minisc.core.errors import UserError
from minisc.core.fingerprint import ordered
from minisc.core.passes import Corpus, merged_samples, merged_tokens, run_passes
from minisc.core.stage import GlobalStage, Stage
from minisc.core.step import Context, Cost, Inputs, Need, Step

BYTES_PER_SECOND = 6e6  # of text on two cores, through license, syntax, exact_dup and near_dup; measured, see recipes/README.md


@dataclass(frozen=True, kw_only=True)
class Curate(Step):
    version: ClassVar[int] = 3
    makes: ClassVar[tuple[str, ...]] = ("documents",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents"), "against": Need("documents", many=True, given=True)}

    filters: dict[str, Stage]

    def __post_init__(self) -> None:
        for reader, note, writer in self._readings():
            names = list(self.filters)
            if writer and names.index(writer) > names.index(reader):
                names.remove(reader)
                names.insert(names.index(writer) + 1, reader)
                raise UserError(
                    f"{reader} reads the note {note!r}, which {writer} writes only after it",
                    where=f"filters=[{','.join(self.filters)}]",
                    do=f"filters=[{','.join(names)}]",
                )

    def _readings(self) -> Iterator[tuple[str, str, str]]:
        """(filter, note that it reads, filter of the list that writes it or '')."""
        writers = {note: name for name, stage in self.filters.items() for note in stage.writes}
        yield from ((name, note, writers.get(note, "")) for name, stage in self.filters.items() for note in stage.reads)

    def leaves(self, context: Context) -> Mapping[str, Any]:
        return {"order": ordered(self.filters)}  # [a, b] and [b, a] are not the same corpus

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        size, documents = inputs["documents"].get("bytes_kept", 0), inputs["documents"].get("documents_kept", 0)
        return Cost(
            seconds=size / BYTES_PER_SECOND, disk_bytes=round(size * 0.3), expect={"documents_kept": documents * 0.8, "bytes_kept": size * 0.8},
            remark="; ".join([" ".join(self.filters), *(told for stage in self.filters.values() for told in stage.remarks()), *self._unwritten()]),
        )  # fmt: skip

    def _unwritten(self) -> Iterator[str]:
        for reader, note, writer in self._readings():
            if not writer:
                yield f"{reader} reads the note {note!r}, which no filter of the list writes: the documents have to bring it"

    def run(self, work: Work, inputs: Inputs) -> Figures:
        before: Artifact = inputs["documents"]
        kept, dropped = before.files("kept"), before.files("dropped")
        parts = [(one, other) for one, other in zip(kept, dropped, strict=True)]
        against = self._against(inputs["against"])
        last = run_passes(self.filters, parts, work.scratch, work.context.engine, work.context.speak, against)
        for name in ("kept", "dropped"):
            shutil.rmtree(work.path / name, ignore_errors=True)
            shutil.copytree(last / name, work.path / name)
        for found in sorted((work.scratch / "found").glob("*")):
            shutil.copytree(found, work.path / "tables" / found.name, dirs_exist_ok=True)
        return self._account(work, before, ledger.rows_in([*kept, *dropped]))

    def _against(self, artifacts: Sequence[Artifact]) -> list[Corpus]:
        if artifacts and not any(isinstance(stage, GlobalStage) and stage.compares for stage in self.filters.values()):
            raise UserError(
                "a corpus to compare with was given, and no filter compares",
                where=f"filters=[{','.join(self.filters)}]",
                do="add exact_dup or near_dup to the filters, or leave inputs.against out",
            )
        return [Corpus(artifact.fingerprint, tuple(artifact.files("kept"))) for artifact in artifacts]

    def _account(self, work: Work, before: Artifact, rows: int) -> Figures:
        kept, dropped = work.files("kept"), work.files("dropped")
        earlier = json.loads(before.file("waterfall.json").read_text(encoding="utf-8"))
        fall = ledger.waterfall(kept, dropped, [*(row["stage"] for row in earlier["stages"]), *self.filters])
        ledger.check(fall, rows)
        lines, tokens = ledger.lines_and_tokens(kept)
        fall = ledger.with_tokens(fall, merged_tokens(work.scratch, ledger.dropped_tokens(earlier)), tokens)
        durable.write_json(work.path / "waterfall.json", fall)
        write_attribution(kept, work.path / "attribution.parquet")
        samples = json.loads(before.file("samples.json").read_text(encoding="utf-8"))
        durable.write_json(work.path / "samples.json", merged_samples(work.scratch, samples))
        _warn(fall, self.filters, work.context)
        if not fall["stages"][-1]["kept"]:
            raise UserError(
                "curation kept no document", where="filters=[" + ",".join(self.filters) + "]", do="see waterfall.json in " + str(work.path)
            )
        return ledger.figures_of(fall) | {"lines_kept": lines}

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        for stage in self.filters.values():
            for told in stage.remarks():
                context.speak.warn(told)
        show_waterfall(json.loads(artifact.file("waterfall.json").read_text(encoding="utf-8")), context)


def _warn(fall: Mapping[str, Any], filters: Mapping[str, Stage], context: Context) -> None:
    for row in fall["stages"]:
        stage = filters.get(row["stage"])
        share = row["dropped"] / row["seen"] if row["seen"] else 0.0
        if stage is not None and share > stage.expected_drop:
            reason = max(row["reasons"], key=lambda name: row["reasons"][name]["documents"])
            context.speak.warn(
                f"{row['stage']} dropped {share:.0%} of the documents, mostly as {reason!r}; it expects at most {stage.expected_drop:.0%}. "
                f"If that is right for this corpus: filters.{row['stage']}.expected_drop={min(1.0, round(share + 0.05, 2))}"
            )


def show_waterfall(fall: Mapping[str, Any], context: Context) -> None:
    """Seen, kept, dropped by each stage, in documents, bytes and estimated tokens, with the reasons."""
    rows = []
    for row in fall["stages"]:
        why = ", ".join(
            f"{reason} {count['documents']:,}" for reason, count in sorted(row["reasons"].items(), key=lambda item: -item[1]["documents"])
        )
        tokens = "" if row.get("kept_tokens") is None else f"{row['kept_tokens'] / 1e6:,.2f}"
        rows.append(
            [row["stage"], f"{row['seen']:,}", f"{row['kept']:,}", f"{row['dropped']:,}", f"{row['kept_bytes'] / 1e6:,.1f}", tokens, why]
        )
    context.speak.table("", ["stage", ">seen", ">kept", ">dropped", ">kept MB", ">~Mtokens", "why"], rows)
