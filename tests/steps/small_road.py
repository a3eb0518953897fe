"""The steps of a small road, from generated code to a trained network, made once for the tests that need one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minisc.core.artifact import Artifact
from minisc.core.step import Context, Step
from minisc.evals.base import Eval
from minisc.evals.bits_per_byte import BitsPerByte
from minisc.model.starcoder2 import Starcoder2
from minisc.steps.collect import Collect
from minisc.steps.evaluate import Evaluate
from minisc.steps.generate import Generate
from minisc.steps.pack import Pack
from minisc.steps.pretrain import Pretrain
from minisc.steps.train_tokenizer import TrainTokenizer
from minisc.tokenizer.bpe import Bpe
from minisc.tokens.reader import Reader
from minisc.trainer.fit import Fit
from tests import made, small_corpus

MODEL: dict[str, Any] = {
    "hidden": 32, "layers": 1, "heads": 2, "kv_heads": 1, "mlp_ratio": 2, "window": None, "rope_theta": 1e5, "norm_eps": 1e-5, "max_positions": 256,
    "init_std": None,
}  # fmt: skip
FIT: dict[str, Any] = {
    "optimizer": "adamw", "max_lr": 3e-3, "muon_ratio": 1.0, "muon_momentum": 0.95, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0,
    "schedule": "wsd", "warmup": 0.1, "decay": 0.4, "floor": 0.0, "batch_tokens": 512, "micro_batch": None, "doc_mask": False, "precision": "fp32",
    "compile": "no", "accelerator": "cpu", "devices": 1, "cluster": None, "checkpoint_every": 1000.0, "log_every": 1, "eval_every": 0, "workers": 0,
    "fast_dev_run": False, "overfit_batches": 0, "profiler": None,
}  # fmt: skip
READER: dict[str, Any] = {
    "seq_len": 64, "seed": 0, "order": "file", "names_rate": 0.0, "fim_group_rate": 1.0, "fim_rate": 0.5, "fim_spm_rate": 0.5, "slack": 16, "weights": [],
}  # fmt: skip


EVALS: dict[str, Eval] = {
    "bits_per_byte": BitsPerByte(max_bytes=4000, context=64, stride=0.5, seed=0, batch_tokens=1024, glimpse_bytes=1000)
}


def rows() -> list[list[dict[str, Any]]]:
    return [[made.row(f"r{repo}", f"m{number}.py", small_corpus.module(repo, number)) for number in range(4)] for repo in range(10)]


def steps(**changes: Any) -> dict[str, Step]:
    return {
        "collect": Collect(source=made.Listed(given=rows()), seed=0, held_out=0.2, budget="20x"),
        "train_tokenizer": TrainTokenizer(tokenizer=Bpe(vocab_size=340, train_bytes=10**6, min_frequency=2, shrink=False, seed=0)),
        "pack": Pack(),
        "pretrain": Pretrain(
            model=Starcoder2(**MODEL), tokens=Reader(**READER), trainer=Fit(**FIT), budget=changes.get("budget", "4k"), seed=0,
            evals=EVALS, benchmarks=None,
        ),
        "evaluate": Evaluate(evals=EVALS, benchmarks=None),
        "generate": Generate(
            prompts=changes.get("prompts"), examples=[{"name": "one", "text": "def f("}, {"name": "two", "text": "a = ", "suffix": "\n"}],
            max_new_tokens=8, temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0, seed=0,
        ),
    }  # fmt: skip


def run(folder: Path, **changes: Any) -> tuple[dict[str, Artifact], Context]:
    where = made.context(folder)
    return made.run(steps(**changes), where), where
