"""explain: what happened to one file of a corpus, and which kept file it duplicates.

In: documents, and `uid=…`: a uid or at least 8 digits of one, a SWHID (`swh:1:cnt:…`, also of a directory or revision), the sha1_git of a
file, `repo:path`, or a path or its end, with or without the repository before it. Out: a table a file on the screen, the same in run.json, and `explanation.json` in the artifact:
its provenance, license and evidence, notes, who dropped it and why, and for a duplicate the chain of files up to the one that was kept, also
where that lies in a corpus of `inputs.against`.
Guarantees: a row group at a time is read, by column, and never a text; the first `SHOWN` matches are told, the others counted. An answer is
an artifact like any other, so a question asked twice costs nothing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work, is_finished
from minisc.core.document import ELSEWHERE
from minisc.core.errors import UserError
from minisc.core.runs import STORE
from minisc.core.step import Context, Inputs, Need, Step

SHOWN = 20  # files that are told of one question
_NAMES = 50_000  # different file names that a wrong one is compared with
_CHAIN = 10  # duplicates of duplicates, one by each filter that looks for them
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")
_SWHID = re.compile(r"swh:1:(cnt|dir|rev):([0-9a-f]{40})")
_HEX = re.compile(r"[0-9a-f]{8,32}")
_COLUMNS = {"cnt": "sha1_git", "dir": "directory", "rev": "revision"}
_TOLD = (
    "uid", "sha1_git", "size", "kind", "encoding", "source", "repo", "revision", "directory", "path_text", "license", "license_evidence",
    "stars", "date", "split", "notes", "dropped_by", "reason",
)  # fmt: skip
_NOTE_CHARACTERS = 300  # of one note on the screen


@dataclass(frozen=True, kw_only=True)
class Explain(Step):
    """Raises UserError without a question, and where nothing matches."""

    version: ClassVar[int] = 2
    makes: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}

    uid: str | None

    def __post_init__(self) -> None:
        if not self.uid:
            raise UserError("which file?", where="uid=null", do="uid=<uid>, uid=swh:1:cnt:<40 hex digits>, uid=<repo>:<path> or uid=<path>")

    def run(self, work: Work, inputs: Inputs) -> Figures:
        corpus: Artifact = inputs["documents"]
        count = 0
        rows: list[dict[str, Any]] = []
        for row in _matches(_parts(corpus), str(self.uid)):
            count += 1
            if len(rows) < SHOWN:
                rows.append(row)
        if not rows:
            raise UserError(
                f"no file of this corpus is {self.uid!r}", where=f"uid={self.uid} in {corpus.path}", do=_suggestion(corpus, str(self.uid))
            )
        told = [_story(row, corpus, work.context.out) for row in rows]
        durable.write_json(work.path / "explanation.json", told)
        return {"files_matched": count, "explained": told}

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        told = artifact.figures["explained"]
        for story in told:
            context.speak.table(f"{story['repo']}:{story['path']}", ["", "what happened"], _lines(story))
        if artifact.figures["files_matched"] > len(told):
            context.speak.line(
                f"{artifact.figures['files_matched']:,} files match; the first {len(told)} are shown: uid=<repo>:<path> names one"
            )


def _parts(corpus: Artifact) -> list[Path]:
    return [*corpus.files("kept"), *corpus.files("dropped")]


def _matches(parts: Sequence[Path], asked: str) -> Iterator[dict[str, Any]]:
    """Rows that a question means, in the order of the corpus, the kept ones first."""
    needed = _needed(asked)
    for path in parts:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                mask = _mask(file.read_row_group(group, columns=needed), asked)
                if pc.any(mask).as_py():
                    yield from file.read_row_group(group, columns=list(_TOLD)).filter(mask).to_pylist()


def _needed(asked: str) -> list[str]:
    if swhid := _SWHID.fullmatch(asked):
        return [_COLUMNS[swhid[1]]]
    return ["uid", "sha1_git", "repo", "path_text"]


def _mask(table: pa.Table, asked: str) -> pa.ChunkedArray:
    """Which rows are meant: nulls are not."""
    if swhid := _SWHID.fullmatch(asked):
        return pc.fill_null(pc.equal(table[_COLUMNS[swhid[1]]], swhid[2]), False)
    named = pc.binary_join_element_wise(table["repo"], table["path_text"], ":")
    whole = pc.binary_join_element_wise(pc.fill_null(table["repo"], ""), table["path_text"], "/")
    masks = [
        pc.equal(named, asked),
        pc.equal(whole, asked),
        pc.ends_with(whole, f"/{asked.lstrip('/')}"),
        pc.equal(table["path_text"], asked),
        pc.ends_with(table["path_text"], f"/{asked.lstrip('/')}"),
    ]
    if _HEX.fullmatch(asked):
        masks.append(pc.starts_with(table["uid"], asked))
    if len(asked) == 40:
        masks.append(pc.equal(table["sha1_git"], asked))
    meant = pc.fill_null(masks[0], False)
    for mask in masks[1:]:
        meant = pc.or_(meant, pc.fill_null(mask, False))
    return meant


def _story(row: Mapping[str, Any], corpus: Artifact, out: Path) -> dict[str, Any]:
    """One file's story as plain data; `duplicates` leads from its twin to the file that was kept."""
    notes = {key: json.loads(value) for key, value in row["notes"] or ()}
    return {
        "uid": row["uid"], "swhid": f"swh:1:cnt:{row['sha1_git']}" if row["sha1_git"] else None, "source": row["source"],
        "repo": row["repo"], "revision": row["revision"], "path": row["path_text"], "size": row["size"], "kind": row["kind"], "encoding": row["encoding"],
        "license": row["license"], "license_evidence": row["license_evidence"], "stars": row["stars"],
        "date": row["date"].isoformat() if row["date"] else None, "split": row["split"], "notes": notes,
        "passed": _passed(corpus, row["dropped_by"]), "dropped_by": row["dropped_by"], "reason": row["reason"],
        "duplicates": list(_chain(notes, corpus, out)),
    }  # fmt: skip


def _passed(corpus: Artifact, dropped_by: str | None) -> list[str]:
    """The stages that let the file through."""
    stages = [row["stage"] for row in json.loads(corpus.file("waterfall.json").read_text(encoding="utf-8"))["stages"]]
    return stages[: stages.index(dropped_by)] if dropped_by in stages else stages


def _chain(notes: Mapping[str, Any], corpus: Artifact, out: Path) -> Iterator[dict[str, Any]]:
    """The file that this one duplicates, the one which that duplicates, and so on."""
    seen: set[str] = set()
    while isinstance(of := notes.get("of"), str) and of not in seen and len(seen) < _CHAIN:
        seen.add(of)
        mark, _, uid = of.rpartition(ELSEWHERE)
        where = _elsewhere(mark, out) if mark else corpus
        row = next(_matches(_parts(where), uid), None) if where else None
        if row is None:
            yield {"uid": of, "repo": None, "path": None, "dropped_by": None, "reason": None, "jaccard": notes.get("jaccard")}
            return
        corpus = where or corpus
        yield {
            "uid": of, "repo": row["repo"], "path": row["path_text"], "dropped_by": row["dropped_by"], "reason": row["reason"],
            "jaccard": notes.get("jaccard"),
        }  # fmt: skip
        notes = {key: json.loads(value) for key, value in row["notes"] or ()} if row["dropped_by"] else {}


def _elsewhere(mark: str, out: Path) -> Artifact | None:
    """The artifact of a fingerprint, if it is in the store still."""
    folders = (out / STORE).glob(f"*/{mark}") if _FINGERPRINT.fullmatch(mark) else ()
    return next((Artifact(folder) for folder in sorted(folders) if is_finished(folder)), None)


def _lines(story: Mapping[str, Any]) -> list[list[str]]:
    """The table of one file: what is known, top to bottom."""
    came = [
        f"{name} {story[name]}" for name in ("source", "revision", "kind", "encoding", "split", "stars", "date") if story[name] is not None
    ]
    evidence = f" (from {story['license_evidence']})" if story["license_evidence"] else ""
    fate = f"dropped by {story['dropped_by']}: {story['reason']}" if story["dropped_by"] else "kept"
    rows = [["fate", fate], ["passed", " ".join(story["passed"])], ["uid", story["uid"]], ["SWHID", story["swhid"] or "unknown"]]
    rows += [
        ["where", f"{story['repo']}:{story['path']}"],
        ["size", f"{story['size']:,} bytes" if story["size"] is not None else "unknown"],
    ]
    rows += [["provenance", ", ".join(came)], ["license", f"{story['license'] or 'none'}{evidence}"]]
    rows += [[f"note {key}", json.dumps(value, ensure_ascii=False)[:_NOTE_CHARACTERS]] for key, value in sorted(story["notes"].items())]
    return rows + [["duplicate of", _twin(twin)] for twin in story["duplicates"]]


def _twin(twin: Mapping[str, Any]) -> str:
    if twin["repo"] is None:
        return f"{twin['uid']}, which is not in the store any more"
    near = f", similarity {twin['jaccard']}" if twin["jaccard"] is not None else ""
    fate = f"dropped by {twin['dropped_by']}: {twin['reason']}" if twin["dropped_by"] else "kept"
    return f"{twin['repo']}:{twin['path']} (uid {twin['uid']}, {fate}{near})"


def _suggestion(corpus: Artifact, asked: str) -> str:
    """Where files of nearly the same name lie; what to ask for otherwise."""
    wanted = asked.rpartition(":")[2].rpartition("/")[2]
    names: dict[str, str] = {}  # file name -> the first file of that name
    for path in _parts(corpus):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=["repo", "path_text"])
                for repo, place in zip(table["repo"].to_pylist(), table["path_text"].to_pylist(), strict=True):
                    name = (place or "").rpartition("/")[2]
                    if len(names) < _NAMES or name == wanted:
                        names.setdefault(name, f"{repo}:{place}")
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(f"uid={names[name]}" for name in close) + "?"
    return "give a uid, swh:1:cnt:<40 hex digits>, <repo>:<path>, a path or its end"
