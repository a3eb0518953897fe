"""What `pretrain` and `finetune` share: a model trained on token shards, from nothing or from a model.

In: tokens (one artifact, or several of a mixture). Out: a `model` artifact that carries its tokenizer: model.safetensors,
config.json, tokenizer.json, metrics.jsonl (the whole curve). TensorBoard events are written into the run's folder, live
while training, replayed from the curve when the step comes from the store, with the settings for the HPARAMS page.
A budget above what the data holds is said with both numbers, and met by telling the data again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core import durable
from minisc.core.artifact import Artifact, Figures, Work
from minisc.core.budget import tokens_of
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.step import Context, Cost, Step
from minisc.evals.base import Eval
from minisc.model.base import ModelSpec
from minisc.steps.glimpses import looker
from minisc.tokens.reader import Reader
from minisc.trainer.fit import Fit

EVENTS = "tensorboard"


@dataclass(frozen=True, kw_only=True)
class Training(Step):
    makes: ClassVar[tuple[str, ...]] = ("model", "tokenizer")

    tokens: Reader
    trainer: Fit
    budget: str
    seed: int
    evals: dict[str, Eval] = free()  # what `trainer.eval_every` asks for; the weights do not depend on it
    benchmarks: str | None = free()

    def training_cost(self, model: ModelSpec, held: Mapping[str, float]) -> Cost:
        """From the figures of the tokens; an unknown vocabulary is taken for StarCoder2's."""
        vocabulary = round(held.get("vocabulary", 0)) or STARCODER2_VOCABULARY
        parameters = model.parameters(vocabulary)
        budget = self.trainer.budget(tokens_of(self.budget, parameters), self.tokens.seq_len)
        flops = budget * model.flops_per_token(vocabulary, self.tokens.seq_len)
        speed, device = expected_speed(self.trainer.accelerator)
        epochs = f", {budget / held['tokens']:.2g} epochs" if held.get("tokens") else ""
        return Cost(
            seconds=LOADING + flops / speed + self._looking(budget, parameters, speed), flops=flops, tokens=budget, disk_bytes=parameters * BYTES_PER_PARAMETER, expect={"parameters": parameters},
            remark=f"{parameters / 1e6:.1f}M parameters{epochs}, {device}",
        )  # fmt: skip

    def _looking(self, budget: int, parameters: int, speed: float) -> float:
        """Seconds of all looks during training. Raises UserError where one would lack its files."""
        if not self.trainer.eval_every:
            return 0.0
        folder = Path(self.benchmarks).expanduser() if self.benchmarks else None
        once = sum(one.glimpse().effort(folder, float("inf"), BYTES_PER_TOKEN).seconds(parameters, speed) for one in self.evals.values())
        return once * (2 + budget // self.trainer.batch_tokens // self.trainer.eval_every)

    def train(self, work: Work, tokens: Sequence[Artifact], model: ModelSpec, init_from: Path | None) -> Figures:
        """Train, and leave the model with its tokenizer and its curve in the step's folder."""
        from minisc.model.base import save
        from minisc.tokenizer.base import Tokenizer
        from minisc.tokens.pack import open_tokens

        durable.copy(tokens[0].file("tokenizer.json"), work.path / "tokenizer.json")
        for artifact in tokens:
            artifact.files("tokens")  # checksums, once
        stores = [open_tokens(artifact.path) for artifact in tokens]
        tokenizer = Tokenizer.load(work.path)
        windows = self.tokens.open(stores, tokenizer)
        held = sum(int(artifact.figures["tokens"]) for artifact in tokens)
        budget = self.trainer.budget(tokens_of(self.budget, model.parameters(tokenizer.vocab_size)), self.tokens.seq_len)
        say_epochs(budget, held, work.context)
        told = self.trainer.train(
            spec=model, vocab_size=tokenizer.vocab_size, windows=windows, budget_tokens=budget,
            bytes_per_token=sum(store.bytes for store in stores) / held, seed=self.seed, scratch=work.scratch, metrics=work.path / "metrics.jsonl",
            event_dirs=work.context.run / EVENTS, speak=work.context.speak, init_from=init_from,
            looker=looker(self.evals, self.benchmarks, tokens, tokenizer, work) if self.trainer.eval_every else None,
        )  # fmt: skip
        save(work.path, told.module, model, tokenizer.vocab_size)
        return {**told.figures, "epochs": budget / held}

    def publish(self, artifact: Artifact, context: Context, cached: bool) -> None:
        from minisc.model.base import spec_of
        from minisc.trainer.events import log_hparams, replay

        events = context.run / EVENTS
        if cached:
            replay(artifact.file("metrics.jsonl"), events)
        settings: dict[str, Any] = {**self.trainer.told(), "budget": self.budget, "seed": self.seed, "seq_len": self.tokens.seq_len}
        settings |= {f"model.{name}": value for name, value in vars(spec_of(artifact.file("config.json").parent)).items()}
        log_hparams(
            events, settings, {f"final/{name}": value for name, value in artifact.figures.items() if isinstance(value, (int, float))}
        )


def check_length(tokens: Reader, model: ModelSpec) -> None:
    """Raises UserError for samples longer than the model takes."""
    if tokens.seq_len > model.max_positions:
        raise UserError(
            "the model cannot take samples that long", where=f"seq_len={tokens.seq_len}, model.max_positions={model.max_positions}",
            do=f"seq_len={model.max_positions}, or a larger model.max_positions",
        )  # fmt: skip


STARCODER2_VOCABULARY = 49_152
BYTES_PER_TOKEN = 3.2  # of a tokenizer that is not yet trained
LOADING = 5.0  # seconds until torch and lightning are there
BYTES_PER_PARAMETER = 16  # fp32 weights, and a checkpoint with two moments of the optimizer
# FLOP/s that small models reach in training: bf16 on one core of a server CPU (measured, recipes/README.md), and 40 % of an
# H100's dense bf16 peak of 989 TFLOP/s (NVIDIA's data sheet).
CPU_CORE, GPU = 6e10, 0.4 * 989e12


def expected_speed(accelerator: str) -> tuple[float, str]:
    """FLOP/s to plan with, and on what; known without loading torch."""
    if accelerator == "gpu" or (accelerator == "auto" and Path("/proc/driver/nvidia/version").exists()):
        return GPU, "on one GPU of the H100's kind"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return CPU_CORE * cores, f"on {cores} CPU cores"


def say_epochs(budget: int, held: int, context: Context) -> None:
    if budget > held:
        context.speak.line(
            f"the budget of {budget:,} tokens is more than the {held:,} that the data holds: it is told {budget / held:.1f} times"
        )
    if budget > MANY_EPOCHS * held:
        context.speak.warn(
            f"more than {MANY_EPOCHS} epochs teach little (arXiv 2305.16264); a larger source, or budget={max(1, MANY_EPOCHS * held // 10**6)}M"
        )


MANY_EPOCHS = 4
