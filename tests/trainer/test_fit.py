"""Training through Lightning: it learns, it resumes bit for bit, it is the plain algorithm, it refuses what cannot work."""

from __future__ import annotations

import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from minisc.core.errors import UserError
from minisc.core.fingerprint import describe
from minisc.model import base
from minisc.trainer import checkpoint
from minisc.trainer.events import read_rows
from minisc.trainer.fit import Fit, TrainResult
from tests.silent import Silent
from tests.trainer.made import VOCAB, Counting, Interrupted, fit, settings, spec
from tests.trainer.victim import STEPS

ROOT = Path(__file__).resolve().parents[2]
STEP = 96  # tokens


def train(trainer: Fit, folder: Path, *, steps: int = 12, windows: Any = None, **job: Any) -> TrainResult:
    folder.mkdir(exist_ok=True)
    usual: dict[str, Any] = {
        "spec": spec(), "vocab_size": VOCAB, "windows": windows or Counting(), "budget_tokens": steps * STEP, "bytes_per_token": 3.0, "seed": 1,
        "scratch": folder, "metrics": folder / "metrics.jsonl", "event_dirs": None, "speak": Silent(), "init_from": None,
    }  # fmt: skip
    return trainer.train(**(usual | job))


def weights(result: TrainResult) -> dict[str, torch.Tensor]:
    return result.module.state_dict()


def same(first: TrainResult, second: TrainResult) -> bool:
    return all(torch.equal(tensor, weights(second)[name]) for name, tensor in weights(first).items())


def curve(folder: Path) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in ("step", "tokens", "loss", "lr", "grad_norm")) for row in read_rows(folder / "metrics.jsonl")]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_it_learns(optimizer: str, tmp_path: Path) -> None:
    result = train(fit(optimizer=optimizer, max_lr=1e-2), tmp_path, steps=40)
    rows = read_rows(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, *range(5, 41, 5)]
    assert rows[0]["loss"] == pytest.approx(math.log(VOCAB), abs=0.9)
    assert rows[-1]["loss"] < 0.6 * rows[0]["loss"]
    assert rows[-1]["bits_per_byte"] == pytest.approx(rows[-1]["loss"] / math.log(2) / 3.0)
    assert result.figures["tokens_trained"] == 40 * STEP == rows[-1]["tokens"]
    assert result.figures["parameters"] == spec().parameters(VOCAB)
    assert not result.module.training


def test_stopped_and_resumed_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = train(fit(), tmp_path / "whole")
    for at in (20, 45):  # windows; a step reads 6
        with pytest.raises(Interrupted):
            train(fit(checkpoint_every=0), tmp_path / "cut", windows=Counting(fails_at=at))
    speak = Silent()
    resumed = train(fit(), tmp_path / "cut", speak=speak)
    assert any("goes on after step 7 of 12" in line for line in speak.lines)
    assert same(whole, resumed)
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")


def test_looks_touch_neither_weights_nor_random_numbers_and_are_resumed(tmp_path: Path) -> None:
    """A look that draws, switches and spoils what it is given; killed between two looks, the curve shows each once."""

    def spoil(model: base.LoadedModel, step: int) -> dict[str, float]:
        norm = float(sum(weight.detach().norm() for weight in model.module.parameters()))
        torch.rand(step)
        assert not model.module.training
        with torch.no_grad():
            for weight in model.module.parameters():
                weight.zero_()
        return {"norm": norm}

    torch.manual_seed(4)
    plain = train(fit(), tmp_path / "plain")
    left = torch.get_rng_state()
    torch.manual_seed(4)
    looking = train(fit(eval_every=4), tmp_path / "looking", looker=spoil)
    assert torch.equal(left, torch.get_rng_state())
    with pytest.raises(Interrupted):
        train(fit(eval_every=4, checkpoint_every=0), tmp_path / "cut", windows=Counting(fails_at=45), looker=spoil)
    resumed = train(fit(eval_every=4), tmp_path / "cut", looker=spoil)
    assert same(plain, looking) and same(plain, resumed)
    seen = [[(row["step"], row["glimpse/norm"]) for row in read_rows(tmp_path / name / "metrics.jsonl") if "glimpse/norm" in row]
            for name in ("looking", "cut")]  # fmt: skip
    assert [step for step, _ in seen[0]] == [1, 4, 8, 12]
    assert seen[0] == seen[1] and len({norm for _, norm in seen[0]}) == 4
    assert describe(fit()) == describe(fit(eval_every=4))
    assert not any("glimpse/norm" in row for row in read_rows(tmp_path / "plain" / "metrics.jsonl"))


def test_the_curve_is_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    whole = train(fit(log_every=1), tmp_path / "whole")
    folder = tmp_path / "cut"
    with pytest.raises(Interrupted):
        train(fit(log_every=1, checkpoint_every=0), folder, windows=Counting(fails_at=20))
    shutil.copy(folder / checkpoint.FILE, tmp_path / "early.pt")
    with pytest.raises(Interrupted):
        train(fit(log_every=1, checkpoint_every=0), folder, windows=Counting(fails_at=45))
    shutil.copy(tmp_path / "early.pt", folder / checkpoint.FILE)  # as if the later ones had not been written
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')  # and a row was torn
    assert same(whole, train(fit(log_every=1), folder))
    assert curve(folder) == curve(tmp_path / "whole")
    assert len(curve(folder)) == 12


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = train(fit(), tmp_path)
    again = train(fit(), tmp_path, windows=Counting(fails_at=2))
    assert same(first, again)
    assert again.figures["train_loss"] == first.figures["train_loss"]


def test_another_budget_does_not_take_up_the_checkpoint(tmp_path: Path) -> None:
    train(fit(), tmp_path)
    longer = train(fit(), tmp_path, steps=13)
    assert same(longer, train(fit(), tmp_path / "fresh", steps=13))


@pytest.mark.parametrize(("told", "steps"), [(True, 1), (3, 3), (False, 12), (20, 12)])
def test_fast_dev_run_takes_a_few_steps(tmp_path: Path, told: bool | int, steps: int) -> None:
    result = train(fit(fast_dev_run=told), tmp_path)
    assert (result.figures["steps"], result.figures["tokens_trained"]) == (steps, steps * STEP)


def test_overfitting_sees_the_same_windows_again_and_again(tmp_path: Path) -> None:
    windows = Counting(fails_at=2 * STEP // 16)  # no third step's windows are ever read
    result = train(fit(overfit_batches=2, max_lr=2e-2, schedule="cosine"), tmp_path, steps=120, windows=windows)
    assert result.figures["train_loss"] < 0.1 < read_rows(tmp_path / "metrics.jsonl")[0]["loss"]


@pytest.mark.parametrize(("profiler", "tells"), [("simple", "training_step"), ("advanced", "training_step"), ("pytorch", "aten::")])
def test_a_profile_is_written_beside_the_events_and_changes_nothing(tmp_path: Path, profiler: str, tells: str) -> None:
    events = tmp_path / "run" / "tensorboard"
    profiled = train(fit(profiler=profiler), tmp_path / "work", event_dirs=events)
    assert tells in (tmp_path / "run" / "fit-profile.txt").read_text()
    assert same(profiled, train(fit(), tmp_path / "plain"))


@pytest.mark.parametrize("micro_batch", [1, 3, 4, 6, None])
def test_the_micro_batch_changes_rounding_only(micro_batch: int | None, tmp_path: Path) -> None:
    two, other = train(fit(), tmp_path / "a", steps=4), train(fit(micro_batch=micro_batch), tmp_path / "b", steps=4)
    for name, tensor in weights(two).items():
        assert torch.allclose(tensor, weights(other)[name], atol=2e-4), name


def test_it_is_plain_adamw_on_the_mean_over_all_targets(tmp_path: Path) -> None:
    trainer = fit(optimizer="adamw", warmup=0, schedule="cosine", clip=0.5, micro_batch=4, doc_mask=False)
    result = train(trainer, tmp_path, steps=3)
    network: Any = spec().build(VOCAB, seed=1)
    hidden = [p for name, p in network.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in network.named_parameters() if p.ndim == 1 or "embed" in name]
    plain = torch.optim.AdamW([{"params": hidden, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], betas=(0.9, 0.95))
    for step in range(3):
        parts = [Counting().batch(6 * step, 3), Counting().batch(6 * step + 3, 3)]  # 4 at most: two of 3
        ids, targets = (torch.from_numpy(np.concatenate([part[name] for part in parts])).long() for name in ("ids", "targets"))
        torch.nn.functional.cross_entropy(network(ids).flatten(0, 1), targets.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        for group in plain.param_groups:
            group["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / 3))
        plain.step()
        plain.zero_grad()
    for name, tensor in network.state_dict().items():
        assert torch.allclose(tensor, weights(result)[name], atol=1e-4), name


def test_the_document_mask_and_bf16_are_used(tmp_path: Path) -> None:
    plain = train(fit(), tmp_path / "a", steps=2)
    unmasked, bf16 = train(fit(doc_mask=False), tmp_path / "b", steps=2), train(fit(precision="bf16"), tmp_path / "c", steps=2)
    assert not same(plain, unmasked)
    assert not same(plain, bf16)
    assert bf16.figures["precision"] == "bf16"
    assert {tensor.dtype for tensor in weights(bf16).values()} == {torch.float32}


def test_training_begins_from_a_model(tmp_path: Path) -> None:
    first = train(fit(), tmp_path / "a", steps=20)
    base.save(tmp_path / "model", first.module, spec(), VOCAB)
    train(fit(), tmp_path / "b", steps=5, init_from=tmp_path / "model")
    assert curve(tmp_path / "b")[0][2] < curve(tmp_path / "a")[0][2] - 0.5
    with pytest.raises(UserError, match=r"another network: model\.embed_tokens\.weight is"):
        train(fit(), tmp_path / "c", init_from=tmp_path / "model", vocab_size=VOCAB + 1)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_no_checkpoint(tmp_path: Path) -> None:
    network = spec().build(VOCAB, seed=1)
    next(network.parameters()).data[5] = math.nan
    base.save(tmp_path / "model", network, spec(), VOCAB)
    with pytest.raises(UserError, match="no number any more at step 1 of 12") as caught:
        train(fit(checkpoint_every=0), tmp_path / "run", init_from=tmp_path / "model")
    assert caught.value.where == "trainer.max_lr"
    assert not (tmp_path / "run" / checkpoint.FILE).exists()


def test_windows_longer_than_the_model_takes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="windows of 40 tokens are longer than the 32 positions") as caught:
        train(fit(), tmp_path, windows=Counting(seq_len=40))
    assert caught.value.where == "seq_len=40"


def test_tokens_of_another_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="outside the model's vocabulary of 40"):
        train(fit(), tmp_path, vocab_size=40)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"optimizer": "sgd"}, "trainer.optimizer=sgd"), ({"max_lr": 0}, "trainer.max_lr=0"), ({"betas": [0.9]}, "trainer.betas=[0.9]"),
        ({"betas": [0.9, 1.0]}, "trainer.betas=[0.9, 1.0]"), ({"clip": 0}, "trainer.clip=0"), ({"micro_batch": 0}, "trainer.micro_batch=0"),
        ({"schedule": "step"}, "trainer.schedule=step"), ({"floor": 1.0}, "trainer.floor=1.0"), ({"warmup": -1}, "trainer.warmup=-1"),
        ({"precision": "fp8"}, "trainer.precision=fp8"), ({"devices": 0}, "trainer.devices=0"), ({"log_every": 0}, "trainer.log_every=0"),
        ({"compile": True}, "trainer.compile=True"), ({"accelerator": "tpu"}, "trainer.accelerator=tpu"),
        ({"profiler": "simpel"}, "trainer.profiler=simpel"), ({"overfit_batches": -1}, "trainer.overfit_batches=-1"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_when_built(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(UserError) as caught:
        fit(**changes)
    assert caught.value.where == where
    assert caught.value.do


@pytest.mark.parametrize("option", ["fit", "auto", "cpu", "gpu", "ray"])
def test_every_option_builds(option: str) -> None:
    chosen = settings(option)
    assert chosen.pop("_target_") == "minisc.trainer.fit.Fit"
    assert Fit(**chosen).told()["trainer.max_lr"] == chosen["max_lr"]


def test_what_cannot_change_a_result_stays_out_of_the_fingerprint() -> None:
    told = describe(fit())
    assert isinstance(told, dict)
    assert not {"workers", "checkpoint_every", "log_every", "cluster", "profiler"} & told.keys()
    assert told["batch_tokens"] == 96


@pytest.mark.system
def test_killed_in_the_middle_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    subprocess.run([sys.executable, "-m", "tests.trainer.victim", str(whole)], cwd=ROOT, check=True)
    for rows in (3, 14, 22):
        process = subprocess.Popen([sys.executable, "-m", "tests.trainer.victim", str(killed)], cwd=ROOT)
        while len(read_rows(killed / "metrics.jsonl")) < rows and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    subprocess.run([sys.executable, "-m", "tests.trainer.victim", str(killed)], cwd=ROOT, check=True)
    assert (killed / "weights.sha256").read_text() == (whole / "weights.sha256").read_text()
    assert curve(killed) == curve(whole)
    assert curve(killed)[-1][0] == STEPS


@pytest.mark.system
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on a CPU")
def test_compiled_it_learns_the_same_to_rounding(tmp_path: Path) -> None:
    eager, compiled = train(fit(), tmp_path / "a", steps=3), train(fit(compile="yes"), tmp_path / "b", steps=3)
    assert compiled.figures["compiled"] is True
    for name, tensor in weights(eager).items():
        assert torch.allclose(tensor, weights(compiled)[name], atol=5e-4), name
