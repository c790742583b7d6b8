"""What the pictures of a dataset are drawn from.

GET  /studio/datasets-map/NAME?version=            figures: turns, answers, languages, rows nearly alike
GET  /studio/datasets-map/NAME/map?version=        the newest map that was finished: its points; and
                                                   the job that makes a newer one, or did not come to its end
POST /studio/datasets-map/NAME/map                 makes a map, as a job
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Body

from studio.aside import aside
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.kept import Kept
from studio.workspace import Workspace
from ui.dataset_access import reviews

Words = dict[str, Any]
KEPT: Kept[Any] = Kept(6)
JOB = "map_rows"
PICTURES = "studio.datasets.browsing.pictures"


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The studio's data code is imported when it is first asked for."""
    api = APIRouter(prefix="/studio/datasets-map")

    def opened(name: str) -> Any:
        from studio.datasets.store import Dataset

        return Dataset.open(workspace, name)

    @api.get("/{name}")
    def figures(name: str, version: int | None = None) -> Words:
        dataset = opened(name)
        number = dataset.version_info(version)["version"]
        path = dataset.path(number)
        asked = (PICTURES, "drawn", str(workspace.root), dataset.name, number)
        changes = reviews(dataset).last() if number == dataset.latest else 0
        found = KEPT.get(("figures", str(path), path.stat().st_mtime_ns, changes), lambda: aside(*asked))
        return found | {"models": workspace.names("models")}

    @api.get("/{name}/map")
    def newest(name: str, version: int | None = None) -> Words:
        from studio.datasets.browsing.pictures import findings, points, with_finding

        dataset = opened(name)
        number = dataset.version_info(version)["version"]
        folder, newer = _newest(workspace, dataset.name, number)
        job = newer.name if newer else None
        if folder is None:
            return {"points": None, "job": job}
        path = dataset.path(number)
        key = ("map", str(path), path.stat().st_mtime_ns, folder.name)
        found = KEPT.get(key, lambda: points(dataset, number, folder))
        if told := findings(workspace, dataset, number):
            found = [with_finding(point, told) for point in found]
        settings = job_folder.read_settings(folder)
        return {"points": list(map(vars, found)), "job": job, "by": settings["by"], "model": settings["model"]}

    @api.post("/{name}/map")
    def make(name: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.picturing import MapSettings

        dataset = opened(name)
        given: Words = {key: body[key] for key in ("by", "model", "rows", "seed") if key in body}
        number = dataset.version_info(body.get("version"))["version"]
        settings = check(MapSettings, {"dataset": dataset.name, "version": number, **given}, "This map can't be made.")
        folder = job_folder.create(workspace, JOB, settings.model_dump(mode="json"), dataset.name)
        local.start(folder)
        return {"job": folder.name}

    return api


def _newest(workspace: Workspace, name: str, version: int) -> tuple[Path | None, Path | None]:
    """The last finished job that maps that version, under the name the dataset has now; and the last one behind it."""
    newer = None
    for job in reversed(workspace.names("jobs")):
        folder = workspace.jobs / job
        try:
            settings = job_folder.read_settings(folder)
            if (settings.get("job"), settings.get("dataset"), settings.get("version")) != (JOB, name, version):
                continue
            if job_folder.status(folder) == "finished":
                return folder, newer
        except (StudioError, OSError):
            continue
        newer = newer or folder
    return None, newer
