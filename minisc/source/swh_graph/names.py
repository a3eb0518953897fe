"""Which files are wanted, by name alone: before a path is built or a byte is asked for.

In: names as the archive has them (bytes of any encoding). Out: for each its role: code, license file, or none.
License-like names are those of The Stack v2's pattern, in two ranks (`minisc/source/license_files.py`); PKG-INFO of a PyPI
archive and Debian's `debian/copyright` are among them. Each distinct name is looked at once: repositories name their files alike.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from minisc.source.license_files import rank

NONE, CODE, LICENSE = 0, 1, 2
LONGEST = 255  # bytes of a name that may still be a license file's


def roles(names: pa.Array, keep: Sequence[str], license_files: bool) -> tuple[np.ndarray, np.ndarray]:
    """(n,) roles, and (n,) ranks of license files: 1 made to hold a license, 2 may speak of one.

    `keep`: globs matched against names, case and all.
    """
    code = np.zeros(len(names), bool)
    for glob in keep:
        code |= _matches(names, glob)
    role = np.where(code, CODE, NONE).astype(np.int8)
    ranks = np.zeros(len(names), np.int8)
    if license_files:
        encoded = pc.dictionary_encode(names)
        words = [_rank(name) for name in encoded.dictionary.to_pylist()]
        ranks = np.array([*words, 0], np.int8)[pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)]
        ranks[code] = 0
        role[ranks > 0] = LICENSE
    return role, ranks


def _matches(names: pa.Array, glob: str) -> np.ndarray:
    ending = re.fullmatch(r"\*(\.[\w.]+)", glob)
    if ending:
        found = pc.ends_with(names, ending[1].encode())
    else:
        pattern = re.compile(fnmatch.translate(glob).encode())
        found = pa.array([name is not None and pattern.match(name) is not None for name in names.to_pylist()], pa.bool_())
    return pc.fill_null(found, False).to_numpy(zero_copy_only=False)


def _rank(name: bytes | None) -> int:
    if name is None or len(name) > LONGEST:
        return 0
    if name == b"PKG-INFO":
        return 1
    return rank(name.decode("utf-8", "surrogateescape"))
