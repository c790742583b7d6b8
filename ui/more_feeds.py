"""What the page asks about more rows, written by a model.

GET  /studio/datasets-more/NAME     the ways for its rows, who can write, what waits for review, the job under way
POST /studio/datasets-more/NAME     starts writing, as a job
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body

from studio import preferences, runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.workspace import Workspace

JOBS = ("write_rows", "write_elsewhere")
GIVEN = ("way", "writer", "address", "rows", "count", "each", "language", "guidance", "into", "temperature", "seed")
UNDER_WAY = ("queued", "running", "stopping")
NEWEST = 50  # jobs that are looked through for one under way
Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The studio's data code is imported when it is first asked for."""
    api = APIRouter(prefix="/studio/datasets-more")

    @api.get("/{name}")
    def about(name: str) -> Words:
        from studio.datasets.additions import Additions
        from studio.datasets.store import Dataset
        from studio.datasets.writing import ways

        dataset = Dataset.open(workspace, name)
        kind = dataset.version_info()["kind"]
        finished = [run for run in runs.list_runs(workspace) if run.status in ("finished", "stopped")]
        return {
            "kind": kind,
            "ways": ways(kind),
            "train": dataset.version_info()["counts"].get("train", 0),
            "models": workspace.names("models"),
            "runs": [{"id": run.id, "name": run.name or run.id} for run in finished[:20]],
            "waiting": len(Additions(dataset.folder).rows()),
            "offline": preferences.read(workspace).offline,
            "job": _under_way(workspace, dataset.name),
        }

    @api.post("/{name}")
    def write(name: str, body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.datasets.store import Dataset
        from studio.settings.base import check
        from studio.settings.writing import WriteSettings

        given: Words = {key: body[key] for key in GIVEN if key in body}
        dataset = Dataset.open(workspace, name)
        settings = check(WriteSettings, {"dataset": dataset.name, **given}, "This can't be written.")
        job = "write_elsewhere" if settings.address else "write_rows"
        folder = job_folder.create(workspace, job, settings.model_dump(mode="json"), dataset.name)
        if settings.address:
            local.start(folder)
        else:
            queue.advance(workspace)
        return {"job": folder.name}

    return api


def _under_way(workspace: Workspace, name: str) -> str | None:
    """The job that writes for that dataset now."""
    for job in list(reversed(workspace.names("jobs")))[:NEWEST]:
        folder = workspace.jobs / job
        try:
            settings = job_folder.read_settings(folder)
            if settings.get("job") in JOBS and settings.get("dataset") == name:
                return job if job_folder.status(folder) in UNDER_WAY else None
        except (StudioError, OSError):
            continue
    return None
