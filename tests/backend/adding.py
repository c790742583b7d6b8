"""Workers that add a model, each in a process of its own, and a hub for them to ask."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import events, logs
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from tests.backend.fake_hub import FakeHub, files_of, serving
from tests.tiny import tiny_model

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """One job of adding a model, in its own process."""

    def __init__(self, workspace: Workspace, source: str, name: str = "", **environment: str) -> None:
        self.folder = job_folder.create(workspace, "add_model", {"source": source, "name": name})
        quiet = {"HF_TOKEN": "", "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.add_model", str(self.folder)],
            cwd=ROOT,
            env=os.environ | quiet | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> dict[str, Any]:
        """Its last event, once it has ended."""
        self.process.wait(timeout=120)
        return logs.last(self.folder / events.EVENTS) or {}

    def messages(self) -> str:
        return " ".join(line.get("text", "") for line in logs.read(self.folder / events.EVENTS)[0])

    def stop(self) -> None:
        (self.folder / job_folder.STOP).touch()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def add(workspace: Workspace, source: str | Path, name: str = "", **environment: str) -> dict[str, Any]:
    """The last event of a job run to its end."""
    return Worker(workspace, str(source), name, **environment).end()


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.01)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving() as server:
        yield server


def at(hub: FakeHub) -> dict[str, str]:
    """The environment in which a worker takes `hub` for the hub."""
    return {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tiny model with 2 MB of weights, enough to be cut off in the middle."""
    folder = tiny_model(tmp_path_factory.mktemp("big") / "big", hidden=128, layers=4)
    assert (folder / "model.safetensors").stat().st_size > 2_000_000
    return files_of(folder)
