"""Memory that is given back before a run starts: engines as they tell of themselves, and jobs that are processes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio import engines, headroom
from studio.engines import EngineState
from studio.gpus import Gpu
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.logs import Log
from studio.machine import Machine
from studio.workspace import Workspace
from tests.studio.test_machine import made, new_memory

GB = 10**9
LARGE, SMALL = Gpu("large", 24 * GB, 20 * GB, 0, (9, 0)), Gpu("small", 8 * GB, 2 * GB, 0, (9, 0))
MUCH = 80_000_000
HOLD = f"block = bytearray(b'1' * {MUCH}); print('held', flush=True); input()"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which nothing is held, unless a test says so."""
    found = made(gpus=(LARGE, SMALL))
    monkeypatch.setattr(headroom, "machine", lambda path: found)
    resting(monkeypatch)
    return found


def resting(monkeypatch: pytest.MonkeyPatch, *states: EngineState) -> None:
    monkeypatch.setattr(engines, "holding", lambda workspace: list(states))


@pytest.fixture
def job(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that has the device."""
    folder = job_folder.create(workspace, "train", {"dataset": "desk", "model": "tiny"})
    monkeypatch.setattr(queue, "holder", lambda workspace: folder)
    return folder


def started(job: Path, pid: int, **fields: Any) -> None:
    with Log(job / "events.jsonl") as log:
        log.append("starting", pid=pid, **fields)


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline()
    yield child
    child.communicate()


def test_where_nothing_is_held_the_machine_is_as_it_is(workspace: Workspace, here: Machine) -> None:
    assert headroom.at_turn(workspace) == (here, False)


def test_what_engines_hold_is_counted_as_free(
    workspace: Workspace, here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the first GPU, and of the machine's memory; one that still loads does not know how much that will be."""
    on_gpu = EngineState("ready", loaded=True, held=15 * GB, device="cuda")
    on_cpu = EngineState("ready", loaded=True, held=GB, device="cpu")
    resting(monkeypatch, on_gpu, on_cpu, EngineState("loading"))
    found, held = headroom.at_turn(workspace)
    assert held and [gpu.memory_used for gpu in found.gpus] == [5 * GB, 2 * GB]
    assert found.memory_available == here.memory_available + GB


def test_what_the_job_on_the_device_holds_is_counted_as_free(
    workspace: Workspace,
    here: Machine,
    job: Path,
    worker: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        headroom, "gpu_memory_of", lambda pids, index: GB * 18 if (worker.pid in pids, index) == (True, 0) else 0
    )
    assert headroom.at_turn(workspace) == (here, True)  # it has not said who it is
    started(job, worker.pid)
    found, held = headroom.at_turn(workspace)
    assert held and [gpu.memory_used for gpu in found.gpus] == [2 * GB, 2 * GB]
    assert MUCH < found.memory_available - here.memory_available < 2 * MUCH
    with Log(job / "events.jsonl") as log:
        log.append("queued")
    assert headroom.at_turn(workspace) == (here, True)  # that was its life before


def test_a_job_that_plans_for_itself_counts_nothing_of_its_own_and_nothing_that_others_still_hold(
    workspace: Workspace, here: Machine, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has waited: what an engine holds now it holds beside the run."""
    started(job, os.getpid())
    resting(monkeypatch, EngineState("ready", loaded=True, held=15 * GB, device="cuda"))
    assert headroom.at_turn(workspace) == (here, False)


def test_a_job_waits_for_engines_but_not_for_ever(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, told = iter([[EngineState("ready", loaded=True)]] * 3 + [[]]), []
    monkeypatch.setattr(headroom, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(engines, "holding", lambda workspace: next(looks))
    headroom.wait_for_memory(workspace, lambda: None, told.append)
    assert next(looks, None) is None and not told
    resting(monkeypatch, EngineState("loading"))
    monkeypatch.setattr(headroom, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(headroom, "SILENT_SECONDS", 0.01)
    headroom.wait_for_memory(workspace, lambda: None, told.append)
    assert told == ["It waits until the models that were answering have left the memory."]


def test_a_job_that_waits_can_be_stopped(workspace: Workspace, here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    resting(monkeypatch, EngineState("loading"))
    with pytest.raises(InterruptedError):
        headroom.wait_for_memory(workspace, lambda: (_ for _ in ()).throw(InterruptedError), print)


def test_a_job_waits_until_the_one_that_started_it_is_gone(
    workspace: Workspace, here: Machine, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for its number to be given back: nobody may ask how it ended."""
    monkeypatch.setenv(headroom.AFTER, str(worker.pid))
    looks: list[bool] = []

    def look() -> None:
        looks.append(headroom.AFTER in os.environ)
        worker.kill()

    headroom.wait_for_memory(workspace, look, print)
    assert looks and not any(looks)  # its own workers have nobody before them
    assert psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="only there mapped files are told apart")
def test_files_in_memory_are_not_a_process_s_own(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"1" * MUCH)
    before = headroom.private_memory(psutil.Process())
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped.find(b"0") == -1  # every page is read
        assert headroom.private_memory(psutil.Process()) - before < MUCH / 4
        with new_memory(MUCH):
            assert headroom.private_memory(psutil.Process()) - before > MUCH * 0.9
