"""An engine schedules parts of work, and decides nothing else.

`open()` gives a mapper for the time of a run: `map(function, items)` calls a function of ours on each item, in other
processes or on other machines, and yields the results in the order of the items. Which parts there are was decided by the
data, so any engine with any number of workers gives the same files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from minisc.core.step import Mapper


@dataclass(frozen=True, kw_only=True)
class Engine(ABC):
    @abstractmethod
    def open(self) -> AbstractContextManager[Mapper]:
        """The workers, until the block ends."""
