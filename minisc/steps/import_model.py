"""import_model: a published checkpoint becomes a `model` artifact, which every later step takes as one of ours.

In: a folder as `transformers` saves it: config.json, weights as safetensors (one file or shards), tokenizer.json. Out: a `model`
artifact with its tokenizer: model.safetensors (fp32), config.json, tokenizer.json.
Guarantees: nothing is unpickled and no code of the folder runs; what is not StarCoder2's network or has other special tokens is
refused, naming what does not fit. The fingerprint is of the files' contents, not of where they lie.
A step of its own rather than a folder as `inputs.model=…`: an artifact says by checksums what it is, a folder does not; so the
folder is read once, checked, and from then on has a fingerprint that scores and cards can refer to.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from minisc.core.artifact import Figures, Work
from minisc.core.errors import BadInput, UserError
from minisc.core.fingerprint import free
from minisc.core.step import Context, Cost, Inputs, Step

CONFIG, TOKENIZER = "config.json", "tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class ImportModel(Step):
    version: ClassVar[int] = 1
    makes: ClassVar[tuple[str, ...]] = ("model", "tokenizer")

    path: str | None = free()  # the contents are in the leaves

    def __post_init__(self) -> None:
        if self.path is None:
            raise UserError(
                "no folder to import is named", where="steps.import_model.path=null",
                do="steps.import_model.path=<folder with config.json, *.safetensors and tokenizer.json>",
            )  # fmt: skip

    @property
    def _folder(self) -> Path:
        return Path(str(self.path)).expanduser()

    def leaves(self, context: Context) -> Mapping[str, Any]:
        """Contents of all that is read. Raises BadInput for a folder without it."""
        folder = self._folder
        weights = sorted(folder.glob("*.safetensors"))
        index = [path for path in (folder / "model.safetensors.index.json",) if path.is_file()]
        missing = [name for name in (CONFIG, TOKENIZER) if not (folder / name).is_file()] + ([] if weights else ["*.safetensors"])
        if missing:
            raise BadInput(
                f"the folder has no {', '.join(missing)}", where=f"steps.import_model.path={self.path}",
                do="name a folder as save_pretrained() of transformers writes it",
            )  # fmt: skip
        files = [folder / CONFIG, folder / TOKENIZER, *index, *weights]
        return {"files": dict(zip((path.name for path in files), context.hashes.of(files), strict=True))}

    def cost(self, inputs: Mapping[str, Mapping[str, float]], context: Context) -> Cost:
        size = sum(path.stat().st_size for path in self._folder.glob("*.safetensors"))
        return Cost(seconds=2 + size / 5e8, disk_bytes=2 * size, remark=self._folder.name)

    def run(self, work: Work, inputs: Inputs) -> Figures:
        from minisc.model.base import load, save
        from minisc.tokenizer.base import Tokenizer

        loaded = load(self._folder)
        tokenizer = Tokenizer.load(self._folder)
        if tokenizer.vocab_size > loaded.vocab_size:
            raise BadInput(
                f"the tokenizer has {tokenizer.vocab_size:,} tokens, the model knows {loaded.vocab_size:,}", where=str(self._folder),
                do="take tokenizer.json and weights from the same model",
            )  # fmt: skip
        save(work.path, loaded.module, loaded.spec, loaded.vocab_size)
        shutil.copyfile(self._folder / TOKENIZER, work.path / TOKENIZER)
        return {"parameters": loaded.spec.parameters(loaded.vocab_size), "vocabulary": tokenizer.vocab_size}
