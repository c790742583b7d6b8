"""Names of datasets: another one for a dataset there is, a free one for a new one."""

from __future__ import annotations

import os
from pathlib import Path

from studio import migrate
from studio.datasets.store import INFO, Dataset
from studio.datasets.versions.publishing import alone, hold
from studio.errors import Refused, StudioError
from studio.files import check_name, flush, suggest_name
from studio.workspace import Workspace


def rename(workspace: Workspace, name: str, new: str) -> Dataset:
    """Gives a dataset another name; runs that were trained on it still find it under the old one.

    Raises:
        BadInput: the new name can't be a folder's.
        Refused: there is a dataset of that name.
        Busy: an import into it is at work.
    """
    check_name(new, "dataset name")
    dataset = Dataset.open(workspace, name)
    if new == dataset.name:
        return dataset
    with hold(workspace, dataset.name), hold(workspace, new):
        target = workspace.datasets / new
        if target.exists():
            raise Refused(
                f"“{dataset.name}” can't be renamed.",
                f"There is a dataset “{new}” already.",
                "Choose another name.",
                field="name",
            )
        former = [old for old in (*dataset.info.get("formerly", []), dataset.name) if old != new]
        os.rename(dataset.folder, target)
        migrate.save(target / INFO, "dataset", dataset.info | {"name": new, "formerly": former})
        flush(workspace.datasets)
    return Dataset.open(workspace, new)


def delete(workspace: Workspace, name: str) -> str:
    """Moves a dataset to the trash, a broken one too; returns the key to restore it by.

    Raises:
        Busy: an import into it is at work.
    """
    check_name(name, "dataset name")  # before a lock gets its name
    with alone(workspace, name):
        return workspace.delete("datasets", name)


def free_name(workspace: Workspace, file: str) -> str:
    """A name for a dataset made of that file: one of its own, or that of a dataset made of a file of that name."""
    name = suggest_name(Path(file).stem, "data")
    taken = {each.lower(): each for each in workspace.names("datasets")}
    for number in range(1, 1000):
        candidate = name if number == 1 else f"{name[:44]}-{number}"
        there = taken.get(candidate.lower())
        if there is None or _made_of(workspace, there, file):
            return there or candidate
    return name


def _made_of(workspace: Workspace, name: str, file: str) -> bool:
    try:
        return Dataset.open(workspace, name).version_info()["source"]["file"] == file
    except (StudioError, OSError, KeyError, TypeError):  # a broken one keeps its name to itself
        return False
