"""The GGUF file in llama.cpp itself: it loads, cuts text as we do, and writes the same greedy tokens.

llama.cpp comes as a binary inside an npm package; neither is needed for anything else, so the test asks for a folder:

    npm install --ignore-scripts node-llama-cpp@3.22.1 @node-llama-cpp/linux-x64@3.22.1
    MINISC_NODE_LLAMA=<that folder> pytest -m system tests/release/test_llama_cpp.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minisc.core.artifact import Artifact
from minisc.core.step import Context
from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt, encode
from minisc.generation.sampling import Sampling
from minisc.model.base import load
from minisc.steps.export import Export
from minisc.tokenizer.base import Tokenizer
from tests import made
from tests.steps import small_road

pytestmark = pytest.mark.system

NEW = 24
TEXTS = ["def add(a, b):\n    return", "class Stack:\n    def push(self, item):", "import os\n\nfor name in"]
SCRIPT = """
import {getLlama} from "node-llama-cpp";
import fs from "fs";
const [file, asked] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: 1});
const model = await llama.loadModel({modelPath: file});
const context = await model.createContext({contextSize: 128, threads: 1});
const told = [];
for (const one of JSON.parse(fs.readFileSync(asked))) {
  const sequence = context.getSequence(), written = [];
  for await (const token of sequence.evaluate(one.ids, {temperature: 0, yieldEogToken: true})) {
    written.push(token);
    if (written.length >= one.count) break;
  }
  sequence.dispose();
  told.push({written, cut: [...model.tokenize(one.text)]});
}
console.log("told " + JSON.stringify(told));
process.exit(0);
"""


@pytest.fixture
def packages() -> Path:
    folder = os.environ.get("MINISC_NODE_LLAMA")
    if not folder or not shutil.which("node"):
        pytest.skip("llama.cpp is wanted: node, and MINISC_NODE_LLAMA=<a folder with node-llama-cpp>, see the top of this test")
    return Path(folder)


def test_llama_cpp_writes_what_we_write(packages: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    artifacts, where = small_road.run(tmp_path)
    file = exported(artifacts, where, tmp_path)
    model = artifacts["pretrain"]
    tokenizer = Tokenizer.load(model.path)
    generator = Generator(load(model.path).module, tokenizer)
    asked: list[dict[str, Any]] = []
    for text in TEXTS:
        told = generator.complete([Prompt(text=text)], Sampling(max_new_tokens=NEW))[0]
        asked.append(
            {"text": text, "ids": encode(Prompt(text=text), tokenizer, 100, cut=False).ids, "count": len(told.tokens), "told": told.tokens}
        )
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    (tmp_path / "ask.mjs").write_text(SCRIPT)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    words = ["node", str(tmp_path / "ask.mjs"), str(file), str(tmp_path / "asked.json")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("told ")).removeprefix("told "))
    assert sum(one["count"] for one in asked) > NEW
    assert [one["written"] for one in found] == [list(one["told"]) for one in asked]
    assert [one["cut"] for one in found] == [tokenizer.encode(one["text"]) for one in asked]


def exported(artifacts: dict[str, Artifact], where: Context, run: Path) -> Path:
    export = Export(name="small", license=None, formats=["gguf"], dtype="fp32", gguf_types=["f32"], pretokenizer="nearest", push=None)
    made_of = made.run({**small_road.steps(), "export": export}, replace(where, run=run / "export"))
    return made_of["export"].path / "repository" / "gguf" / "small-F32.gguf"
