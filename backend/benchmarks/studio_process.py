"""A studio of one's own, started as anybody starts it but for the guard over it, and asked over HTTP."""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from backend import leash
from backend.benchmarks.measured import peak_of
from studio.errors import JobFailed
from studio.jobs.local import ROOT
from studio.workspace import Workspace

PATIENCE = 120.0
LOOK_SECONDS = 0.01
APPEAR_SECONDS = 0.001


class StudioProcess:
    """Runs while the block of its `with` does; neither it nor its engine outlives this process.

    Attributes:
        began: when it was started, by `time.perf_counter()`, a few milliseconds too early rather than too late.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.output = workspace.root / "studio.log"
        where = ["--no-browser", "--port", str(self.port), "--workspace", str(workspace.root)]
        with open(self.output, "ab") as output:
            self.guard = leash.guarded(
                [sys.executable, "launch.py", "ui", *where], cwd=ROOT, stdout=output, stderr=output
            )
        self.began, self.process = self._appeared()

    def __enter__(self) -> StudioProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with suppress(psutil.Error):  # it has ended already, or does not: the guard ends what is left
                self.process.terminate()
                self.process.wait(30)
        finally:
            leash.end(self.guard)

    def _appeared(self) -> tuple[float, psutil.Process]:
        """The last moment at which the guard had no child, for its own start is not the studio's; and the child."""
        guard, moment = psutil.Process(self.guard.pid), time.perf_counter()
        while self.guard.poll() is None:
            looked = time.perf_counter()
            if found := guard.children():
                return moment, found[0]
            moment = looked
            time.sleep(APPEAR_SECONDS)
        raise self._failed()

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
            if self.guard.poll() is not None:
                break
            yield
            time.sleep(LOOK_SECONDS)
        raise self._failed()

    def _failed(self) -> JobFailed:
        said = self.output.read_text(encoding="utf-8", errors="replace").strip()[-400:]
        return JobFailed("The studio did not start.", said, "Start it by hand to see why: python3 launch.py")

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
        return int(self.process.memory_info().rss)

    def peak(self) -> int:
        """Bytes, the most that it was."""
        return peak_of(self.process)

    def files_of(self, package: str) -> list[str]:
        """Files of an installed package that the process has mapped; [] where the system does not tell."""
        maps = getattr(self.process, "memory_maps", None)
        return [one.path for one in maps() if package in Path(one.path).parts] if maps else []


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
