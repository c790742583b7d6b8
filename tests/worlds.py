"""A workspace in which a real training run takes a second: a tiny model and a small dataset."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.job import Job, StopRequested
from studio import events, logs, runs
from studio.datasets.importing.steps import import_file
from studio.errors import StudioError
from studio.jobs.folder import STOP
from studio.preflight import preflight
from studio.settings.importing import ImportSettings
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("Paris", "Rome", "Berlin", "Madrid", "Lisbon", "Vienna", "Prague", "Warsaw", "Oslo", "Athens")
SHORT = {
    "dataset": "places",
    "model": "tiny",
    "learning_rate": 1e-2,
    "batch_size": 4,
    "cutoff": 128,
    "tokens_per_pass": 256,
    "threads": 1,
    "device": "cpu",
    "dtype": "float32",  # which format is fastest differs between machines; what is tested here does not
    "eval_steps": 3,
    "save_steps": 2,
    "samples": 2,
    "sample_tokens": 4,
}


@dataclass
class World:
    workspace: Workspace

    def run(self, **settings: Any) -> Path:
        """A run in the queue: 6 updates, with a check every 3 and a resume point every 2, unless it is told else."""
        given = SHORT | ({} if "epochs" in settings else {"max_steps": 6}) | settings
        return runs.create(self.workspace, preflight(self.workspace, TrainSettings.model_validate(given)).settings)

    def dataset(self, name: str, rows: list[dict[str, Any]]) -> None:
        source = self.workspace.root.parent / f"{name}.jsonl"
        source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        import_file(self.workspace, ImportSettings(source=str(source), name=name))


def places(split: str, count: int) -> list[dict[str, Any]]:
    """Questions of different lengths with short answers."""
    return [
        {
            "messages": [
                {
                    "role": "user",
                    "content": f"{split} {n}: what is in {PLACES[n % 10]}{'?' * (n % 7 + 1)}" * (n % 3 + 1),
                },
                {"role": "assistant", "content": f"The capital is {PLACES[n % 10]}."},
            ],
            "split": split,
        }
        for n in range(count)
    ]


@pytest.fixture
def world(workspace: Workspace, tiny: Path) -> World:
    """30 rows to train on and 6 to validate with."""
    shutil.copytree(tiny, workspace.models / "tiny")
    made = World(workspace)
    made.dataset("places", places("train", 30) + places("validation", 6))
    return made


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], Path]]:
    """Puts a disk of 3 MB at a path, where the system lets us make one."""
    made: list[Path] = []

    def mount(path: Path) -> Path:
        path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no small disk can be made here")
        made.append(path)
        return path

    yield mount
    for path in made:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def train() -> Callable[..., dict[str, Any]]:
    """Runs a run's worker to its end, in this process, which has torch loaded already; its last event.

    With `stop_at` somebody asks it to stop as soon as that step is logged.
    """
    from backend.train import main

    def whole(folder: Path, stop_at: int | None = None) -> dict[str, Any]:
        job = Stopping(folder, stop_at)
        with job.log, job.metrics:
            job.event("starting")
            try:
                job.event("finished", **main(job))
            except StopRequested as stop:
                job.event("stopped", **stop.fields)
            except StudioError as error:
                job.event("failed", **error.as_dict())
        return logs.last(folder / events.EVENTS) or {}

    return whole


class Stopping(Job):
    """A job whose stop file appears when a step has been logged."""

    def __init__(self, folder: Path, step: int | None) -> None:
        super().__init__(folder)
        self.step = step

    def should_stop(self) -> bool:
        if self.step is not None and events.last_metric(self.folder).get("step") == self.step:
            (self.folder / STOP).touch()
        return super().should_stop()


def start_worker(folder: Path, job: str = "train") -> subprocess.Popen[bytes]:
    """Starts the real worker of a run, or of another job."""
    with open(folder / "output.log", "ab") as output:
        command = [sys.executable, "-m", f"backend.{job}", str(folder)]
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    return [line for line in logs.read(folder / events.EVENTS)[0] if line["type"] == kind]


def wait(ready: Callable[[], bool], folder: Path | None = None) -> None:
    """Until it is so; after a minute it fails, with what the job in `folder` said last."""
    deadline = time.monotonic() + 60
    while not ready():
        said = folder and (logs.last(folder / events.EVENTS), (folder / "output.log").read_text())
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended; its parent may not have looked yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
