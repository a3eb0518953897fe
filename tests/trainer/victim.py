"""A process that trains in a folder and may be killed at any time: `python -m tests.trainer.victim <folder> [ranks]`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tests.silent import Silent
from tests.trainer.made import VOCAB, Counting, fit, spec

STEPS = 150


def main(folder: Path, ranks: int = 1) -> None:
    result = fit(checkpoint_every=0, devices=ranks).train(
        spec=spec(), vocab_size=VOCAB, windows=Counting(), budget_tokens=STEPS * 96, bytes_per_token=3.0, seed=1, scratch=folder,
        metrics=folder / "metrics.jsonl", event_dirs=None, speak=Silent(), init_from=None,
    )  # fmt: skip
    digest = hashlib.sha256()
    for name, tensor in sorted(result.module.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    (folder / "weights.sha256").write_text(digest.hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
