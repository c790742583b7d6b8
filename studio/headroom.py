"""The memory that a run will find when its turn comes, which is more than what is free while others rest or work.

Engines give way to a job that has the device, once the answer that they are at has ended, and the job that has it now
ends before the next one starts: what they hold is given back.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from studio import engines, events
from studio.gpus import gpu_memory_of
from studio.jobs import queue
from studio.machine import Machine, machine
from studio.workspace import Workspace

# In a worker's environment the process id of the one that ended and started it.
AFTER = "FLEXTUNE_AFTER"
# An engine looks once a second whether another job has the device; the usual answer takes some 40 s on two CPU cores.
PATIENCE_SECONDS = 45.0
SILENT_SECONDS = 2.0
POLL_SECONDS = 0.05


def at_turn(workspace: Workspace) -> tuple[Machine, bool]:
    """This machine with that memory free, and whether some of it is held now.

    How much a job holds of a GPU can't be told everywhere; there it counts as taken. So does all that is held while
    the job whose turn it is looks itself, after it has waited.
    """
    here, job = machine(workspace.root), queue.holder(workspace)
    worker = _worker(job) if job else None
    if worker == os.getpid():
        return here, False
    resting, tree = engines.holding(workspace), _tree(worker) if worker else []
    # An engine that is on a GPU is on the first.
    on_gpu = [sum(one.held for one in resting if one.device == "cuda"), *[0] * len(here.gpus)]
    pids = {process.pid for process in tree}
    gpus = tuple(
        replace(gpu, memory_used=max(0, gpu.memory_used - on_gpu[index] - gpu_memory_of(pids, index)))
        for index, gpu in enumerate(here.gpus)
    )
    given_back = sum(one.held for one in resting if one.device != "cuda") + sum(map(private_memory, tree))
    available = min(here.memory, here.memory_available + given_back)
    return replace(here, memory_available=available, gpus=gpus), bool(resting or job)


def wait_for_memory(workspace: Workspace, stop: Callable[[], object], tell: Callable[[str], object]) -> None:
    """Waits, but not for ever, until others have given their memory back to this job, which has the device.

    Args:
        stop: called at each look; what it raises ends the waiting.
        tell: called with words for people, where it takes time.
    """
    before, began, told = int(os.environ.pop(AFTER, "0")), time.monotonic(), False
    while (waited := time.monotonic() - began) < PATIENCE_SECONDS:
        if not _alive(before) and not engines.holding(workspace):
            return
        stop()
        if waited > SILENT_SECONDS and not told:
            told = True
            tell("It waits until the models that were answering have left the memory.")
        time.sleep(POLL_SECONDS)


def private_memory(process: psutil.Process) -> int:
    """Bytes that are free once a process has ended; files that it has mapped into memory count as free already."""
    with suppress(psutil.Error):
        if sys.platform == "linux":
            held = process.memory_info()
            return int(held.rss - held.shared)
        return int(process.memory_full_info().uss)
    return 0


def _alive(pid: int) -> bool:
    with suppress(psutil.Error):
        return pid > 0 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def _worker(job: Path) -> int | None:
    """The process id of a job's worker; None while it is only about to say it."""
    life = engines.this_life(job)
    if not life or any(line.get("type") in events.WAITING for line in life):
        return None
    return int(life[0].get("pid") or 0) or None


def _tree(pid: int) -> list[psutil.Process]:
    """A process and those that it started."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
