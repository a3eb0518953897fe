"""A hub on loopback that behaves as the real one does for the calls we make, and misbehaves on demand.

    with Hub({"train.jsonl": b"..."}, dataset="owner/set") as hub:    HF_ENDPOINT=hub.endpoint
        hub.trouble = ["429", "503", "reset", "cut"]                  for the next so many ranges, one each
        hub.ranges                                                    (path, first byte, last byte) of every range that was asked for

Large files are redirected to another host name, as the hub redirects to its store, where a token has no business.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class Hub:
    def __init__(self, files: Mapping[str, bytes], *, dataset: str = "owner/set") -> None:
        self.dataset, self.files = dataset, dict(files)
        self.commit = "1" * 40
        self.trouble: list[str] = []  # for ranges
        self.api_trouble: list[str] = []
        self.ranges: list[tuple[str, int, int]] = []
        self.asked: list[str] = []  # paths of the API
        self.tokens: list[tuple[str, str | None]] = []  # (host, Authorization) of every request
        self.token: str | None = None  # what the hub wants to see
        self.bytes_per_second: float | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Hub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fetched(self) -> int:
        return sum(last + 1 - first for _, first, last in self.ranges)

    def next(self, troubles: list[str]) -> str:
        with self._lock:
            return troubles.pop(0) if troubles else ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        return None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.tokens.append((self.headers["Host"].split(":")[0], self.headers.get("Authorization")))
        if path.startswith("/stored/"):
            self._range(path.removeprefix("/stored/"))
        elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._answer(401, {"X-Error-Code": "GatedRepo"}, b"{}")
        elif path.startswith("/api/"):
            self._api(path)
        elif path.startswith(tuple(starts := [f"/datasets/{hub.dataset}/resolve/{told}/" for told in (hub.commit, "main")])):
            name = path.removeprefix(starts[0]).removeprefix(starts[1])
            if trouble := hub.next(hub.api_trouble):
                self._misbehave(trouble)
                return
            if name not in hub.files:
                self._answer(404, {"X-Error-Code": "EntryNotFound"}, b"{}")
                return
            told = {
                "X-Repo-Commit": hub.commit,
                "X-Linked-Etag": f'"{content(hub.files[name])}"',
                "X-Linked-Size": str(len(hub.files[name])),
            }
            self._answer(302, told | {"Location": f"http://localhost:{hub.port}/stored/{name}"}, b"")
        else:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")

    def _api(self, path: str) -> None:
        hub = self.hub
        hub.asked.append(path)
        if trouble := hub.next(hub.api_trouble):
            self._misbehave(trouble)
            return
        start = f"/api/datasets/{hub.dataset}"
        if path in (f"{start}/revision/main", f"{start}/revision/{hub.commit}"):
            self._json({"id": hub.dataset, "sha": hub.commit, "private": False, "tags": [], "downloads": 0, "likes": 0})
        elif path.startswith(f"{start}/tree/{hub.commit}"):
            below = path.removeprefix(f"{start}/tree/{hub.commit}").strip("/")
            self._json([
                {"type": "file", "oid": hashlib.sha1(data).hexdigest(), "size": len(data), "path": name, "lfs": {"oid": content(data), "size": len(data), "pointerSize": 130}}
                for name, data in sorted(hub.files.items()) if name.startswith(f"{below}/" if below else "")
            ])  # fmt: skip
        else:
            self._answer(404, {"X-Error-Code": "RepoNotFound"}, b'{"error": "not found"}')

    def _range(self, name: str) -> None:
        hub, data = self.hub, self.hub.files[name]
        asked = self.headers.get("Range", f"bytes=0-{len(data) - 1}").removeprefix("bytes=").split("-")
        first, last = int(asked[0]), int(asked[1] or len(data) - 1)
        hub.ranges.append((name, first, last))
        trouble = hub.next(hub.trouble)
        if trouble and trouble not in ("cut", "slow"):
            self._misbehave(trouble)
            return
        part = data[first : last + 1]
        if not part:
            self._answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            return
        self.send_response(206 if "Range" in self.headers else 200)
        for key, value in {
            "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}",
            "Content-Length": str(len(part)),
            "ETag": '"of the store"',
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if trouble == "cut":
            self.wfile.write(part[: len(part) // 2])
            self.close_connection = True
            return
        step = len(part) if hub.bytes_per_second is None else 4096
        for at in range(0, len(part), step):
            self.wfile.write(part[at : at + step])
            if hub.bytes_per_second:
                time.sleep(step / hub.bytes_per_second)

    def _misbehave(self, trouble: str) -> None:
        if trouble == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        else:
            self._answer(int(trouble), {"Retry-After": "0"} if trouble == "429" else {}, b"{}")

    def _json(self, value: Any) -> None:
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def content(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
