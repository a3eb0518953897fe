from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from minisc.core.artifact import Figures, Work
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.step import Context, Inputs, Need, Step
from minisc.runner.graph import OPEN, plan
from tests import made


@dataclass(frozen=True, kw_only=True)
class Documents(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("documents",)
    word: str
    workers: int = free(default=1)

    def run(self, work: Work, inputs: Inputs) -> Figures:
        (work.path / "text").write_text(self.word)
        return {"documents_kept": 1}


@dataclass(frozen=True, kw_only=True)
class Model(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("model", "tokenizer")
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents")}
    size: int

    def run(self, work: Work, inputs: Inputs) -> Figures:
        (work.path / "weights").write_text(inputs["documents"].file("text").read_text() * self.size)
        return {}


@dataclass(frozen=True, kw_only=True)
class Score(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("evaluation",)
    needs: ClassVar[Mapping[str, Need]] = {
        "model": Need("model"),
        "tokenizer": Need("tokenizer"),
        "index": Need("index", optional=True),
        "all": Need("documents", many=True, optional=True),
    }

    def run(self, work: Work, inputs: Inputs) -> Figures:
        (work.path / "score").write_text(f"{inputs['index']} {len(inputs['all'])}")
        return {}


def steps(word: str = "a", size: int = 1, **more: Any) -> dict[str, Step]:
    return {"collect": Documents(word=word, **more), "pretrain": Model(size=size), "evaluate": Score()}


def marks(chosen: Mapping[str, Step], folder: Path) -> dict[str, str]:
    return {node.name: node.fingerprint for node in plan(chosen, {}, made.context(folder))}


def test_a_change_reaches_what_lies_after_it_and_nothing_before(tmp_path: Path) -> None:
    first, larger, other = marks(steps(), tmp_path), marks(steps(size=2), tmp_path), marks(steps(word="b"), tmp_path)
    assert {name for name in first if first[name] != larger[name]} == {"pretrain", "evaluate"}
    assert {name for name in first if first[name] != other[name]} == {"collect", "pretrain", "evaluate"}
    assert marks(steps(workers=7), tmp_path) == first


def test_roles_are_filled_from_the_nearest_step_and_optional_ones_stay_empty(tmp_path: Path) -> None:
    artifacts = made.run(steps(), made.context(tmp_path))
    assert artifacts["evaluate"].file("score").read_text() == "None 1"
    assert artifacts["evaluate"].manifest["inputs"]["model"] == artifacts["pretrain"].fingerprint


def test_an_artifact_a_run_or_the_latest_of_a_recipe_can_be_given(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    artifacts = made.run(steps(), where)
    for told in (str(artifacts["pretrain"].path), str(where.run), "latest:test"):
        node = plan({"evaluate": Score()}, {"model": told}, where)[0]
        assert node.inputs["model"].fingerprint == artifacts["pretrain"].fingerprint
        assert node.inputs["tokenizer"].fingerprint == artifacts["pretrain"].fingerprint  # the model's own wins


def test_a_missing_role_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="step 'pretrain' needs documents") as caught:
        plan({"pretrain": Model(size=1)}, {}, made.context(tmp_path))
    assert caught.value.where == "steps=[pretrain]"
    assert "inputs.documents=" in caught.value.do


@pytest.mark.parametrize(
    ("told", "says", "do"),
    [
        ("nowhere", "'nowhere' does not exist", "manifest.json"),
        ("latest:tset", "no run of a recipe 'tset'", "did you mean 'test'?"),
        (".", "is neither an artifact nor a run", "run.json"),
    ],
)
def test_what_cannot_be_found_is_said(tmp_path: Path, told: str, says: str, do: str) -> None:
    where = made.context(tmp_path)
    made.run(steps(), where)
    with pytest.raises(UserError, match=says) as caught:
        plan({"evaluate": Score()}, {"model": told}, where)
    assert do in caught.value.do


@dataclass(frozen=True, kw_only=True)
class Mixed(Documents):
    needs: ClassVar[Mapping[str, Need]] = {"parts": Need("documents", many=True)}


def test_a_role_of_many_that_nobody_fills_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="step 'mix' needs documents"):
        plan({"mix": Mixed(word="a")}, {}, made.context(tmp_path))


def test_an_artifact_of_another_kind_is_refused(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    documents = made.run(steps(), where)["collect"]
    with pytest.raises(UserError, match="holds documents, not model"):
        plan({"evaluate": Score()}, {"model": str(documents.path)}, where)


def test_a_store_can_be_moved(tmp_path: Path) -> None:
    artifacts = made.run(steps(), made.context(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    nodes = plan(steps(), {}, made.context(tmp_path / "there"))
    assert all(node.cached for node in nodes)
    assert [node.fingerprint for node in nodes] == [
        artifact.manifest["fingerprint"] if artifact.path.exists() else node.fingerprint
        for artifact, node in zip(artifacts.values(), nodes, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class Compare(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("documents",)
    needs: ClassVar[Mapping[str, Need]] = {"documents": Need("documents"), "against": Need("documents", many=True, given=True)}

    def run(self, work: Work, inputs: Inputs) -> Figures:
        (work.path / "text").write_text(str(len(inputs["against"])))
        return {}


def test_a_role_that_is_only_given_is_never_taken_from_a_step(tmp_path: Path) -> None:
    where = made.context(tmp_path)
    chosen: dict[str, Step] = {"collect": Documents(word="a"), "curate": Compare()}
    artifacts = made.run(chosen, where)
    assert artifacts["curate"].file("text").read_text() == "0"
    told = str(artifacts["collect"].path)
    for given in (told, [told], [told, str(artifacts["curate"].path)]):
        again = made.run(chosen, where, against=given)["curate"]
        assert again.file("text").read_text() == str(len(given) if isinstance(given, list) else 1)
        assert again.fingerprint != artifacts["curate"].fingerprint


@dataclass(frozen=True, kw_only=True)
class TakenFurther(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("model", "tokenizer")
    needs: ClassVar[Mapping[str, Need]] = {"model": Need("model")}

    def run(self, work: Work, inputs: Inputs) -> Figures:
        (work.path / "weights").write_text(inputs["model"].file("weights").read_text() + " tuned")
        return {}


@dataclass(frozen=True, kw_only=True)
class BeforeAndAfter(Score):
    needs: ClassVar[Mapping[str, Need]] = {
        "model": Need("model"),
        "start": Need("model", optional=True, given=True, told_as="model"),
        "read": Need("documents", optional=True, given=True, told_as="model"),
    }


def test_what_a_step_makes_of_what_was_given_comes_after_it(tmp_path: Path) -> None:
    """A tuned model is scored, not the one that it was given; that one is known beside it."""
    where = made.context(tmp_path)
    begun = made.run(steps(), where)
    model, other = begun["pretrain"], made.run(steps(word="b"), where)["pretrain"]
    _, node = plan({"tune": TakenFurther(), "evaluate": BeforeAndAfter()}, {"model": str(model.path)}, where)
    assert node.inputs["model"].name == "tune" and node.inputs["start"].fingerprint == model.fingerprint
    assert node.inputs["read"] is None  # an artifact of a model holds no documents
    _, node = plan({"tune": TakenFurther(), "evaluate": BeforeAndAfter()}, {"model": str(model.path), "start": str(other.path)}, where)
    assert node.inputs["start"].fingerprint == other.fingerprint
    (node,) = plan({"evaluate": BeforeAndAfter()}, {"model": str(model.path)}, where)
    assert node.inputs["model"].fingerprint == node.inputs["start"].fingerprint == model.fingerprint


@dataclass(frozen=True, kw_only=True)
class Lacking(Model):
    """A step whose data are not to be had."""

    def leaves(self, context: Context) -> Mapping[str, Any]:
        raise UserError("the benchmarks are not to be had", where="benchmarks=null", do="benchmarks=<folder>")


def test_a_plan_that_nobody_runs_says_what_is_lacking_and_goes_on(tmp_path: Path) -> None:
    chosen = {"collect": Documents(word="a"), "pretrain": Lacking(size=1), "evaluate": Score()}
    with pytest.raises(UserError, match="not to be had"):
        plan(chosen, {}, made.context(tmp_path))
    lacking: list[UserError] = []
    nodes = {node.name: node for node in plan(chosen, {}, made.context(tmp_path), lacking)}
    assert [error.do for error in lacking] == ["benchmarks=<folder>"]
    assert nodes["pretrain"].fingerprint == nodes["evaluate"].fingerprint == OPEN and not nodes["evaluate"].cached
    assert nodes["collect"].fingerprint == marks(steps(), tmp_path)["collect"]
