"""What the Runs page reads and asks for; of lists and logs only what is new.

GET  /studio/runs?since=MARK              all runs, newest first; with a mark of before, only those that changed
GET  /studio/runs/ID                      one run: its summary, settings and events
GET  /studio/runs/ID/news?events=&steps=&samples=&log=
                                          the same run's summary, and each log from a byte offset on
GET  /studio/runs/ID/settings             its settings as a list to read, and as a command
GET  /studio/runs/ID/steps?offset=        logged steps as columns
GET  /studio/runs/ID/samples?offset=      sample answers
GET  /studio/deleted-runs                 the runs in the trash
POST /studio/runs/ID/stop|resume|delete|restore
POST /studio/runs/ID/note                 {"name", "text"}
GET  /studio/runs/ID/ladder               the ways in which it would need less memory
POST /studio/runs/ID/rung                 {"name"}: takes one that changes nothing learned, and resumes
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Body
from starlette.responses import Response

from studio import events, logs, proposal, runs, wording
from studio.errors import BadInput, NotFound
from studio.files import disk_use
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.settings import listing
from studio.settings.flags import command
from studio.settings.train import TrainSettings
from studio.workspace import Workspace
from ui.run_list import RunList

COLUMNS = (
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "tokens",
    "seconds",
    "tokens_per_second",
    "memory_gb",
    "gpu_memory_gb",
    "gpu_use",
)
DIGITS = 6
LOG_TAIL = 64_000
PUSH_SECONDS = 0.5
SAMPLES = "samples.jsonl"
ACTIONS = "stop, resume, delete or restore"


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio")
    listed = RunList(workspace)
    clerk = QueueClerk(workspace)

    @api.get("/runs")
    def all_runs(since: str = "") -> Response:
        clerk.call()
        return compact(listed.changes(since))

    @api.get("/deleted-runs")
    def deleted_runs() -> dict[str, Any]:
        found = [kept.as_dict() | {"deleted": when} for kept, when in runs.deleted(workspace)]
        return {"runs": found}

    @api.get("/runs/{run}")
    def one_run(run: str) -> dict[str, Any]:
        folder = runs.open_run(workspace, run)
        summary = runs.summary(folder).as_dict()
        settings = {} if summary["status"] == "broken" else job_folder.read_settings(folder)
        told, _ = _events(folder, 0)
        return {"run": summary, "settings": settings, "events": told, "disk": disk_use(folder)}

    @api.get("/runs/{run}/news")
    def news(run: str, events: int = 0, steps: int = 0, samples: int = 0, log: int = -1) -> Response:
        clerk.call()
        try:
            folder = runs.open_run(workspace, run)
        except (NotFound, BadInput) as error:
            return compact({"gone": error.as_dict(), "deleted": _deleted(workspace, run)})
        told, told_end = _events(folder, max(0, events))
        columns, steps_end = _columns(folder, max(0, steps))
        answers, samples_end = logs.read(folder / SAMPLES, max(0, samples))
        found = {
            "run": listed.one(folder.name),
            "events": {"offset": told_end, "lines": told},
            "steps": {"offset": steps_end, "columns": columns},
            "samples": {"offset": samples_end, "lines": answers},
        }
        return compact(found | ({"log": _output(folder, log)} if log >= 0 else {}))

    @api.get("/runs/{run}/settings")
    def settings(run: str) -> dict[str, Any]:
        plain = job_folder.read_settings(runs.open_run(workspace, run))
        job = plain.pop("job", "")
        if job != "train":
            return {"settings": [one.as_dict() for one in listing.listed_plainly(plain)], "command": ""}
        told = [one.as_dict() for one in listing.listed(TrainSettings, plain)]
        return {"settings": told, "command": f"python3 launch.py train {command(TrainSettings, plain)}"}

    @api.get("/runs/{run}/ladder")
    def ladder(run: str) -> dict[str, Any]:
        return {"ladder": [rung.as_dict() for rung in proposal.rungs(workspace, run)]}

    @api.post("/runs/{run}/rung")
    def rung(run: str, name: str = Body(embed=True)) -> dict[str, str]:
        done = proposal.go_on_with(workspace, run, name)
        listed.look_again()
        return {"id": done}

    @api.get("/runs/{run}/steps")
    def steps(run: str, offset: int = 0) -> Response:
        columns, end = _columns(runs.open_run(workspace, run), max(0, offset))
        return compact({"offset": end, "columns": columns})

    @api.get("/runs/{run}/samples")
    def samples(run: str, offset: int = 0) -> Response:
        lines, end = logs.read(runs.open_run(workspace, run) / SAMPLES, max(0, offset))
        return compact({"offset": end, "samples": lines})

    @api.post("/runs/{run}/note")
    def note(run: str, name: str = Body(""), text: str = Body("")) -> dict[str, str]:
        kept = runs.write_note(runs.open_run(workspace, run), name, text)
        listed.look_again()
        return {"name": kept.name, "text": kept.text}

    @api.post("/runs/{run}/{action}")
    def act(run: str, action: str) -> dict[str, Any]:
        done = _act(workspace, run, action)
        listed.look_again()
        return done

    return api


class QueueClerk:
    """Gives the queue a push in the background: starting a worker takes longer than an answer may."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.busy = threading.Lock()
        self.next = 0.0

    def call(self) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + PUSH_SECONDS
        if queue.waiting(self.workspace) and self.busy.acquire(blocking=False):
            threading.Thread(target=self._advance, name="queue", daemon=True).start()

    def _advance(self) -> None:
        try:
            queue.advance(self.workspace)
        finally:
            self.busy.release()


def _act(workspace: Workspace, run: str, action: str) -> dict[str, Any]:
    if action == "restore":
        return {"id": runs.restore(workspace, run)}
    folder = runs.open_run(workspace, run)
    if action == "stop":
        return {"id": folder.name, "status": queue.stop(workspace, folder)}
    if action == "resume":
        queue.requeue(workspace, folder)
        return {"id": folder.name, "status": job_folder.status(folder)}
    if action == "delete":
        return {"id": runs.delete(workspace, folder.name)}
    raise NotFound(f"A run can't be asked to “{action}”.", "", f"Use {ACTIONS}.")


def _deleted(workspace: Workspace, run: str) -> dict[str, Any] | None:
    """What the trash knows of a run that is gone."""
    for kept, when in runs.deleted(workspace):
        if kept.id == run:
            return kept.as_dict() | {"deleted": when}
    return None


def _events(folder: Path, offset: int) -> tuple[list[dict[str, Any]], int]:
    lines, end = logs.read(folder / events.EVENTS, offset)
    return [line | {"text": wording.event(line)} for line in lines], end


def _columns(folder: Path, offset: int) -> tuple[dict[str, list[Any]], int]:
    """Logged steps by column, numbers rounded to what a curve can show."""
    lines, end = events.steps(folder, offset)
    there = [name for name in COLUMNS if any(name in line for line in lines)]
    return {name: [rounded(line.get(name)) for line in lines] for name in there}, end


def rounded(value: Any) -> Any:
    """Six significant digits; steps and other whole numbers as they are."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def compact(data: dict[str, Any]) -> Response:
    """JSON without blanks, made directly: FastAPI's own encoder looks at every number on its way."""
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type="application/json")


def _output(folder: Path, offset: int) -> dict[str, Any]:
    """The worker's output from a byte offset on, at most its last part; `start` is where the text begins."""
    path = folder / job_folder.OUTPUT
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            start = max(offset if offset <= size else 0, size - LOG_TAIL)
            file.seek(start)
            data = file.read(size - start)
    except FileNotFoundError:
        return {"offset": 0, "start": 0, "text": ""}
    return {"offset": size, "start": start, "text": data.decode("utf-8", errors="replace")}
