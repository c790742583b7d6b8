"""Runs: one training each, one folder each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio import events
from studio.errors import BadInput, Refused, StudioError
from studio.events import State
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.settings.train import TrainSettings
from studio.workspace import Workspace, broken


@dataclass
class RunSummary:
    """What a list shows of a run. Times are seconds since 1970; `step` counts updates done."""

    id: str
    status: str
    step: int = 0
    total_steps: int | None = None
    name: str = ""
    dataset: str = ""
    model: str = ""
    method: str = ""
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    loss: float | None = None
    error: dict[str, Any] | None = None
    result: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def create(workspace: Workspace, settings: TrainSettings, total_steps: int | None = None) -> Path:
    """A run in the queue, with these settings; `queue.advance` starts it when the device is free."""
    hint = job_folder_hint(settings.name or settings.dataset)
    return job_folder.create(workspace, "train", settings.plain(), hint, total_steps=total_steps)


def job_folder_hint(text: str) -> str:
    """The part of an id that helps a person to recognise it."""
    return "".join(letter for letter in text.lower() if letter.isascii() and (letter.isalnum() or letter == "-"))[:24]


def list_runs(workspace: Workspace) -> list[RunSummary]:
    """All runs, newest first. A folder that can't be read is shown as broken, with the reason, and hides nothing."""
    return [summary(workspace.runs / name) for name in reversed(workspace.names("runs"))]


def summary(folder: Path) -> RunSummary:
    """One run at a glance; its cost does not grow with its steps."""
    try:
        settings = job_folder.read_settings(folder)
        state = events.read_state(folder)
        status = job_folder.status(folder, state)
        last = events.last_metric(folder)
    except (StudioError, OSError) as error:
        return RunSummary(folder.name, "broken", error=broken(error))
    return RunSummary(
        id=folder.name,
        status=status,
        step=_step(state, last),
        total_steps=state.total_steps,
        name=str(settings.get("name") or ""),
        dataset=str(settings.get("dataset") or ""),
        model=str(settings.get("model") or ""),
        method=str((settings.get("method") or {}).get("name") or ""),
        created=state.created,
        started=state.started,
        ended=state.ended,
        loss=last.get("loss"),
        error=state.error,
        result=state.result,
    )


def _step(state: State, last: dict[str, Any]) -> int:
    """The terminal event knows best: after a resume the log may hold later steps of the life before."""
    for line in (state.result, last):
        for key in ("steps", "step"):
            if isinstance(line.get(key), int):
                return int(line[key])
    return 0


def open_run(workspace: Workspace, run: str) -> Path:
    """The folder of a run by its id, or by any unique beginning or end of it."""
    names = workspace.names("runs")
    if run not in names and run:
        matches = [name for name in names if name.startswith(run) or name.endswith(run)]
        if len(matches) > 1:
            raise BadInput(
                f"“{run}” means more than one run.", f"It fits {', '.join(matches[:4])}.", "Give more of the id."
            )
        run = matches[0] if matches else run
    return workspace.folder("runs", run)


def settings_of(folder: Path) -> TrainSettings:
    """The settings of a run, checked."""
    from studio.settings.base import check

    data = {key: value for key, value in job_folder.read_settings(folder).items() if key != "job"}
    return check(TrainSettings, data, f"The settings of {folder.name} can't be used.")


def weights(folder: Path) -> Path:
    """The folder of a run's trained weights.

    Raises:
        Refused: the run has none yet.
    """
    path = folder / "adapter"
    if not path.is_dir():
        status = job_folder.status(folder)
        raise Refused(
            f"{folder.name} has no trained weights yet.",
            f"It is {status}.",
            "Wait until it ends."
            if status in ("queued", "running", "stopping")
            else "Resume it, or start another run.",
        )
    return path


def delete(workspace: Workspace, run: str) -> str:
    """Moves a run to the trash; returns its id.

    Raises:
        Refused: a worker is at it.
    """
    folder = open_run(workspace, run)
    if job_folder.alive(folder):
        raise Refused(f"{folder.name} can't be deleted.", "It is running.", f"Stop it first: stop {folder.name}.")
    if job_folder.status(folder) == "queued":
        queue.stop(workspace, folder)
    workspace.delete("runs", folder.name)
    return folder.name


def restore(workspace: Workspace, run: str) -> str:
    """Takes a deleted run out of the trash; returns its id."""
    return workspace.restore("runs", run).name
