"""trace: which training documents a text repeats, token for token.

In: an index; and `text=…` (a text, a file, a list), or else what a model wrote: `samples`, and the completions in `evaluations`, each different
one once. Out: `trace.json`, an entry a text: its longest repeats with repository, path, line, license and SWHID of documents that hold them.
What a model wrote is also scored, so the artifact is an evaluation: `scores.json` has the share of texts that repeat `long` tokens or more,
among those that are as long, with its interval. Prompts are not traced: a repeat counts as far as the model wrote it.

A token is here a word or a sign; white space separates and does not count (see `text.lexemes`). What is found for certain, and what is not
looked for, says `minisc/trace`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.step import Context, Cost, Inputs, Need, Step
from minisc.evals.pass_at_k import wilson
from minisc.trace.origins import Traced, trace
from minisc.trace.search import Rules

NAME = "verbatim_repeats"  # of the score
TOLD = "trace.json"
ROWS = 100  # of the score's table
SHOWN = 10  # texts on the screen
FIELDS = ("text", "completion", "content")  # of a line of JSON that is an object: the first that it has


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text to trace. `origin`: samples, evaluations or text; `artifact`, `at`: which artifact, and where in its list."""

    name: str
    text: str
    origin: str
    artifact: str = ""
    at: int = 0


@dataclass(frozen=True, kw_only=True)
class Trace(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("evaluation",)
    needs: ClassVar[Mapping[str, Need]] = {
        "index": Need("index"), "samples": Need("samples", optional=True, many=True), "evaluations": Need("evaluation", optional=True, many=True),
    }  # fmt: skip

    text: Any = free()  # its content is among the leaves
    least: int
    long: int
    distinct: int
    places: int
    shown: int

    def __post_init__(self) -> None:
        for name in ("least", "long", "distinct", "places", "shown"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` is a number from 1 on", where=f"steps.trace.{name}={getattr(self, name)}", do="leave it out")
        if self.least > self.long:
            raise UserError(
                "the score counts repeats that are not looked for",
                where=f"steps.trace.least={self.least}, long={self.long}",
                do=f"steps.trace.least={self.long}",
            )

    def leaves(self, context: Context) -> Mapping[str, Any]:
        texts = _given(self.text)
        raw = json.dumps([[one.name, one.text] for one in texts]).encode()
        return {"texts": hashlib.sha256(raw).hexdigest()} if texts else {}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        return Cost(seconds=1 + inputs["index"].get("index_bytes", 0) / 1e9)

    def run(self, work: Work, inputs: Inputs) -> Figures:
        about = json.loads(inputs["index"].file("index.json").read_text(encoding="utf-8"))
        inputs["index"].files("index")
        rules = Rules(window=about["window"], every=about["every"], least=self.least, distinct=self.distinct, places=self.places)
        self._check(rules)
        given = _given(self.text)
        texts = given or [*_samples(inputs["samples"]), *_completions(inputs["evaluations"])]
        if not any(one.text.strip() for one in texts):
            raise UserError(
                "there is nothing to trace" + (", or it is empty" if texts else ""), where="steps=[trace]",
                do="text='…', text=@<file>, inputs.samples=latest:<recipe>, or put generate before trace",
            )  # fmt: skip
        with work.context.speak.progress("tracing", len(texts), "texts") as bar:
            found = []
            for one in trace(
                [one.text for one in texts], inputs["index"].path / "index", rules, self.shown, work.context.engine, work.scratch
            ):
                found.append(one)
                bar.advance()
        entries = [_entry(text, one) for text, one in zip(texts, found, strict=True)]
        models = [] if given else sorted(_models([*inputs["samples"], *inputs["evaluations"]]))
        durable.write_json(
            work.path / TOLD, {"rules": asdict(rules), "index": inputs["index"].fingerprint, "models": models, "texts": entries}
        )
        figures = self._figures(found)
        told = {} if given else {NAME: {"about": self._about(), "figures": figures, "tables": {"repeats": _rows(entries)}}}
        durable.write_json(work.path / "scores.json", told)
        return figures

    def _check(self, rules: Rules) -> None:
        certain = rules.window + rules.every - 1
        if rules.least < certain:
            raise UserError(
                f"this index finds repeats of {certain} tokens for certain, not of {rules.least}", where=f"steps.trace.least={rules.least}",
                do=f"steps.trace.least={certain}, or an index with a smaller steps.index.window or steps.index.every",
            )  # fmt: skip
        if self.distinct > rules.window:
            raise UserError(
                f"a window of this index holds {rules.window} tokens, never {self.distinct} different ones", where=f"steps.trace.distinct={self.distinct}",
                do="steps.trace.distinct=6",
            )  # fmt: skip

    def _figures(self, found: Sequence[Traced]) -> dict[str, Any]:
        able = [one for one in found if one.tokens >= self.long]
        repeating = sum(one.longest >= self.long for one in able)
        figures: dict[str, Any] = {"texts_traced": len(found), f"texts_of_{self.long}_tokens": len(able)}
        if able:
            low, high = wilson(repeating / len(able), len(able))
            name = f"share_repeating_{self.long}_tokens"
            figures |= {name: round(repeating / len(able), 4), f"{name}_low": round(low, 4), f"{name}_high": round(high, 4)}
        tokens = sum(one.tokens for one in found)
        return {
            **figures, "longest_repeat_tokens": max(one.longest for one in found),
            "repeated_token_share": round(sum(one.repeated for one in found) / max(1, tokens), 4),
        }  # fmt: skip

    def _about(self) -> str:
        return (
            f"What the model wrote (samples and completions of evaluations, each different one once, without their prompts), compared with every document of "
            f"its training split: the share that repeats {self.long} tokens in a row or more, among those that are as long. A token is a word or a sign, 4.9 "
            f"bytes of code on average; white space does not count. Repeats of {self.least} tokens and more are told of and make up the share of repeated tokens."
        )

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        entries = json.loads(artifact.file(TOLD).read_text(encoding="utf-8"))["texts"]
        repeating = sorted((entry for entry in entries if entry["longest"]), key=lambda entry: -entry["longest"])
        for entry in repeating[:SHOWN]:
            rows = [
                [
                    f"{span['tokens']:,}",
                    f"{origin['repo']}:{origin['path']}:{origin['line']}",
                    origin["license"] or "none stated",
                    origin["swhid"] or "",
                ]
                for span in entry["spans"]
                for origin in span["origins"]
            ]
            context.speak.table(f"{entry['name']} repeats", [">tokens", "document:line", "license", "SWHID"], rows[:SHOWN])
        longest = f"; the longest repeat has {repeating[0]['longest']:,} tokens" if repeating else ""
        context.speak.line(
            f"trace: {len(repeating):,} of {len(entries):,} texts repeat {self.least} tokens or more of a training document{longest}"
        )
        if short := sum(entry["tokens"] < self.least for entry in entries):
            context.speak.line(f"trace: {short:,} of them are shorter than that")


def _given(text: Any) -> list[Text]:
    """The texts that `text=…` names. Raises UserError for a file that cannot be read, BadInput for what is no text."""
    if text is None:
        return []
    out: list[Text] = []
    for one in text if isinstance(text, list) else [text]:
        if isinstance(one, str) and one.startswith("@"):
            out += _of_file(Path(one[1:]).expanduser())
        elif isinstance(one, (dict, list)):
            raise BadInput("this is no text", where=f"text={one}", do="text=@<file> for text with brackets, commas and quotes in it")
        else:
            out.append(Text(name=f"text {len(out) + 1}", text=str(one), origin="text"))
    return out


def _of_file(path: Path) -> Iterator[Text]:
    where = f"text=@{path}"
    try:
        read = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"the file cannot be read: {error.strerror}", where=where, do="text=@<a file that is there>, or text='…'"
        ) from error
    if path.suffix != ".jsonl":
        yield Text(name=path.name, text=read.decode("utf-8", "surrogateescape"), origin="text")
        return
    for number, line in enumerate(read.splitlines(), 1):
        if line.strip():
            yield Text(name=f"{path.name}:{number}", text=_of_line(line, f"{where}, line {number}"), origin="text")


def _of_line(line: bytes, where: str) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"a line is no JSON: {error}", where=where, do="a line is a text in quotes, or an object with `text` or `completion`"
        ) from error
    found = next((value[name] for name in FIELDS if name in value), None) if isinstance(value, dict) else value
    if not isinstance(found, str):
        raise BadInput("a line has no text", where=where, do=f"a text in quotes, or an object with one of {', '.join(FIELDS)}")
    return found


def _samples(artifacts: Sequence[Artifact]) -> Iterator[Text]:
    for artifact in artifacts:
        for at, sample in enumerate(json.loads(artifact.file("samples.json").read_text(encoding="utf-8"))):
            yield Text(
                name=str(sample.get("name") or f"sample {at + 1}"),
                text=str(sample["completion"]),
                origin="samples",
                artifact=artifact.fingerprint,
                at=at,
            )


def _completions(artifacts: Sequence[Artifact]) -> Iterator[Text]:
    """Completions that stand in tables of evaluations; those of several evaluations with the same prompts are the same."""
    seen: set[str] = set()
    for artifact in artifacts:
        for name, score in json.loads(artifact.file("scores.json").read_text(encoding="utf-8")).items():
            for rows in score["tables"].values():
                for at, row in enumerate(rows):
                    text = row.get("completion")
                    if isinstance(text, str) and text not in seen:
                        seen.add(text)
                        yield Text(
                            name=f"{name} {row.get('item', at)}", text=text, origin="evaluations", artifact=artifact.fingerprint, at=at
                        )


def _models(artifacts: Sequence[Artifact]) -> set[str]:
    """Fingerprints of the models whose words these are."""
    return {mark for artifact in artifacts if isinstance(mark := artifact.manifest["inputs"].get("model"), str)}


def _entry(text: Text, found: Traced) -> dict[str, Any]:
    name = text.name.encode("utf-8", "replace").decode()
    return {"name": name, "origin": text.origin, "artifact": text.artifact, "at": text.at, **asdict(found)}


def _rows(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The score's table: the longest repeat of each text that has one, the longest first."""
    told = sorted((entry for entry in entries if entry["spans"]), key=lambda entry: -entry["longest"])
    rows = []
    for entry in told[:ROWS]:
        origin = entry["spans"][0]["origins"][0]
        rows.append({
            "written": entry["name"], "repeats_tokens": entry["longest"], "of": entry["tokens"], "repo": origin["repo"], "path": origin["path"],
            "line": origin["line"], "license": origin["license"], "swhid": origin["swhid"],
        })  # fmt: skip
    return rows
