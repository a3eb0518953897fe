"""The exported folder behind `transformers serve`, asked through its OpenAI-compatible endpoint by a real client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from minisc.generation.generator import Generator
from minisc.generation.prompt import Prompt
from minisc.generation.sampling import Sampling
from minisc.model.base import load
from minisc.steps.export import Export
from minisc.tokenizer.base import Tokenizer
from tests import made
from tests.steps import small_road
from tests.steps.test_export import SETTINGS

pytestmark = pytest.mark.system
httpx = pytest.importorskip("httpx")
for package in ("fastapi", "uvicorn", "openai"):
    pytest.importorskip(package)
SECONDS = 240  # to load torch and the model on a busy machine
TOKENS = 24


@dataclass(frozen=True)
class Served:
    address: str
    model: Path  # the artifact of ours
    name: str  # as the server calls it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("served")
    artifacts, where = small_road.run(out)
    folder = made.run({**small_road.steps(), "export": Export(**SETTINGS)}, where)["export"].path / "repository"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        str(Path(sys.executable).with_name("transformers")),
        "serve",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    with (out / "server.log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"}, start_new_session=True)
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", out / "server.log")
            yield Served(f"http://127.0.0.1:{port}/v1", artifacts["pretrain"].path, str(folder))
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)


def ask(served: Served, **more: Any) -> Any:
    body = {"model": served.name, "max_tokens": TOKENS, "temperature": 0, **more}
    return httpx.post(f"{served.address}/completions", json=body, timeout=SECONDS)


def greedy(served: Served, prompt: Prompt) -> str:
    generator = Generator(load(served.model).module, Tokenizer.load(served.model))
    return generator.complete([prompt], Sampling(max_new_tokens=TOKENS))[0].text


def test_it_answers_as_we_do(served: Served) -> None:
    for text in ("def f(", "import os\n"):
        told = ask(served, prompt=text)
        assert told.status_code == 200, told.text
        assert told.json()["choices"][0]["text"] == greedy(served, Prompt(text=text))


def test_a_hole_is_filled_as_we_do(served: Served) -> None:
    told = ask(served, prompt="<fim_prefix>def f(x):\n<fim_suffix>\n    return y\n<fim_middle>")
    assert told.json()["choices"][0]["text"] == greedy(served, Prompt(text="def f(x):\n", suffix="\n    return y\n"))


def test_it_streams(served: Served) -> None:
    told = ask(served, prompt="def f(", stream=True).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data: {")]
    assert len(chunks) > 2
    assert "".join(choice.get("text") or "" for chunk in chunks for choice in chunk["choices"]) == greedy(served, Prompt(text="def f("))
