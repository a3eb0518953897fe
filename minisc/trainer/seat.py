"""The place of one process among the ranks of a training.

Guarantees: while `taken`, Lightning and torch find the place in the environment (their own names), so Lightning starts no
processes: its launcher would run the whole command line again in each, curation and all. On leaving, the process group is closed and
the environment is as before, so the same process can train again.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class Seat:
    rank: int = 0
    ranks: int = 1
    here: int = 1  # ranks that its machine counts; under Ray every rank is a machine of its own and sees its own device only
    address: str = "127.0.0.1"  # where rank 0 listens
    port: int = 0

    @property
    def machines(self) -> int:
        return self.ranks // self.here

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        if self.ranks == 1:
            yield
            return
        before = {name: os.environ.get(name) for name in self._variables()}
        os.environ.update(self._variables())
        try:
            yield
        finally:
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def _variables(self) -> dict[str, str]:
        node, local = divmod(self.rank, self.here)
        numbers = {"RANK": self.rank, "WORLD_SIZE": self.ranks, "LOCAL_RANK": local, "NODE_RANK": node, "MASTER_PORT": self.port}
        return {"MASTER_ADDR": self.address} | {name: str(number) for name, number in numbers.items()}


ALONE = Seat()


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])
