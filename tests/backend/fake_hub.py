"""A small Hugging Face hub on loopback: its two addresses that a download needs, with the real one's answers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BRANCHED = "f" * 40  # the commit of a repository's branch
BLOCK = 1 << 16


@dataclass
class Repo:
    """One repository; a dataset's name begins with datasets/.

    `access` is open, gated (listed, files refused) or badtoken (all refused).
    """

    files: dict[str, bytes]
    access: str = "open"
    card: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    branches: dict[str, Repo] = field(default_factory=dict)


class FakeHub(ThreadingHTTPServer):
    """Serves `repos`; `requests` lists what was asked (address, Range header, Authorization header).

    drop: file -> after how many bytes the connection is cut, one entry for each time it shall happen.
    hold: file -> after how many bytes the answer waits for `go`; `held` is set while it does.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.repos: dict[str, Repo] = {}
        self.requests: list[tuple[str, str | None, str | None]] = []
        self.drop: dict[str, list[int]] = {}
        self.hold: dict[str, int] = {}
        self.spoil: set[str] = set()
        self.status: int | None = None
        self.held = threading.Event()
        self.go = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class Answer(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, unquote(urlsplit(self.path).path)
        hub.requests.append((path, self.headers["Range"], self.headers["Authorization"]))
        if hub.status:
            return self.plain(hub.status, {}, "")
        if path.startswith(("/api/models/", "/api/datasets/")):
            repo, _, revision = path.removeprefix("/api/").removeprefix("models/").partition("/revision/")
            return self.listing(repo, revision or "main")
        repo, _, rest = path[1:].partition("/resolve/")
        return self.file(repo, *rest.split("/", 1))

    def plain(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        told = {"X-Error-Code": code, "X-Error-Message": message}
        self.plain(status, {name: value for name, value in told.items() if value}, json.dumps({"error": message}))

    def repo(self, name: str, revision: str) -> Repo | None:
        """The repository, or None after it was refused as the hub does."""
        repo = self.server.repos.get(name)
        if repo is None:
            # The hub hides whether a repository exists from those who may not see it.
            self.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif repo.access == "badtoken":
            self.refuse(401, "", "Invalid credentials in Authorization header")
        elif revision not in ("main", "v1", COMMIT, *repo.branches, *(BRANCHED for _ in repo.branches)):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return next(iter(repo.branches.values())) if revision in (BRANCHED, *repo.branches) else repo
        return None

    def listing(self, name: str, revision: str) -> None:
        repo = self.repo(name, revision)
        if repo is None:
            return
        siblings = []
        for file, data in repo.files.items():
            item: dict[str, Any] = {"rfilename": file, "size": repo.sizes.get(file, len(data))}
            item["blobId"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if file.endswith((".safetensors", ".bin")):
                item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": item["size"], "pointerSize": 134}
            siblings.append(item)
        gated = "manual" if repo.access == "gated" else False
        sha = BRANCHED if repo is not self.server.repos[name] else COMMIT
        info = {"id": name, "modelId": name, "sha": sha, "private": False, "gated": gated, "tags": []}
        self.plain(200, {}, json.dumps(info | {"siblings": siblings, "cardData": repo.card}))

    def file(self, name: str, revision: str, file: str) -> None:
        repo = self.repo(name, revision)
        if repo is None:
            return
        if repo.access == "gated":
            return self.refuse(403, "GatedRepo", f"Access to model {name} is restricted.")
        data = repo.files[file]
        if file in self.server.spoil:
            data = data[:-1] + bytes([data[-1] ^ 1])
        begin = 0
        if asked := self.headers["Range"]:
            begin = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.body(file, data[begin:])

    def body(self, file: str, data: bytes) -> None:
        hub = self.server
        cuts = hub.drop.get(file)
        end = cuts.pop(0) if cuts else len(data)
        for start in range(0, min(end, len(data)), BLOCK):
            if file in hub.hold and start >= hub.hold[file]:
                hub.held.set()
                hub.go.wait()
            self.wfile.write(data[start : min(start + BLOCK, end)])
        if end < len(data):
            self.close_connection = True
            self.connection.shutdown(2)


@contextmanager
def serving() -> Iterator[FakeHub]:
    hub = FakeHub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go.set()
        hub.shutdown()
        hub.server_close()
        thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """A folder's files, as a repository holds them."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
