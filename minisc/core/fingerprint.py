"""Fingerprints: what a result depends on, as one hash, as a git tree's id is a hash of its entries.

In: a component (a frozen dataclass of settings, with components inside it). Out: a plain description, and its hash.
Guarantees: the same settings, versions, identities and inputs give the same fingerprint on any machine; a field that cannot
change the result (workers, progress) is declared with `free(…)` and stays out.
Price: a component whose code changes must raise its `version`; `tests/test_versions.py` catches the one who forgets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from minisc.core.document import JSON

LENGTH = 20  # hex characters: 80 bits


def free(**options: Any) -> Any:
    """A dataclass field that cannot change a result, and so does not enter the fingerprint."""
    return dataclasses.field(metadata={"free": True}, **options)


def describe(value: object) -> JSON:
    """Plain data that says everything a result depends on: class, version, identity, and the settings that are not `free`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told: dict[str, JSON] = {"is": f"{type(value).__module__}.{type(value).__qualname__}"}
        if hasattr(value, "version"):
            told["version"] = value.version
        if callable(identity := getattr(value, "identity", None)) and (outside := dict(identity())):
            told["identity"] = outside
        for field in dataclasses.fields(value):
            if not field.metadata.get("free"):
                told[field.name] = describe(getattr(value, field.name))
        return told
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, (Path, Enum)):
        return str(value)
    assert value is None or isinstance(value, (str, int, float, bool)), f"cannot describe {type(value).__name__}"
    return value


def ordered(value: Mapping[str, object]) -> list[list[JSON]]:
    """A mapping whose order matters (a list of filters), as pairs: JSON with sorted keys would lose the order."""
    return [[name, describe(item)] for name, item in value.items()]


def fingerprint(description: JSON) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no white space), its first 20 hex digits."""
    return hashlib.sha256(canonical(description)).hexdigest()[:LENGTH]


def canonical(value: JSON) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
