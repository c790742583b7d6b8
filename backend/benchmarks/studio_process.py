"""A studio of one's own, started as anybody starts it, and asked over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from studio.errors import JobFailed
from studio.jobs.local import ROOT
from studio.workspace import Workspace

PATIENCE = 120.0
LOOK_SECONDS = 0.01


class StudioProcess:
    """Runs while the block of its `with` does."""

    def __init__(self, workspace: Workspace) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.output = workspace.root / "studio.log"
        where = ["--no-browser", "--port", str(self.port), "--workspace", str(workspace.root)]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "launch.py", "ui", *where], cwd=ROOT, stdout=output, stderr=output
            )

    def __enter__(self) -> StudioProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def first_byte(self) -> float:
        """The moment at which anything is answered to a browser."""
        for _ in self._tries():
            try:
                with closing(socket.create_connection(("127.0.0.1", self.port), 5)) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    if connection.recv(1):
                        return time.perf_counter()
            except OSError:
                continue
        raise AssertionError

    def wait_until_ready(self) -> None:
        """Until the splash has handed over to the pages."""
        for _ in self._tries():
            try:
                self.get("/studio/ready")
                return
            except (OSError, urllib.error.HTTPError):
                continue

    def _tries(self) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            yield
            time.sleep(LOOK_SECONDS)
        said = self.output.read_text(encoding="utf-8", errors="replace").strip()[-400:]
        raise JobFailed("The studio did not start.", said, "Start it by hand to see why: python3 launch.py")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def ask(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.get(path)))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.stream(path, body) as lines:
            return dict(json.loads(b"".join(lines)))

    @contextmanager
    def stream(self, path: str, body: dict[str, Any]) -> Iterator[Iterator[bytes]]:
        """The lines of an answer as they come."""
        data = json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            yield iter(answer)

    def memory(self) -> int:
        """Bytes, the resident size of the page's process at this moment."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def files_of(self, package: str) -> list[str]:
        """Files of an installed package that the process has mapped; [] where the system does not tell."""
        maps = getattr(psutil.Process(self.process.pid), "memory_maps", None)
        return [one.path for one in maps() if package in Path(one.path).parts] if maps else []


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
