"""The real code that benchmarks run on: the installed packages, wherever the environment has them."""

from __future__ import annotations

from pathlib import Path

import pyarrow


def packages() -> Path:
    """The folder of the packages that are in use, which need not be this environment's own: it may borrow another's."""
    return Path(pyarrow.__file__).resolve().parents[1]
