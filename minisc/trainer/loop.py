"""One training run through Lightning's `Trainer`: what `Fit.train` does.

The order: look at the machine, cut the budget into steps, build or load the network, take up the last checkpoint, cut the
curve back to it, train, say what came of it. Lightning moves things to devices, accumulates, casts and talks to other ranks;
its loggers, bars, checkpoints and samplers are off, because ours are tied to the step's number alone.
With several devices this runs once a rank (`ranks.py` starts them); curve, checkpoint and events are rank 0's to write.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch import profilers
from torch import nn

from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.step import Speaker
from minisc.model import base
from minisc.model.base import ModelSpec
from minisc.trainer import batches, checkpoint, device, events, optimizer, schedule
from minisc.trainer.batches import Loader, Plan, Windows
from minisc.trainer.callbacks import Clock, Count, Keep, Watch
from minisc.trainer.look import Look, Looker
from minisc.trainer.module import Training
from minisc.trainer.seat import ALONE, Seat

if TYPE_CHECKING:
    from minisc.trainer.fit import Fit

MICRO_TOKENS_CPU = 2048  # 1,024 to 4,096 are alike in speed on the tiny model (`tests/benchmarks/bench_train.py`); memory grows with it
MEMORY_SHARE = 0.5  # of a GPU's memory, for activations; the rest is weights, optimizer, logits and what the estimate forgets


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on what; see `Fit.train`."""

    spec: ModelSpec
    vocab_size: int
    windows: Windows
    budget_tokens: int
    bytes_per_token: float
    seed: int
    scratch: Path
    metrics: Path
    event_dir: Path | None
    speak: Speaker
    init_from: Path | None
    looker: Looker | None = None


def run(fit: Fit, job: Job, seat: Seat = ALONE) -> tuple[nn.Module, Figures]:
    """The trained network in fp32 on the CPU, and the figures (of rank 0; the others' are empty)."""
    with seat.taken():
        return _run(fit, job, seat)


def _run(fit: Fit, job: Job, seat: Seat) -> tuple[nn.Module, Figures]:
    machine = device.choose(accelerator=fit.accelerator, precision=fit.precision, compile_=fit.compile)
    plan = _plan(fit, job, machine)
    found = checkpoint.load(job.scratch, plan)
    network = _network(job)
    if found is not None:
        network.load_state_dict(found.network)
    if machine.compiled:
        with _quiet():
            network.model.compile()  # type: ignore[operator,union-attr]
    done = found.steps_done if found else 0
    rows = events.read_rows(job.metrics, done) if seat.rank else events.cut_back(job.metrics, done)  # the files are rank 0's
    _say(job, machine, plan, found)
    module = _module(fit, plan, network, found)
    pinned = machine.accelerator == "gpu"
    loader = Loader(job.windows, plan, first_step=module.done, rank=seat.rank, workers=fit.workers, pinned=pinned)
    clock = Clock(found.seconds if found else 0.0, found.waited if found else 0.0, loader)
    if module.done < plan.steps:
        with _quiet(), _deterministic(machine), _shown(job, rows) as shown:
            with job.speak.progress("training", float((plan.steps - module.done) * plan.tokens_per_step), "tokens") as bar:
                flops = job.spec.flops_per_token(job.vocab_size, plan.seq_len)
                watch = Watch(clock, bar, job.metrics, shown, log_every=fit.log_every, bytes_per_token=job.bytes_per_token,
                              flops_per_token=flops, peak_flops=machine.peak_flops, plan=plan, look=_look(fit, job, plan))  # fmt: skip
                callbacks = [Count(), watch, Keep(clock, job.metrics, job.scratch, fit.checkpoint_every)]
                _trainer(fit, seat, machine, plan, callbacks, job).fit(module, train_dataloaders=loader)
    elif job.event_dir is not None:
        events.show(rows, job.event_dir)
    return network.float().cpu().eval(), {} if seat.rank else _figures(job, machine, plan, clock)


def _plan(fit: Fit, job: Job, machine: device.Machine) -> Plan:
    seq_len = int(job.windows.batch(0, 1)["ids"].shape[1])
    if seq_len > job.spec.max_positions:
        what = f"windows of {seq_len} tokens are longer than the {job.spec.max_positions} positions that the model takes"
        raise UserError(what, where=f"seq_len={seq_len}", do=f"seq_len={job.spec.max_positions}, or model.max_positions={seq_len}")
    micro = fit.micro_batch or max(1, _micro_tokens(job.spec, machine) // seq_len)
    return batches.plan(
        seq_len=seq_len, batch_tokens=fit.batch_tokens, budget_tokens=fit.budget(job.budget_tokens, seq_len), repeat=fit.overfit_batches, micro_batch=micro,
        ranks=fit.devices, vocab_size=job.vocab_size,
    )  # fmt: skip


def _micro_tokens(spec: ModelSpec, machine: device.Machine) -> int:
    if machine.accelerator != "gpu":
        return MICRO_TOKENS_CPU
    memory = torch.cuda.get_device_properties(0).total_memory * MEMORY_SHARE
    return int(memory / spec.activation_bytes_per_token() / (1 if machine.precision == "bf16" else 2))


def _network(job: Job) -> nn.Module:
    if job.init_from is None:
        return job.spec.build(job.vocab_size, job.seed)
    loaded = base.load(job.init_from)
    wanted, got = job.spec.shapes(job.vocab_size), loaded.spec.shapes(loaded.vocab_size)
    if wanted != got:
        first = next(name for name in wanted | got if wanted.get(name) != got.get(name))
        what = f"the model to start from is another network: {first} is {got.get(first)}, wanted {wanted.get(first)}"
        raise UserError(
            what, where=str(job.init_from), do="choose the size (model=...) and the tokenizer that the first model was trained with"
        )
    return loaded.module.train()


def _module(fit: Fit, plan: Plan, network: nn.Module, found: checkpoint.Checkpoint | None) -> Training:
    lengths = {"warmup": schedule.length(fit.warmup, plan.steps), "decay": schedule.length(fit.decay, plan.steps)}

    def rate(step: int) -> float:
        return schedule.factor(step, plan.steps, kind=fit.schedule, floor=fit.floor, **lengths)

    def make_optimizer(network: nn.Module) -> optimizer.Together:
        return optimizer.build(
            network, kind=fit.optimizer, max_lr=fit.max_lr, muon_ratio=fit.muon_ratio, muon_momentum=fit.muon_momentum,
            betas=(fit.betas[0], fit.betas[1]), eps=fit.eps, weight_decay=fit.weight_decay,
        )  # fmt: skip

    module = Training(
        network, plan, make_optimizer=make_optimizer, rate=rate, clip=fit.clip, doc_mask=fit.doc_mask,
        done=found.steps_done if found else 0, optimizer_state=found.optimizer if found else None,
    )  # fmt: skip
    if found is not None:
        module.nll, module.count = torch.tensor(found.nll), torch.tensor(found.count)
    return module


def _trainer(fit: Fit, seat: Seat, machine: device.Machine, plan: Plan, callbacks: list[Any], job: Job) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=machine.accelerator, devices=seat.here, num_nodes=seat.machines, strategy="ddp" if seat.ranks > 1 else "auto",
        precision=machine.lightning_precision, max_epochs=1, accumulate_grad_batches=plan.micro_batches, callbacks=callbacks,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        use_distributed_sampler=False, default_root_dir=job.scratch, profiler=_profiler(fit, job),
    )  # fmt: skip


def _profiler(fit: Fit, job: Job) -> Any:
    """Lightning's profilers, writing beside the run's events and never onto the screen."""
    if fit.profiler is None or job.event_dir is None:
        return None
    kinds = {"simple": profilers.SimpleProfiler, "advanced": profilers.AdvancedProfiler, "pytorch": profilers.PyTorchProfiler}
    more = {"export_to_chrome": False} if fit.profiler == "pytorch" else {}
    job.speak.line(f"profile of the training: {job.event_dir.parent / 'fit-profile.txt'}")
    return kinds[fit.profiler](dirpath=job.event_dir.parent, filename="profile", **more)


def _look(fit: Fit, job: Job, plan: Plan) -> Look | None:
    if job.looker is None:
        return None
    return Look(every=fit.eval_every, steps=plan.steps, spec=job.spec, vocab_size=job.vocab_size, figures=job.looker)


def _say(job: Job, machine: device.Machine, plan: Plan, found: checkpoint.Checkpoint | None) -> None:
    size = f"{job.spec.parameters(job.vocab_size):,} parameters, {plan.steps:,} steps of {plan.tokens_per_step:,} tokens"
    job.speak.line(f"training {job.spec.name}: {size}, {machine.precision} on {machine.device}, {torch.get_num_threads()} threads")
    if machine.remark:
        job.speak.line(machine.remark)
    if found is not None:
        job.speak.line(f"goes on after step {found.steps_done:,} of {plan.steps:,}")


@contextlib.contextmanager
def _shown(job: Job, rows: list[dict[str, Any]]) -> Iterator[events.Events | None]:
    """The TensorBoard run of this process, beginning with the rows of earlier attempts."""
    if job.event_dir is None:
        yield None
        return
    with events.opened(job.event_dir, rows) as shown:
        yield shown


# Lightning's advice and notices that do not concern us, each with the reason.
_IGNORED = (
    "The 'train_dataloader' does not have many workers",  # ours reads memory-mapped tokens; `data_wait` tells if it is too slow
    ".*available but not used",  # the user chose the accelerator
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between lightning and torch's pytree, about neither of us
    "The PyTorch Profiler default schedule",  # of a run too short for it; what there is, is profiled
    "`torch.jit.script_method` is deprecated",  # torch's compiler about itself
)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Lightning speaks only of errors while it trains."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            for message in _IGNORED:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _deterministic(machine: device.Machine) -> Iterator[None]:
    """On a GPU torch must be told to add in a fixed order; the CPU's kernels that we use always do."""
    if machine.accelerator != "gpu":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # needed by cuBLAS to be deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # writes every new tensor once more, and hides nothing here
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def _figures(job: Job, machine: device.Machine, plan: Plan, clock: Clock) -> Figures:
    rows = events.read_rows(job.metrics)
    last = rows[-1]
    tokens = plan.steps * plan.tokens_per_step
    return {
        "parameters": job.spec.parameters(job.vocab_size),
        "tokens_trained": tokens,
        "steps": plan.steps,
        "flops": tokens * job.spec.flops_per_token(job.vocab_size, plan.seq_len),
        "train_loss": last["loss"],
        "train_bits_per_byte": last["bits_per_byte"],
        "train_seconds": last["seconds"],
        "tokens_per_second": tokens / max(1e-9, last["seconds"]),
        "mfu": tokens / max(1e-9, last["seconds"]) * job.spec.flops_per_token(job.vocab_size, plan.seq_len) / (machine.peak_flops * plan.ranks)
        if machine.peak_flops else None,
        "data_wait": clock.waited / max(1e-9, clock.seconds),
        "peak_memory_bytes": _peak_memory(machine),
        "accelerator": machine.accelerator,
        "device": machine.device,
        "precision": machine.precision,
        "compiled": machine.compiled,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }  # fmt: skip


def _peak_memory(machine: device.Machine) -> int:
    """Of the GPU, or of this process; getrusage counts kilobytes, on macOS bytes."""
    if machine.accelerator == "gpu":
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
