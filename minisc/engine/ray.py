"""The same parts through Ray Data, on this machine or on a cluster.

In: a function and items, both picklable. Out: results in the order of the items. An item is one row of a Ray dataset of its
own block, `map` runs the function where there is a free core, and Ray tries an item again when a worker or a node dies:
items are idempotent (a finished part is left alone), so that changes nothing in the files.

    engine=ray                          a Ray of our own on this machine, gone when the run ends; it has this process's environment
    engine=ray engine.address=auto      the cluster that this machine is a node of; also host:port, ray://host:port

On a cluster each node needs minisc with the same code (checked with every item), and the store must be one for all: `out=s3://…` (or
anything else that core/mirror.py takes), or a folder that every node sees under the same path. Credentials come from each node's own
environment: they are not sent along, since Ray keeps what it is sent and shows it. The endpoint of a store can stand in its address.

Why Ray Data and not plain tasks: its streaming executor bounds what is under way by the cluster's memory, and gives way to
other work on the cluster. Price on one machine: 8 seconds to start, a gigabyte over all of Ray's processes; it did not pay at any
size tried there (10 to 200 MB, recipes/README.md). It is for more machines than one.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import re
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ray
import ray.data
from ray import cloudpickle

import minisc
from minisc.core.errors import UserError
from minisc.core.fingerprint import free
from minisc.core.step import Mapper
from minisc.engine.base import Engine

T = TypeVar("T")
R = TypeVar("R")
RETRIES = 8  # of an item whose worker or node died
ANSWER_SECONDS = 10.0  # that a cluster may take; Ray itself would try for minutes


@dataclass(frozen=True, kw_only=True)
class Ray(Engine):
    address: str | None = free()  # None: a private Ray on this machine; auto: the running cluster; host:port; ray://host:port
    workers: int | None = free()  # cores of a private Ray; None: all

    def __post_init__(self) -> None:
        if self.workers is not None and (self.workers < 1 or self.address is not None):
            raise UserError(
                "workers are the cores of a Ray of our own, at least one", where=f"engine.address={self.address} engine.workers={self.workers}",
                do="engine.workers=null",
            )  # fmt: skip

    @contextmanager
    def open(self) -> Iterator[Mapper]:
        started = not ray.is_initialized()
        if started:
            self._start()
        try:
            yield _Dataset(self)
        finally:
            if started:
                ray.shutdown()

    def _start(self) -> None:
        """Start a Ray of our own (None would join one that happens to run here), or join a cluster that answers."""
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # keep the accelerators visible to this process
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        try:
            if self.address is None:
                ray.init("local", num_cpus=self.workers, include_dashboard=False, **quiet)
            else:
                _knock(self.address)
                ray.init(self.address, **quiet)
        except (OSError, RuntimeError, ValueError) as error:  # a ConnectionError is an OSError
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            do = (
                "engine=local needs no Ray"
                if self.address is None
                else "ray start --head on one machine and ray start --address=… on the others, or engine.address=null"
            )
            raise UserError(
                "Ray could not be started" if self.address is None else "there is no Ray to join", where=f"engine.address={self.address or 'null'}: {told[:300]}", do=do
            ) from error  # fmt: skip


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at `host:port`."""
    if found := re.fullmatch(r"(?:ray://)?(.+):(\d+)", address):
        socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=ANSWER_SECONDS).close()


@dataclass(frozen=True)
class _Item:
    """One call, on its way to a node."""

    code: str  # of the minisc that sends it
    function: Callable[[Any], Any]
    item: Any


class _Dataset:
    def __init__(self, engine: Ray) -> None:
        self._engine = engine

    def map(self, function: Callable[[T], R], items: Sequence[T], *, max_workers: int | None = None) -> Iterator[R]:
        if not items:
            return
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        # It would let one task run first, to learn how much memory its results take: ours are nothing, and a task may take a minute.
        context.op_resource_reservation_enabled = False
        for name in ("ray.data", "ray.exceptions"):  # its plan, its timing, its traces: what they say comes as an exception too
            logging.getLogger(name).setLevel(logging.CRITICAL)
        rows = [{"item": cloudpickle.dumps(_Item(_code(), function, item))} for item in items]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Ray warns of its own deprecations
                data = ray.data.from_items(rows, override_num_blocks=len(rows))
                told = data.map(_call, num_cpus=1, compute=ray.data.TaskPoolStrategy(size=max_workers), max_retries=RETRIES)
                for row in told.iter_rows():
                    result, error = cloudpickle.loads(row["result"])
                    if error is not None:
                        raise error
                    yield result
        except ray.exceptions.RayError as error:
            raise self._told(error, function) from error

    def _told(self, error: ray.exceptions.RayError, function: Callable[..., Any]) -> UserError:
        """What became of Ray itself under the work, for a person; errors of the work come home as they are."""
        where = f"engine.address={self._engine.address or 'null'}, {function.__module__}.{function.__qualname__}"
        if missing := re.search(r"No module named '([\w.]+)'", str(error)):
            return UserError(f"a node of the cluster has no {missing[1]!r}", where=where, do="install the same minisc on each node")
        if isinstance(error, (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError)):
            return UserError(
                f"a worker process died each of the {RETRIES + 1} times that an item was tried (killed, or out of memory)", where=where,
                do="fewer workers need less memory: engine.workers=1, or ray start --num-cpus=… on the nodes",
            )  # fmt: skip
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        return UserError(
            f"Ray gave up: {type(error).__name__}",
            where=f"{where}: {first[:300]}",
            do="run the same line again: it goes on where it stopped",
        )


def _call(row: dict[str, Any]) -> dict[str, Any]:
    """Runs on a node. An error of the work is a result like others: Ray would wrap it in one of its own."""
    _begin()
    told: _Item = cloudpickle.loads(row["item"])
    try:
        if told.code != _code():
            raise UserError("a node runs another minisc than this machine", where=platform.node(), do="install the same one there")
        return {"result": cloudpickle.dumps((told.function(told.item), None))}
    except Exception as error:
        return {"result": cloudpickle.dumps((None, error))}


@functools.cache
def _begin() -> None:
    """Once a process of a node: a task is one core, and libraries with thread pools of their own are told so."""
    import pyarrow

    pyarrow.set_cpu_count(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


@functools.cache
def _code() -> str:
    """A digest of the minisc that this process runs: a checkout has no version that could be trusted."""
    digest = hashlib.sha256()
    root = Path(minisc.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
