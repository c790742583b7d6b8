"""A job's folder: its settings, its lock, its status."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio import events, migrate
from studio.errors import NotFound
from studio.events import State, Status
from studio.files import whole_folder
from studio.logs import Log
from studio.workspace import Workspace

LOCK = "lock"
STOP = "stop"
SETTINGS = "settings.json"
OUTPUT = "output.log"

# To look at a lock is to hold it for a moment, so another look at that moment finds it taken. Looks of this process
# wait for each other; one of another process is over when it is looked at again.
LOOK_AGAIN_SECONDS = 0.002
_looking = threading.Lock()

# Where a job's folder lives, by the module of `backend` that runs it.
HOMES = {"train": "runs", "rehearsal": "runs", "evaluate": "evaluations", "export": "exports"}


def home(job: str) -> str:
    """The workspace folder in which a job of that kind lives."""
    return HOMES.get(job, "jobs")


def create(
    workspace: Workspace,
    job: str,
    settings: dict[str, Any],
    hint: str = "",
    *,
    bring: dict[str, Path] | None = None,
    **fields: Any,
) -> Path:
    """A new job folder with its settings and its `created` event (and its further fields); nothing runs yet.

    Args:
        bring: files of the workspace to move into it, by their new paths in it, before anybody can see the job.
    """
    kind = home(job)
    folder = workspace.root / kind / workspace.new_id(kind, hint)
    with whole_folder(folder) as partial:
        for name, path in (bring or {}).items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, partial / name)
        migrate.save(partial / SETTINGS, "settings", {"job": job, **settings})
        with Log(partial / events.EVENTS) as log:
            log.append("created", job=job, **fields)
    return folder


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of a job, in today's format, with `job` naming its kind."""
    try:
        return migrate.load(folder / SETTINGS, "settings")
    except FileNotFoundError:
        raise NotFound(
            f"{folder.name} has no settings.",
            f"{folder / SETTINGS} is missing, so it is no job of the studio or was damaged.",
            "Restore the file from a copy, or delete the folder.",
        ) from None


def alive(folder: Path) -> bool:
    """Whether a worker holds the job's lock. The system releases it when the process dies, whatever the clock says."""
    path = folder / LOCK
    if not path.exists():
        return False
    return held(path)


def held(path: Path) -> bool:
    """Whether another process (or another FileLock of this one) holds the lock file at `path`."""
    with _looking:
        if not _taken(path):
            return False
        time.sleep(LOOK_AGAIN_SECONDS)
        return _taken(path)


def _taken(path: Path) -> bool:
    lock = FileLock(path, is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def status(folder: Path) -> Status:
    """A job's status: its events folded, and whether its worker is alive."""
    return look(folder)[1]


def look(folder: Path) -> tuple[State, Status]:
    """A job's events folded, and the status that they and its lock tell: a finished job has its result in them."""
    state = events.read_state(folder)
    if state.phase in events.TERMINAL:
        return state, state.phase  # type: ignore[return-value]
    # A worker that has just taken the lock has not written `starting` yet: waiting and alive counts as running.
    if alive(folder):
        return state, "stopping" if (folder / STOP).exists() else "running"
    state = events.read_state(folder)  # it may have told its end and let go of the lock since they were read
    if state.phase in events.TERMINAL:
        return state, state.phase  # type: ignore[return-value]
    return state, "queued" if state.phase == "waiting" else "interrupted"
