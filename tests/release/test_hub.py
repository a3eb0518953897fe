"""Pushing asks a hub over HTTP as the real one is asked: a small server of the test answers, with a real client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from minisc.core.errors import UserError
from minisc.release import hub

pytest.importorskip("huggingface_hub")
WHERE = "steps.export.push=me/model"


class Hub:
    """The four calls of a push: create the repository, ask how files go, verify a folder, commit."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []  # method, path, token
        self.commit: list[dict[str, Any]] = []
        self.created: dict[str, Any] = {}
        self.refuse = 0
        outer = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.answer(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        self.asked.append((request.command, request.path, request.headers.get("authorization") or ""))
        told: Any = {}
        if self.refuse:
            told = {"error": "no"}
        elif request.path == "/api/repos/create":
            self.created = json.loads(body)
            told = {"url": f"{self.address}/me/model"}
        elif "/preupload/" in request.path:
            told = {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]]}
        elif "/commit/" in request.path:
            self.commit = [json.loads(line) for line in body.splitlines()]
            told = {"commitUrl": f"{self.address}/me/model/commit/1", "commitOid": "1" * 40, "hookOutput": ""}
        raw = json.dumps(told).encode()
        request.send_response(self.refuse or 200)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    made = Hub()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gguf").mkdir()
    (tmp_path / "README.md").write_text("# m\n")
    (tmp_path / "gguf" / "m.gguf").write_bytes(b"GGUF")
    return tmp_path


def test_one_commit_with_every_file(server: Hub, folder: Path) -> None:
    assert hub.push(folder, "me/model", WHERE, endpoint=server.address) == f"{server.address}/me/model/commit/1"
    files = {line["value"]["path"] for line in server.commit if line["key"] == "file"}
    assert files == {"README.md", "gguf/m.gguf"}
    assert server.created.get("private") is True or server.created.get("visibility") == "private"  # by the client's version
    assert {token for _, _, token in server.asked} == {"Bearer hf_test"}


@pytest.mark.parametrize(("status", "do"), [(403, "HF_TOKEN"), (500, "again")])
def test_a_refusal_is_said(server: Hub, folder: Path, status: int, do: str) -> None:
    server.refuse = status
    with pytest.raises(UserError, match="the hub refused") as caught:
        hub.push(folder, "me/model", WHERE, endpoint=server.address)
    assert do in caught.value.do


def test_nobody_answers(server: Hub, folder: Path) -> None:
    server.server.shutdown()
    server.server.server_close()
    with pytest.raises(UserError, match="the hub cannot be reached"):
        hub.push(folder, "me/model", WHERE, endpoint=server.address)


def test_ids_are_checked() -> None:
    with pytest.raises(UserError, match="is no repository of the hub"):
        hub.check_id("../x", WHERE)
    with pytest.raises(UserError, match="cannot name a model"):
        hub.check_name("a/b", "steps.export.name")
    hub.check_id("me/my-model_1.0", WHERE)
