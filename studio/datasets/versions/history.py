"""The versions of a dataset as people see them: their names, who used them, and going back to one."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from studio import migrate, runs
from studio.datasets.store import INFO, Dataset
from studio.datasets.versions.publishing import hold
from studio.errors import Refused, StudioError
from studio.files import flush
from studio.jobs import folder as job_folder
from studio.names import fitting
from studio.workspace import Workspace

LONGEST_TITLE = 80


def name_version(workspace: Workspace, name: str, version: int, title: str) -> str:
    """Gives a version a name for people, or takes it away with ""; returns it.

    Raises:
        BadInput: it is too long.
    """
    title = fitting(" ".join(title.split()), LONGEST_TITLE, "The name of the version", "title")
    with hold(workspace, name):
        dataset = Dataset.open(workspace, name)
        dataset.version_info(version)
        versions = [
            entry | {"title": title} if entry["version"] == version else entry for entry in dataset.info["versions"]
        ]
        migrate.save(dataset.folder / INFO, "dataset", dataset.info | {"versions": versions})
    return title


def go_back(workspace: Workspace, name: str, version: int) -> int:
    """Makes a new version with the rows of an older one; those between stay. Returns its number.

    Changes that are in no version yet stay pending, and are then changes to the new one.

    Raises:
        Refused: it is the latest already.
        Busy: an import into the dataset is at work.
    """
    with hold(workspace, name) as scratch:
        dataset = Dataset.open(workspace, name)
        latest, entry = dataset.version_info(), dataset.version_info(version)
        if version == dataset.latest:
            raise Refused(f"Version {version} is the latest already.", "", "Choose an older one to go back to.")
        number = dataset.latest + 1
        path = scratch / f"{number:04}.parquet"
        shutil.copyfile(dataset.path(version), path)
        flush(path)
        made = entry | {
            "version": number,
            "made": round(time.time(), 3),
            "title": "",
            "made_from": version,
            "back": True,
            # What was done between is set aside with the versions it made.
            "reviews": max(int(latest.get("reviews", 0)), int(entry.get("reviews", 0))),
        }
        os.rename(path, dataset.folder / "versions" / path.name)
        info = dataset.info | {"versions": [*dataset.info["versions"], made]}
        migrate.save(dataset.folder / INFO, "dataset", info)
    return number


def used_by(workspace: Workspace, dataset: Dataset) -> dict[int, list[dict[str, Any]]]:
    """The runs that were trained on each version, by version: `id` and `name` as people call it, oldest first."""
    names = {dataset.name, *dataset.info.get("formerly", [])}
    found: dict[int, list[dict[str, Any]]] = {}
    for run in workspace.names("runs"):
        try:
            settings = job_folder.read_settings(workspace.runs / run)
        except (StudioError, OSError):
            continue  # shown as broken among the runs
        if settings.get("dataset") in names and isinstance(settings.get("version"), int):
            item = {"id": run, "name": runs.summary(workspace.runs / run).title}
            found.setdefault(settings["version"], []).append(item)
    return found
