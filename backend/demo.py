"""“Try the sample”: walks the main job on the starter data, part by part, each a job of its own. Needs no torch.

    python -m backend.demo FOLDER

Killed or stopped, it goes on where it was when it is started again: the parts' jobs stand in its events.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backend.job import Job, StopRequested, run_job
from studio import events
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow, local, queue
from studio.journey import Journey, begun

POLL_SECONDS = 0.2


def main(job: Job) -> dict[str, Any]:
    def began(part: str, folder: Path | None) -> None:
        place = {"kind": folder.parent.name, "id": folder.name} if folder else {}
        job.event("began", part=part, **place)

    children = {part: folder for part, folder in begun(job.workspace, job.folder).items() if folder}
    given = job.settings.get("train") or {}
    return Journey(job.workspace, given, lambda part, folder: wait(job, part, folder), began, children).walk()


def wait(job: Job, part: str, folder: Path) -> dict[str, Any]:
    """Waits for a part; asked to stop, it has the part stop and save first.

    Raises:
        StopRequested: this journey, or the part itself, was stopped.
        JobFailed: the part failed.
    """
    asked = False
    while job_folder.status(folder) in ("queued", "running", "stopping"):
        if job.should_stop() and not asked:
            asked = True
            ask_to_stop(job, folder)
        queue.advance(job.workspace)
        time.sleep(POLL_SECONDS)
        local.reap()
    state = events.read_state(folder)
    if state.phase == "stopped" or (job.should_stop() and state.phase != "finished"):
        raise StopRequested(part=part)
    job.stop_if_asked(part=part)
    return follow.result(folder, state)


def ask_to_stop(job: Job, folder: Path) -> None:
    try:
        queue.stop(job.workspace, folder)
    except StudioError:
        return  # it ended in this moment


if __name__ == "__main__":
    run_job(main)
