"""Live engines: one for a run at a time, started when somebody asks, found again by any studio of the workspace."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from studio import events, logs, runs
from studio.engine_client import EngineClient
from studio.errors import Busy, JobFailed, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.settings.answering import EngineSettings
from studio.workspace import Workspace

HINT = "engine"
LOCK = "engines.lock"
# An engine holds a model in memory, so a page may have this many: one for each side of a comparison of two runs.
MOST = 2
END_SECONDS = 15.0
LIVE = ("running", "stopping")


@dataclass(frozen=True)
class EngineState:
    """What a page says about the engine of a run.

    phase: `off`, `loading`, `ready` or `failed`; loaded: whether the weights are in memory now; held: how many bytes of
    its device's memory it gives back when they leave it; weights: the stamps of base and tuned; sharing: how both
    share weights, in words; settled: why it stays on the CPU, in words, "" where it does not; since: when it was
    started.
    """

    phase: str
    folder: str = ""
    loaded: bool = False
    held: int = 0
    busy: bool = False
    device: str = ""
    since: float | None = None
    weights: dict[str, str] = field(default_factory=dict)
    sharing: str = ""
    settled: str = ""
    told: str = ""
    error: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def find(workspace: Workspace, run: str) -> Path | None:
    """The folder of the run's engine, living or not; there is one for each run that was ever asked on the page."""
    for name in reversed(workspace.names("jobs")):
        if f"-{HINT}-" not in name:
            continue
        try:
            if job_folder.read_settings(workspace.jobs / name).get("run") == run:
                return workspace.jobs / name
        except (StudioError, OSError):
            continue  # one that can't be read is nobody's engine
    return None


def state(workspace: Workspace, run: str) -> EngineState:
    """How the engine of a run is, asked of itself where it serves."""
    folder = find(workspace, run)
    return EngineState("off") if folder is None else _state(folder)


def holding(workspace: Workspace) -> list[EngineState]:
    """The engines that have weights in memory, are about to or are just ending; all of them give way to a job that has
    the device."""
    found = ((_state(folder), job_folder.status(folder)) for folder in _living(workspace))
    return [one for one, status in found if one.loaded or one.phase == "loading" or status == "stopping"]


def _state(folder: Path) -> EngineState:
    lines = this_life(folder)
    status = job_folder.status(folder)
    since = float(lines[0]["time"]) if lines else None
    if status == "running":
        return _live(folder, lines, since)
    if status == "failed":
        return EngineState("failed", folder.name, since=since, error=events.read_state(folder).error)
    return EngineState("off", folder.name)


def _live(folder: Path, lines: list[dict[str, Any]], since: float | None) -> EngineState:
    serving = next((line for line in reversed(lines) if line.get("type") == "serving"), None)
    if serving is None:
        return EngineState("loading", folder.name, since=since)
    told = [str(line["text"]) for line in lines if line.get("type") == "message"]
    try:
        health = EngineClient(folder).health()
    except JobFailed:
        return EngineState("off", folder.name)
    return EngineState(
        "ready",
        folder.name,
        loaded=bool(health["loaded"]),
        held=int(health.get("held", 0)),  # one that an older studio started does not tell
        busy=bool(health["busy"]),
        device=str(health["device"]),
        since=since,
        weights=dict(health["weights"]),
        sharing=str(serving.get("sharing", {}).get("why", "")),
        settled=str(health.get("settled", "")),
        told=told[-1] if told else "",
    )


def this_life(folder: Path) -> list[dict[str, Any]]:
    """The engine's events since its worker last started."""
    lines = logs.read(folder / events.EVENTS)[0]
    starts = [number for number, line in enumerate(lines) if line.get("type") == "starting"]
    return lines[starts[-1] :] if starts else []


def start(workspace: Workspace, run: str, beside: str | None = None) -> Path:
    """The folder of the run's living engine; one is started when there is none. It may still be loading.

    An engine that was loaded before the run's weights changed is replaced, and those of runs that nobody compares any
    more make room.

    Args:
        beside: another run whose engine is needed too.

    Raises:
        NotFound, Refused: the run is gone or has no weights.
        JobFailed: the worker does not start.
    """
    target = runs.open_run(workspace, run)
    weights = runs.weights(target)
    with FileLock(workspace.jobs / LOCK, is_singleton=False):
        folder = find(workspace, target.name)
        if folder is not None and job_folder.status(folder) == "running" and not _outdated(folder, weights):
            return folder
        _make_room(workspace, {target.name, beside or target.name})
        if folder is None:
            settings = EngineSettings(run=target.name).model_dump(mode="json")
            folder = job_folder.create(workspace, "engine", settings, HINT)
        else:
            _end(folder)
            (folder / job_folder.STOP).unlink(missing_ok=True)
        local.start(folder)
        return folder


def client(workspace: Workspace, run: str) -> EngineClient:
    """The client of the run's serving engine; JobFailed when none serves."""
    folder = find(workspace, runs.open_run(workspace, run).name)
    if folder is None:
        raise JobFailed("No model is loaded for this run.", "Its engine was not started.", "Load it, then ask again.")
    return EngineClient(folder)


def stop(workspace: Workspace, run: str) -> None:
    """Ends the run's engine and frees its memory; nothing happens when there is none."""
    folder = find(workspace, run)
    if folder is not None and job_folder.status(folder) in LIVE:
        local.stop(folder)


def _outdated(folder: Path, weights: Path) -> bool:
    """Whether the run's weights were written after the engine started, as by a resumed training."""
    started = _started(folder)
    return any(path.stat().st_mtime > started for path in weights.glob("*.safetensors"))


def _started(folder: Path) -> float:
    lines = this_life(folder)
    return float(lines[0]["time"]) if lines else 0.0


def _make_room(workspace: Workspace, needed: set[str]) -> None:
    """Ends the engines that are neither needed nor answering, the oldest first, until one more may start."""
    others: list[tuple[float, Path]] = []
    for folder in _living(workspace):
        run = str(job_folder.read_settings(folder).get("run"))
        if run not in needed and not state(workspace, run).busy:
            others.append((_started(folder), folder))
    for _, folder in sorted(others)[: max(0, len(others) + len(needed) - MOST)]:
        local.stop(folder)


def _living(workspace: Workspace) -> list[Path]:
    found = []
    for folder in (workspace.jobs / name for name in workspace.names("jobs") if f"-{HINT}-" in name):
        with suppress(StudioError, OSError):  # one that can't be read hides no other
            if job_folder.status(folder) in LIVE:
                found.append(folder)
    return found


def _end(folder: Path) -> None:
    """Ends an engine and waits until its process is gone, so that its folder can be used again."""
    if job_folder.alive(folder):
        local.stop(folder)
    deadline = time.monotonic() + END_SECONDS
    while job_folder.alive(folder):
        if time.monotonic() > deadline:
            raise Busy("The engine of this run is still ending.", "It has not freed its memory yet.", "Try again soon.")
        time.sleep(0.05)
    local.reap()
