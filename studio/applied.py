"""Files that a tuned model answered from the page: jobs whose input and output lie in their own folders."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from studio import runs
from studio.errors import BadInput, NotFound, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.settings.answering import PredictSettings
from studio.settings.base import check
from studio.workspace import Workspace, broken

HINT = "predict"
INPUT = "input"
Form = Literal["csv", "xlsx", "jsonl"]


def start(workspace: Workspace, run: str, file: Path, form: Form, *, bring: bool, **options: Any) -> Path:
    """A job in the queue that answers each row of a file with the run's tuned model.

    Args:
        file: an upload of the workspace, which moves into the job's folder (`bring`), or any file of this machine.
        form: of the output.
        options: fields of Generation.

    Raises:
        NotFound, Refused: the run or the file is gone, or the run has no weights.
        BadInput: the options can't be used.
    """
    folder = runs.open_run(workspace, run)
    runs.weights(folder)
    if not file.is_file():
        raise NotFound(
            f"{file.name or file} is not there.",
            f"There is no file {file} on this machine." if not file.is_dir() else f"{file} is a folder.",
            "Check the path, or choose the file from your computer.",
        )
    if form not in ("csv", "xlsx", "jsonl"):
        raise BadInput(f"Answers can't be written as “{form}”.", "", "Choose csv, xlsx or jsonl.", field="form")
    inside = f"{INPUT}/{file.name}"
    given = options | {
        "run": folder.name,
        "file": inside if bring else str(file),
        "output": f"{file.stem}.answers.{form}",
    }
    settings = check(PredictSettings, given, "This file can't be answered.").model_dump(mode="json")
    job = job_folder.create(workspace, "predict", settings, HINT, bring={inside: file} if bring else None)
    queue.advance(workspace)
    return job


def asked_columns(workspace: Workspace, run: str) -> list[str]:
    """The columns a file must have, as the run's dataset had them; [] when the dataset can't be read."""
    from studio.datasets.importing.mapping import Mapping
    from studio.datasets.importing.prompts import Asker
    from studio.datasets.store import Dataset

    try:
        settings = runs.settings_of(runs.open_run(workspace, run))
        entry = Dataset.open(workspace, settings.dataset).version_info(settings.version)
        return Asker(Mapping.model_validate(entry["mapping"])).asked_columns
    except (StudioError, OSError, KeyError, ValueError):
        return []


def list_applied(workspace: Workspace, run: str) -> list[dict[str, Any]]:
    """The files a run answered, newest first."""
    found = []
    for name in reversed(workspace.names("jobs")):
        if re.fullmatch(rf"\d+-\d+-{HINT}-\w+", name):
            told = summary(workspace.jobs / name)
            if told.get("run") == run:
                found.append(told)
    return found


def summary(folder: Path) -> dict[str, Any]:
    """One answered file: its name, its status, and what came of it."""
    try:
        settings = job_folder.read_settings(folder)
        state, status = job_folder.look(folder)
    except (StudioError, OSError) as error:
        return {"id": folder.name, "status": "broken", "error": broken(error)}
    return {
        "id": folder.name,
        "run": settings.get("run"),
        "file": Path(str(settings.get("file"))).name,
        "output": Path(str(settings.get("output"))).name,
        "status": status,
        "created": state.created,
        "rows": state.result.get("rows"),
        "answered": state.result.get("answered"),
        "error": state.error,
        "messages": [str(line["text"]) for line in state.messages if line.get("text")],
    }


def output(workspace: Workspace, job: str) -> Path:
    """The file with the answers; NotFound when there is none (yet)."""
    folder = workspace.folder("jobs", job)
    settings = job_folder.read_settings(folder)
    path = folder / str(settings.get("output") or "")
    if settings.get("job") != "predict" or not path.is_file():
        raise NotFound(
            "There are no answers to download.",
            f"This job is {job_folder.status(folder)}, or its file was moved away.",
            "Wait until it ends, or apply the model to the file again.",
        )
    return path
