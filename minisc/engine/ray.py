"""The same parts through Ray Data, on this machine or on a cluster.

In: a function and items, both picklable. Out: results in the order of the items. An item is one row of a Ray dataset of its
own block, `map` runs the function where there is a free core, and Ray tries an item again when a worker or a node dies:
items are idempotent (a finished part is left alone), so that changes nothing in the files.
`address=auto` joins a running cluster; the store (`out`) must then lie where every node can write it.

Why Ray Data and not plain tasks: its streaming executor bounds what is under way by the cluster's memory, and gives way to
other work on the cluster. Price on one machine: some seconds to start, about 300 MB of memory for Ray itself;
tests/benchmarks/bench_engines.py says at which size it pays.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
import ray.data
from ray import cloudpickle

from minisc.core.fingerprint import free
from minisc.core.step import Mapper
from minisc.engine.base import Engine

T = TypeVar("T")
R = TypeVar("R")
RETRIES = 8  # of an item whose worker or node died


@dataclass(frozen=True, kw_only=True)
class Ray(Engine):
    address: str | None = free()  # None: a private Ray on this machine; auto: the running cluster; ray://host:port
    workers: int | None = free()  # cores of a private Ray; None: all

    @contextmanager
    def open(self) -> Iterator[Mapper]:
        started = not ray.is_initialized()
        if started:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # keep the accelerators visible to this process
            ray.init(
                address=self.address, num_cpus=None if self.address else self.workers, include_dashboard=False if self.address is None else None,
                log_to_driver=False, logging_level=logging.ERROR, configure_logging=False,
            )  # fmt: skip
        try:
            yield _Dataset()
        finally:
            if started:
                ray.shutdown()


class _Dataset:
    def map(self, function: Callable[[T], R], items: Sequence[T], *, max_workers: int | None = None) -> Iterator[R]:
        if not items:
            return
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # its plan and its timing are not ours to tell
        rows = [{"item": cloudpickle.dumps((function, item))} for item in items]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray warns of its own deprecations
            data = ray.data.from_items(rows, override_num_blocks=len(rows))
            told = data.map(_call, num_cpus=1, compute=ray.data.TaskPoolStrategy(size=max_workers), max_retries=RETRIES)
            for row in told.iter_rows():
                yield cloudpickle.loads(row["result"])


def _call(row: dict[str, Any]) -> dict[str, Any]:
    function, item = cloudpickle.loads(row["item"])
    return {"result": cloudpickle.dumps(function(item))}
