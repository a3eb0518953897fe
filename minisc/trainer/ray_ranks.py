"""Ranks on a Ray cluster, one device each, wherever the cluster has them.

In: the settings of a training and the job. Out: what `loop.run` gives on rank 0, brought here. This process trains nothing: it may sit
on a head node without a GPU. It places one actor a rank, tells each where rank 0 listens, shows what rank 0 says, and waits.
Guarantees: all ranks or none (a placement group); the windows of each step are those of one device; a rank or a node that dies ends the
training with an error, and the same line goes on from the last checkpoint.
Price: the store must lie where every node sees it (a shared disk, or an address such as s3://…), since the ranks map the tokens and rank 0
writes the checkpoints there; this is looked at before the training starts. About ten seconds to begin.
Rejected: Ray Train's `TorchTrainer`. It brings a checkpoint format, a results folder and retries of its own, beside which ours would be
a second truth; what it does for Lightning is to set the six variables of `Seat`.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from torch import nn

from minisc.core import durable, mirror
from minisc.core.artifact import Figures
from minisc.core.errors import UserError
from minisc.core.silence import Silence
from minisc.core.step import Speaker
from minisc.trainer import events, loop
from minisc.trainer.loop import Job
from minisc.trainer.ranks import lost
from minisc.trainer.seat import Seat, free_port

if TYPE_CHECKING:
    from minisc.trainer.fit import Fit

PATIENCE = 60.0  # seconds for the cluster to give the ranks their places; it says that it has them before
KNOCK = 10.0  # seconds for a cluster to answer at its address
LISTEN = 0.3  # seconds between two looks at what rank 0 said
CORES_OF_A_GPU = 8  # a rank with a GPU takes no more: reading ahead needs few


def run(fit: Fit, job: Job) -> tuple[nn.Module, Figures]:
    """Raises UserError when the cluster has no room, a node does not see the store, or a rank dies."""
    with _joined(fit.cluster):
        gpu, cores = _room(fit)
        fit = replace(fit, accelerator="gpu" if gpu else "cpu")
        with _actors(fit.devices, gpu, cores) as (ranks, ear):
            address, port = ray.get(ranks[0].place.remote())
            seats = [Seat(rank=rank, ranks=fit.devices, here=1, address=address, port=port) for rank in range(fit.devices)]
            with _mark(job.scratch) as mark:
                quiet = replace(job, speak=Silence(), event_dir=None, looker=None)
                apart = mirror.is_mirror(job.metrics)  # then what rank 0 writes into the run's folder stays on its node
                heard = replace(job, speak=_Relay(ear), event_dir=None if apart else job.event_dir)
                sent = [
                    rank.train.remote(fit, heard if not seat.rank else quiet, seat, mark) for rank, seat in zip(ranks, seats, strict=True)
                ]
                state, figures = _wait(sent, ear, job.speak, fit.devices)
    mirror.fetch(job.metrics)
    if apart and job.event_dir is not None:
        events.replay(job.metrics, job.event_dir)
    network = job.spec.skeleton(job.vocab_size)
    network.load_state_dict(state, assign=True)
    return network.eval(), figures


@contextlib.contextmanager
def _joined(cluster: str | None) -> Iterator[None]:
    """The cluster, unless `engine=ray` has joined it already; Ray's handlers of signals do not stay."""
    if ray.is_initialized():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _knock(cluster)
        ray.init(address=cluster, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except OSError as error:
        raise UserError(
            "no Ray cluster answers", where=f"trainer.cluster={cluster}", do="ray start --head, or trainer.cluster=local"
        ) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _knock(cluster: str | None) -> None:
    """Ray itself tries a silent address for minutes."""
    address = re.fullmatch(r"(?:ray://)?([^/:]+|\[[^]]+\]):(\d{1,5})", cluster or "")
    if address is not None:
        socket.create_connection((address[1].strip("[]"), int(address[2])), timeout=KNOCK).close()


def _room(fit: Fit) -> tuple[bool, int]:
    """(whether the ranks get a GPU each, how many cores each): the most that still gives every rank a place."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus, cpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("GPU", "CPU"))
    gpu = fit.accelerator == "gpu" or (fit.accelerator == "auto" and gpus > 0)
    for cores in range(CORES_OF_A_GPU if gpu else max(1, cpus // fit.devices), 0, -1):
        if sum(min(node.get("CPU", 0) // cores, node.get("GPU", 0) if gpu else cpus) for node in nodes) >= fit.devices:
            return gpu, cores
    has = f"{len(nodes)} nodes, {cpus} cores, {gpus} GPUs"
    raise UserError(
        f"the cluster has no room for {fit.devices} ranks with {'a GPU' if gpu else 'a core'} each: {has}",
        where=f"trainer.devices={fit.devices}", do=f"trainer.devices={max(1, gpus if gpu else cpus)}",
    )  # fmt: skip


@contextlib.contextmanager
def _actors(ranks: int, gpu: bool, cores: int) -> Iterator[tuple[list[Any], Any]]:
    """The ranks in their places and the ear; gone when the block ends, however it ends."""
    group = placement_group([{"CPU": cores, **({"GPU": 1} if gpu else {})}] * ranks, strategy="PACK")
    actors: list[Any] = []
    try:
        ray.get(group.ready(), timeout=PATIENCE)
        for rank in range(ranks):
            placed = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=rank)
            actors.append(_actor(_Rank, num_cpus=cores, num_gpus=int(gpu), scheduling_strategy=placed).remote(cores))
        actors.append(_actor(_Ear, num_cpus=0).remote())
        yield actors[:-1], actors[-1]
    except GetTimeoutError as error:
        raise UserError(
            f"the cluster gave {ranks} ranks no place within {PATIENCE:.0f} s: its devices are busy", where=f"trainer.devices={ranks}",
            do="ray status tells who has them; run the same line again",
        ) from error  # fmt: skip
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)


@contextlib.contextmanager
def _mark(scratch: Path) -> Iterator[Path]:
    """A file that every node has to see, if the store lies on a disk that they share."""
    mark = scratch / f"ranks-{secrets.token_hex(8)}"
    with durable.write(mark) as temporary:
        temporary.touch()
    try:
        yield mark
    finally:
        mirror.remove(mark)


def _wait(sent: Sequence[Any], ear: Any, speak: Speaker, ranks: int) -> tuple[dict[str, torch.Tensor], Figures]:
    """What rank 0 sent, when all have ended; its words are passed on meanwhile."""
    talk, waiting = _Talk(speak), list(sent)
    try:
        while waiting:
            done, waiting = ray.wait(waiting, timeout=LISTEN)
            talk.pass_on(ray.get(ear.heard.remote()))
            ray.get(done)
        return ray.get(sent[0])
    except RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from error
        raise
    except RayActorError as error:
        raise lost(ranks) from error
    finally:
        talk.end()


def _actor(kind: type, **wants: Any) -> Any:
    return ray.remote(kind).options(max_restarts=0, **wants)


class _Rank:
    def __init__(self, cores: int) -> None:
        torch.set_num_threads(cores)

    def place(self) -> tuple[str, int]:
        return ray.util.get_node_ip_address(), free_port()

    def train(self, fit: Fit, job: Job, seat: Seat, mark: Path) -> tuple[dict[str, torch.Tensor], Figures] | None:
        mirror.fetch(job.metrics.parent)
        mirror.fetch(job.scratch)
        if not mirror.exists(mark):
            raise UserError(
                "a node of the cluster does not see the store, from which the ranks read", where=f"{ray.util.get_node_ip_address()}: {mark.parent}",
                do="out=<a folder that all nodes share>, or trainer.cluster=null",
            )  # fmt: skip
        network, figures = loop.run(fit, job, seat)
        if not seat.rank:
            mirror.put(job.metrics, job.metrics)
        return None if seat.rank else (network.state_dict(), figures)


class _Ear:
    """What rank 0 said since it was last asked."""

    def __init__(self) -> None:
        self._words: list[tuple[str, tuple[Any, ...]]] = []

    def hear(self, verb: str, words: tuple[Any, ...]) -> None:
        self._words.append((verb, words))

    def heard(self) -> list[tuple[str, tuple[Any, ...]]]:
        words, self._words = self._words, []
        return words


class _Relay(Silence):
    """Rank 0's speaker and bar: everything goes to the ear, nothing waits for it."""

    def __init__(self, ear: Any) -> None:
        self._ear = ear

    def progress(self, label: str, total: float | None, unit: str = "") -> _Relay:
        self._tell("progress", label, total, unit)
        return self

    def line(self, text: str) -> None:
        self._tell("line", text)

    def warn(self, text: str) -> None:
        self._tell("warn", text)

    def advance(self, amount: float = 1) -> None:
        self._tell("advance", amount)

    def say(self, text: str) -> None:
        self._tell("say", text)

    def _tell(self, verb: str, *words: Any) -> None:
        self._ear.hear.remote(verb, words)


class _Talk:
    """Rank 0's words, said here."""

    def __init__(self, speak: Speaker) -> None:
        self._speak, self._bars = speak, contextlib.ExitStack()
        self._bar: Any = Silence()

    def pass_on(self, heard: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        for verb, words in heard:
            if verb == "progress":
                self._bar = self._bars.enter_context(self._speak.progress(*words))
            else:
                getattr(self._bar if verb in ("advance", "say") else self._speak, verb)(*words)

    def end(self) -> None:
        self._bars.close()
