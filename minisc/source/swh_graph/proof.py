"""Directory ids recomputed from parsed entries: the parser proves itself on the data at hand.

A directory's id is the SHA-1 of its git tree: "tree <length>\\0", then for each entry, sorted by name (a directory's name
compared with a slash behind it), its mode in octal, a space, its name, NUL and its target's 20 bytes. If names, modes,
targets and their belonging were read right, the id comes out; if any of them was not, it cannot.
A few directories of the archive are known to be damaged (entries twice, modes with a leading zero), so the caller allows for
a share of failures.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from minisc.source.swh_graph.graph import Proofs, Sample
from minisc.source.swh_graph.ids import keys_of

DIRECTORY_MODE = 0o040000


def lowest(number: int) -> Sample:
    """A sample: the directories with the lowest ids. Ids are hashes, so it is random, and the same in every run."""
    return lambda ids: np.sort(np.argsort(keys_of(ids), kind="stable")[:number])


def tree_id(entries: list[tuple[bytes, int, bytes]]) -> bytes:
    """The id of a tree with these (name, mode, target) entries."""
    ordered = sorted(entries, key=lambda entry: entry[0] + b"/" if entry[1] == DIRECTORY_MODE else entry[0])
    body = b"".join(b"%o %b\0%b" % (mode, name, target) for name, mode, target in ordered)
    return hashlib.sha1(b"tree %d\0%b" % (len(body), body)).digest()


def failures(proofs: Proofs) -> list[str]:
    """Hex ids of the sampled directories whose entries give another id."""
    held: dict[int, list[tuple[bytes, int, bytes]]] = defaultdict(list)
    names, perms = proofs.entries.names.to_pylist(), proofs.entries.perms.tolist()
    for of, name, mode, target in zip(proofs.of.tolist(), names, perms, proofs.entries.targets, strict=True):
        held[of].append((name or b"", mode, target.tobytes()))
    ids = [row.tobytes() for row in proofs.directories]
    return [own.hex() for at, own in enumerate(ids) if tree_id(held[at]) != own]
