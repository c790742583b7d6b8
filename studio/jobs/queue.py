"""Who runs next, and who has the device.

The queue is the folders whose status is queued: no list is stored. Jobs that need the device run one at a
time, training first. Any command, open studio or ending worker may call `advance`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studio import events, logs, migrate
from studio.errors import Busy, Refused, StudioError, explain
from studio.files import write_json
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.logs import Log
from studio.workspace import KINDS, Workspace

# Jobs that need the whole device, in the order in which they are served.
DEVICE_JOBS = ("fit", "train", "rehearsal", "evaluate", "predict", "write_rows", "benchmark")
HOLDER = "device.json"
DEVICE_LOCK = "device.lock"
QUEUE_LOCK = "queue.lock"


@dataclass(frozen=True)
class Waiting:
    """One job in the queue."""

    folder: Path
    job: str
    since: float


def waiting(workspace: Workspace) -> list[Waiting]:
    """The queue in the order in which it will be served: training first, then by age."""
    found = []
    for kind in dict.fromkeys(job_folder.home(job) for job in DEVICE_JOBS):
        for name in workspace.names(kind):
            item = _waiting(workspace.root / kind / name)
            if item:
                found.append(item)
    return sorted(found, key=lambda item: (DEVICE_JOBS.index(item.job), item.since, item.folder.name))


def _waiting(folder: Path) -> Waiting | None:
    last = logs.last(folder / events.EVENTS)
    if not last or last.get("type") not in events.WAITING:
        return None
    try:
        job = str(job_folder.read_settings(folder).get("job"))
        since = float(last.get("time") or 0)
    except (StudioError, OSError, TypeError, ValueError):
        return None  # shown as broken where it is listed; the queue goes on without it
    if job not in DEVICE_JOBS or job_folder.status(folder) != "queued":
        return None
    return Waiting(folder, job, since)


def holder(workspace: Workspace) -> Path | None:
    """The folder of the job that has the device now, if any."""
    lock = workspace.jobs / DEVICE_LOCK
    if not lock.exists() or not job_folder.held(lock):
        return None
    try:
        return Path(workspace.root / json.loads((workspace.jobs / HOLDER).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError):
        return None


def take_device(workspace: Workspace, folder: Path, patience: float = 30.0) -> FileLock:
    """Takes the device for a worker; the system frees it when the process dies.

    Raises:
        Busy: another worker keeps it.
    """
    lock = FileLock(workspace.jobs / DEVICE_LOCK, is_singleton=False)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise Busy("Another job is using the device.", "Only one can.", "Wait until it ends, or stop it.") from None
    write_json(workspace.jobs / HOLDER, {"folder": folder.relative_to(workspace.root).as_posix()})
    return lock


def advance(workspace: Workspace, patience: float = 0.0) -> Path | None:
    """Starts the head of the queue when the device is free; returns its folder.

    A job whose worker can't start is marked as failed, and the next one gets its turn.

    Args:
        patience: seconds to wait while somebody else is at the queue. A page or a command asks again anyway; a worker
            that ends is perhaps the last one to ask, so it waits.
    """
    if not waiting(workspace):  # the usual case, without taking a lock
        return None
    try:
        with FileLock(workspace.jobs / QUEUE_LOCK, timeout=patience, is_singleton=False):
            while holder_or_locked(workspace) is False:
                queue = waiting(workspace)
                if not queue:
                    return None
                try:
                    local.start(queue[0].folder)
                except (StudioError, OSError) as error:
                    with Log(queue[0].folder / events.EVENTS) as log:
                        log.append("failed", **explain(error).as_dict())
                    continue
                return queue[0].folder
    except Timeout:
        pass  # somebody else is at it, and will find the same head
    return None


def holder_or_locked(workspace: Workspace) -> bool:
    """Whether the device is taken."""
    lock = workspace.jobs / DEVICE_LOCK
    return lock.exists() and job_folder.held(lock)


def stop(workspace: Workspace, folder: Path) -> str:
    """Stops a job: a waiting one leaves the queue, a running one is asked to save and end.

    Returns:
        Its status afterwards.
    """
    status = job_folder.status(folder)
    if status == "queued":
        with FileLock(workspace.jobs / QUEUE_LOCK, is_singleton=False):
            if job_folder.status(folder) == "queued":
                # not the last one logged: what was done after the resume point is done again
                step = events.read_state(folder).resuming or 0
                with Log(folder / events.EVENTS) as log:
                    log.append("stopped", step=step)
                return "stopped"
    if status in ("running", "stopping"):
        local.stop(folder)
    elif status in ("queued", "interrupted", "broken"):
        raise Refused(
            f"This {KINDS[folder.parent.name]} can't be stopped.",
            f"It is {status}: no worker is at it.",
            "Resume it or delete it.",
        )
    return job_folder.status(folder)


def requeue(
    workspace: Workspace, folder: Path, settings: dict[str, Any] | None = None, reasons: dict[str, str] | None = None
) -> None:
    """Puts a stopped, interrupted or failed job into the queue again.

    Args:
        settings: those it goes on with, where they change; reasons: why, by the names of those that do.

    Raises:
        Refused: it runs, waits already, or has finished.
    """
    with FileLock(workspace.jobs / QUEUE_LOCK, is_singleton=False):
        status = job_folder.status(folder)
        if status not in ("stopped", "interrupted", "failed"):
            raise Refused(
                f"This {KINDS[folder.parent.name]} can't be resumed.",
                f"It is {status}.",
                "Only stopped, interrupted or failed ones can be taken up again.",
            )
        if settings is not None:
            job = job_folder.read_settings(folder)["job"]
            migrate.save(folder / job_folder.SETTINGS, "settings", {"job": job, **settings})
        (folder / job_folder.STOP).unlink(missing_ok=True)
        with Log(folder / events.EVENTS) as log:
            log.append("queued", **({"reasons": reasons} if reasons else {}))
    advance(workspace)
