"""Runs: one training each, one folder each."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio import events, logs, migrate
from studio.errors import BadInput, NewerFormat, Refused, StudioError
from studio.events import State
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.names import fitting
from studio.settings.train import Bits, Qlora, TrainSettings
from studio.workspace import Workspace, broken

NOTE = "note.json"
LONGEST_NAME = 120
LONGEST_NOTES = 5000
# Time left is told from the newest steps: this much of the end of metrics.jsonl, some hundred lines.
RECENT_BYTES = 32_768
# Settings that decide how fast a model's tokens are trained on, besides the method.
WAY = ("dtype", "recompute", "attention", "kernels", "spread", "optimizer")


@dataclass
class RunSummary:
    """What a list shows of a run. Times are seconds since 1970; `step` counts updates done.

    `resuming` is the step that a resumed run is about to go on from, until it does.
    `name` is the note's, or else that of the settings; `worked` is the seconds of work in lives that are over, and
    `pace` the seconds an update takes just now, for a run whose worker is alive.
    """

    id: str
    status: str
    step: int = 0
    resuming: int | None = None
    total_steps: int | None = None
    name: str = ""
    dataset: str = ""
    model: str = ""
    method: str = ""
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    worked: float = 0.0
    pace: float | None = None
    loss: float | None = None
    validation_loss: float | None = None
    notes: str = ""
    error: dict[str, Any] | None = None
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What people call it: its name, or its dataset and the end of its id."""
        return self.name or (f"{self.dataset} {self.id[-4:]}" if self.dataset else spoken(self.id))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def spoken(run: str) -> str:
    """What to call a run of which only the id is left: `20261122-093015-desk-4f2a` → desk 4f2a."""
    found = re.fullmatch(r"\d{8}-\d{6}-(.+)", run)
    return found[1].replace("-", " ") if found else run


def create(
    workspace: Workspace,
    settings: TrainSettings,
    total_steps: int | None = None,
    reasons: dict[str, str] | None = None,
) -> Path:
    """A run in the queue, with these settings; `queue.advance` starts it when the device is free.

    Args:
        reasons: why settings that nobody gave are as they are, by their names.
    """
    hint = job_folder_hint(settings.name or settings.dataset)
    return job_folder.create(workspace, "train", settings.plain(), hint, total_steps=total_steps, reasons=reasons or {})


def job_folder_hint(text: str) -> str:
    """The part of an id that helps a person to recognise it."""
    return "".join(letter for letter in text.lower() if letter.isascii() and (letter.isalnum() or letter == "-"))[:24]


def list_runs(workspace: Workspace) -> list[RunSummary]:
    """All runs, newest first. A folder that can't be read is shown as broken, with the reason, and hides nothing."""
    return [summary(workspace.runs / name) for name in reversed(workspace.names("runs"))]


def summary(folder: Path) -> RunSummary:
    """One run at a glance; its cost does not grow with its steps."""
    noted = _readable_note(folder)
    try:
        settings = job_folder.read_settings(folder)
        state, status = job_folder.look(folder)
        last = events.last_metric(folder)
    except (StudioError, OSError) as error:
        return RunSummary(folder.name, "broken", name=noted.name, notes=noted.text, error=broken(error))
    return RunSummary(
        id=folder.name,
        status=status,
        step=_step(folder, state, last),
        resuming=state.resuming,
        total_steps=state.total_steps,
        name=noted.name or str(settings.get("name") or ""),
        notes=noted.text,
        dataset=str(settings.get("dataset") or ""),
        model=str(settings.get("model") or ""),
        method=str((settings.get("method") or {}).get("name") or ""),
        created=state.created,
        started=state.started,
        ended=state.ended,
        worked=_worked(state, status, last),
        pace=pace(folder, state.started or 0.0) if status == "running" else None,
        loss=last.get("loss"),
        validation_loss=list(state.evals.values())[-1] if state.evals else None,
        error=state.error,
        result=state.result,
    )


def _worked(state: State, status: str, last: dict[str, Any]) -> float:
    """Seconds of work in the lives that are over; one that was killed lasted until its last word."""
    if status != "interrupted" or state.started is None:
        return state.worked
    heard = max(float((line or {}).get("time") or 0.0) for line in (state.last_event, last))
    return state.worked + max(0.0, heard - state.started)


def pace(folder: Path, since: float) -> float | None:
    """Seconds an update takes now, checks between updates included; None when it can't be told yet.

    Args:
        since: when the worker's present life began; what was before is another pace.
    """
    path = folder / events.METRICS
    try:
        start = max(0, path.stat().st_size - RECENT_BYTES)
    except FileNotFoundError:
        return None
    lines, _ = logs.read(path, start)  # the first line may be half a one, which is passed over
    recent = [line for line in lines if line.get("type") == "step" and line.get("time", 0.0) >= since]
    if len(recent) < 2:
        return None
    steps = recent[-1]["step"] - recent[0]["step"]
    return (recent[-1]["time"] - recent[0]["time"]) / steps if steps > 0 else None


@dataclass(frozen=True)
class Note:
    """What a person wrote about a run: its name in place of the id, and notes."""

    name: str = ""
    text: str = ""


def note(folder: Path) -> Note:
    """The note of a run, an empty one when there is none.

    Raises:
        Broken: it can't be read, or a newer studio wrote it.
    """
    try:
        kept = migrate.load(folder / NOTE, "note")
    except FileNotFoundError:
        return Note()
    return Note(str(kept.get("name") or ""), str(kept.get("text") or ""))


def _readable_note(folder: Path) -> Note:
    """A note that can't be read hides no run."""
    try:
        return note(folder)
    except (StudioError, OSError):
        return Note()


def write_note(folder: Path, name: str, text: str) -> Note:
    """Names a run and keeps notes on it; any text will do, as no file is named after it.

    Raises:
        BadInput: the name or the notes are too long.
        NewerFormat: a newer studio wrote the note that is there.
    """
    name = fitting(" ".join(name.split()), LONGEST_NAME, "The name of the run")
    text = fitting(text.strip(), LONGEST_NOTES, "The text of the notes", "notes")
    try:
        note(folder)
    except NewerFormat:
        raise
    except StudioError:
        pass  # one that can't be read is replaced
    migrate.save(folder / NOTE, "note", {"name": name, "text": text})
    return Note(name, text)


def _step(folder: Path, state: State, last: dict[str, Any]) -> int:
    """The terminal event knows best: after a resume the log may hold later steps of the life before."""
    if state.resuming is not None:
        return state.resuming
    log = folder / events.METRICS
    if state.resumed and log.exists() and state.resumed.get("metrics") == log.stat().st_size:
        last = {"step": state.resumed.get("from_step")}  # nothing was logged since
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
    return check(TrainSettings, data, "The settings of this run can't be used.")


def bits(folder: Path) -> Bits | None:
    """How many bits each weight of the base was held in while the run learned; None where they were whole."""
    method = settings_of(folder).method
    return method.bits if isinstance(method, Qlora) else None


def usual_speed(workspace: Workspace, settings: TrainSettings, where: str, flash: bool) -> float | None:
    """Tokens a second of the latest finished run of this model that was computed in the same way; None without one.

    Args:
        settings: with no choice open.
        where: the `measurement.place` it would run at.
        flash: whether it would take FlashAttention; what `auto` took may have been another way then.
    """
    wanted, here = _way(settings.plain()), (settings.model, where, flash)
    for run in list_runs(workspace):
        speed = run.result.get("tokens_per_second")
        there = (run.model, run.result.get("place"), run.result.get("attention") == "flash")
        if run.status != "finished" or not speed or there != here:
            continue
        try:
            then = job_folder.read_settings(workspace.runs / run.id)
        except (StudioError, OSError):
            continue  # deleted since it was listed
        if _way(then) == wanted:
            return float(speed)
    return None


def _way(settings: dict[str, Any]) -> dict[str, Any]:
    """What decides the speed, besides model and machine."""
    method = settings.get("method") or {}
    return {name: settings.get(name) for name in WAY} | {name: method.get(name) for name in ("name", "bits")}


def weights(folder: Path) -> Path:
    """The folder of a run's trained weights.

    Raises:
        Refused: the run has none yet.
    """
    path = folder / "adapter"
    if not path.is_dir():
        status = job_folder.status(folder)
        raise Refused(
            f"“{summary(folder).title}” has no trained weights yet.",
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
        raise Refused(f"“{summary(folder).title}” can't be deleted.", "It is running.", "Stop it first.")
    if job_folder.status(folder) == "queued":
        queue.stop(workspace, folder)
    workspace.delete("runs", folder.name)
    return folder.name


def restore(workspace: Workspace, run: str) -> str:
    """Takes a deleted run out of the trash; returns its id."""
    return workspace.restore("runs", run).name


def deleted(workspace: Workspace) -> list[tuple[RunSummary, float]]:
    """The runs in the trash, and when they were deleted; latest first."""
    found = []
    for item in workspace.trashed():
        if item.folder == "runs":
            kept = summary(workspace.trash / item.key / "item")
            kept.id = item.name
            found.append((kept, item.deleted))
    return found
