"""download: the text of documents that were listed without it, each unique content once, licenses first.

In: documents, some without text. Out: the same documents with text, or a reason; license files' own rows end here, what they say
stands in the rows that they rule. Order: the contents of license files; then, for every file, the nearest license file above it
(or beside it) gives `license` and `license_evidence`; then the other contents, of the license classes in `ask_for` alone if that
is set: no request is spent on what curation would drop.
A file that may speak of a license (a readme) rules only where no file that is made to hold one stands anywhere above, and only
with a license that is known, as for sources on disk. Several license files in one folder hold all together.
Guarantees: killed anywhere, no finished request is repeated: answers are kept in the downloader's store. When a source had trouble
with some contents, nothing is committed: the run says how many, and the same line goes on. So the result does not depend on luck.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.compute as pc

from minisc.core import durable, ledger, mirror
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.document import Doc, docs_of
from minisc.core.errors import UserError
from minisc.core.parts import read_tables
from minisc.core.passes import merged_samples, run_passes
from minisc.core.stage import KEEP, Judge, Stage, Verdict
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.downloader.base import UNAVAILABLE, Downloader, blob_of, text_verdict, unavailable
from minisc.text.decode import decode
from minisc.text.licenses import NO_LICENSE, NON_PERMISSIVE, PERMISSIVE, UNKNOWN, identify, license_class, normalise

LICENSE_KIND, MADE_FOR_IT, MAY_SPEAK_OF_IT = "license", 1, 2
LICENSE_FILE, NOT_ASKED_FOR = "license_file", "license_not_asked_for"
CLASSES = (PERMISSIVE, NO_LICENSE, NON_PERMISSIVE)
Said = tuple[str | None, str | None]  # SPDX expression, evidence


@dataclass(frozen=True, kw_only=True)
class Download(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("documents",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    downloader: Downloader
    ask_for: Sequence[str] | None

    def __post_init__(self) -> None:
        if unknown := [name for name in self.ask_for or () if name not in CLASSES]:
            raise UserError(
                f"{unknown[0]!r} is no class of licenses",
                where=f"steps.download.ask_for={list(self.ask_for or ())}",
                do=f"choose from: {', '.join(CLASSES)}; null for all",
            )

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        documents, size = inputs["documents"].get("documents_kept", 0), inputs["documents"].get("bytes_kept", 0)
        told = self.downloader.estimate(int(documents), int(size))
        return Cost(
            seconds=told.seconds, requests=told.requests, download_bytes=told.download_bytes, disk_bytes=told.disk_bytes + round(size * 0.35),
            expect={"documents_kept": documents, "bytes_kept": size}, remark=f"at most; {told.remark}".rstrip("; "),
        )  # fmt: skip

    def run(self, work: Work, inputs: Inputs) -> Figures:
        before: Artifact = inputs["documents"]
        kept, dropped = before.files("kept"), before.files("dropped")
        answers = work.scratch / "answers.json"
        if not answers.exists():
            durable.write_json(answers, self._fetch(kept, work.context))
        stage = _Fill(downloader=self.downloader, answers=str(answers), ask_for=self.ask_for)
        last = run_passes({"download": stage}, list(zip(kept, dropped, strict=True)), work.scratch, work.context.engine, work.context.speak)
        for name in ("kept", "dropped"):
            shutil.rmtree(work.path / name, ignore_errors=True)
            shutil.copytree(last / name, work.path / name)
        return self._account(work, before, ledger.rows_in([*kept, *dropped]))

    def _fetch(self, kept: Sequence[Path], context: Context) -> dict[str, Any]:
        """Get everything into the store: {"licenses": …, "lost": {sha1_git: reason}, "blobs": how many the store holds}."""
        with self.downloader.blobs() as store:
            licenses = list(_documents(kept, license_files=True))
            lost = self._asked("license files", [blob_of(doc) for doc in licenses], store, context)
            said = _said(licenses, store)
            nearest = Nearest(said)
            code = (blob_of(doc) for doc in _documents(kept, license_files=False) if self._wants(nearest.of(doc)[0]))
            lost |= self._asked("contents", code, store, context)
            blobs = len(store)
        if troubled := sum(reason == UNAVAILABLE for reason in lost.values()):
            raise unavailable(troubled)
        return {"licenses": said, "lost": lost, "blobs": blobs}

    def _asked(self, what: str, wanted: Any, store: Any, context: Context) -> dict[str, str]:
        blobs = {blob.sha1_git: blob for blob in wanted}
        left = [blob for sha1_git, blob in blobs.items() if sha1_git not in store]
        size = sum(blob.size or 0 for blob in left)
        cost = self.downloader.estimate(len(left), size)
        seconds = cost.seconds or 0
        time = f", about {seconds / 3600:,.1f} h" if seconds >= 3600 else f", about {seconds / 60:,.1f} min" if seconds >= 60 else ""
        context.speak.line(
            f"{what}: {len(blobs):,} unique, {len(blobs) - len(left):,} in the store; {len(left):,} to fetch, {size / 1e6:,.1f} MB{time}"
        )
        with context.speak.progress(f"downloading {what}", len(left), "blobs") as bar:
            return self.downloader.fetch(list(blobs.values()), store, bar)

    def _wants(self, expression: str | None) -> bool:
        return self.ask_for is None or license_class(expression) in self.ask_for

    def _account(self, work: Work, before: Artifact, rows: int) -> Figures:
        kept, dropped = work.files("kept"), work.files("dropped")
        earlier = [row["stage"] for row in json.loads(before.file("waterfall.json").read_text(encoding="utf-8"))["stages"]]
        fall = ledger.waterfall(kept, dropped, [*earlier, "download"])
        ledger.check(fall, rows)
        durable.write_json(work.path / "waterfall.json", fall)
        samples = json.loads(before.file("samples.json").read_text(encoding="utf-8"))
        durable.write_json(work.path / "samples.json", merged_samples(work.scratch, samples))
        if not fall["stages"][-1]["kept"]:
            raise UserError("no content could be had", where="step download", do=f"see the reasons in {work.path / 'waterfall.json'}")
        return ledger.figures_of(fall)


def _documents(kept: Sequence[Path], *, license_files: bool) -> Iterator[Doc]:
    """The documents that lack their text, of license files or of all others, in the order of the corpus."""
    for path in kept:
        for table in read_tables(path):
            mask = pc.and_(
                pc.equal(table["kind"], LICENSE_KIND) if license_files else pc.not_equal(table["kind"], LICENSE_KIND),
                table["text"].is_null(),
            )
            yield from (doc for doc in docs_of(table.filter(mask)) if doc.sha1_git)


def _said(licenses: Sequence[Doc], store: Any) -> dict[str, list[list[Any]]]:
    """What license files say: repository and folder -> [rank, path, SPDX expression], in the order of their names."""
    said: dict[str, list[list[Any]]] = {}
    for doc in licenses:
        raw = store.get(doc.sha1_git)
        text = decode(raw).text if raw is not None else None
        expression = identify(text) if text else None
        if expression:
            said.setdefault(_place(doc.repo, doc.path.rpartition(b"/")[0]), []).append(
                [int(json.loads(doc.notes.get("license_rank", "1"))), doc.path_text, expression]
            )
    return {place: sorted(found) for place, found in said.items()}


def _place(repo: str, folder: bytes) -> str:
    return f"{folder.hex()} {repo}"


class Nearest:
    """The license of a file: that of the nearest license file above it."""

    def __init__(self, said: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        self._said = said
        self._known: dict[tuple[str, bytes], Said] = {}

    def of(self, doc: Doc) -> Said:
        """What the document's row says already, else what the license files above it say."""
        if doc.license is not None:
            return doc.license, doc.license_evidence
        folder = doc.path.rpartition(b"/")[0]
        key = doc.repo, folder
        if key not in self._known:
            self._known[key] = self._look(doc.repo, folder)
        return self._known[key]

    def _look(self, repo: str, folder: bytes) -> Said:
        above = [folder]
        while above[-1]:
            above.append(above[-1].rpartition(b"/")[0])
        for rank in (MADE_FOR_IT, MAY_SPEAK_OF_IT):
            for place in above:
                own = [(path, spdx) for own_rank, path, spdx in self._said.get(_place(repo, place), ()) if own_rank == rank]
                if rank == MAY_SPEAK_OF_IT:
                    own = [(path, spdx) for path, spdx in own if UNKNOWN not in spdx]
                if own:
                    return _all_of([spdx for _, spdx in own]), "file:" + ", ".join(path for path, _ in own)
        return None, None


def _all_of(expressions: Sequence[str]) -> str:
    """One expression that asks for all of them."""
    parts = list(dict.fromkeys(expressions))
    if len(parts) == 1:
        return parts[0]
    joined = " AND ".join(f"({part})" if " " in part else part for part in parts)
    return normalise(joined) or joined  # `normalise` knows no LicenseRef: then as it stands


@dataclass(frozen=True, kw_only=True)
class _Fill(Stage):
    """Fills in what was fetched; asks nobody."""

    version: ClassVar[int] = 1
    reasons: ClassVar[tuple[str, ...]] = (*Downloader.reasons, LICENSE_FILE, NOT_ASKED_FOR)

    downloader: Downloader
    answers: str
    ask_for: Sequence[str] | None

    @contextmanager
    def open(self, found: Path | None = None) -> Iterator[Judge]:
        told = json.loads(mirror.fetch(Path(self.answers)).read_text(encoding="utf-8"))
        nearest, lost, held = Nearest(told["licenses"]), told["lost"], int(told["blobs"])
        with self.downloader.blobs(reading=True) as store:
            if len(store) < held:  # else what is not here would count as not found
                raise UserError(
                    f"this machine sees {len(store):,} of the {held:,} blobs that were fetched", where=f"{store.folder} on {platform.node()}",
                    do="downloader.store=<a folder that every node of the cluster sees>, or engine=local",
                )  # fmt: skip
            yield lambda docs: [self._verdict(doc, nearest, lost, store) for doc in docs]

    def _verdict(self, doc: Doc, nearest: Nearest, lost: dict[str, str], store: Any) -> Verdict:
        if doc.kind == LICENSE_KIND:
            return Verdict(drop=LICENSE_FILE)
        if doc.text:
            return KEEP
        expression, evidence = nearest.of(doc)
        if self.ask_for is not None and license_class(expression) not in self.ask_for:
            return Verdict(drop=NOT_ASKED_FOR, license=expression, license_evidence=evidence)
        verdict = text_verdict(doc, store, lost)
        return Verdict(drop=verdict.drop, text=verdict.text, notes=verdict.notes, license=expression, license_evidence=evidence)
