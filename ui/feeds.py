"""What the page's script reads and asks for: small JSON answers, and of logs only what is new.

GET  /studio/ready                        whether the pages are loaded
GET  /studio/machine                      the machine in one line, who has the device
GET  /studio/runs                         all runs, newest first, and the queue
GET  /studio/runs/ID                      one run: settings, state, events
GET  /studio/runs/ID/steps?offset=        logged steps as columns, from a byte offset on
GET  /studio/runs/ID/samples?offset=      sample answers, likewise
GET  /studio/runs/ID/log                  the end of the worker's output
POST /studio/runs/ID/stop|resume|delete|restore
GET  /studio/jobs/KIND/ID?offset=         any job: its status, new events, its progress
POST /studio/jobs/KIND/ID/stop
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from studio import events, logs, runs, wording
from studio.errors import NotFound
from studio.files import disk_use
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.machine import machine
from studio.workspace import KINDS, Workspace

COLUMNS = ("step", "loss", "learning_rate", "grad_norm", "tokens_per_second", "memory_gb", "gpu_util", "gpu_memory_gb")
LOG_TAIL = 64_000
SAMPLES = "samples.jsonl"


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio")

    @api.get("/ready")
    def ready() -> dict[str, Any]:
        return {"ready": True, "workspace": str(workspace.root)}

    @api.get("/machine")
    def about_machine() -> dict[str, Any]:
        here = machine(workspace.root)
        holder = queue.holder(workspace)
        return {"summary": here.summary(), "device": here.device, "holder": holder.name if holder else None}

    @api.get("/runs")
    def all_runs() -> dict[str, Any]:
        queue.advance(workspace)
        order = {item.folder.name: place for place, item in enumerate(queue.waiting(workspace), 1)}
        found = [item.as_dict() | {"place": order.get(item.id)} for item in runs.list_runs(workspace)]
        return {"runs": found}

    @api.get("/runs/{run}")
    def one_run(run: str) -> dict[str, Any]:
        folder = runs.open_run(workspace, run)
        summary = runs.summary(folder).as_dict()
        if summary["status"] == "broken":
            return {"run": summary, "settings": {}, "events": []}
        lines, _ = logs.read(folder / events.EVENTS)
        told = [line | {"text": wording.event(line)} for line in lines]
        settings = job_folder.read_settings(folder)
        return {"run": summary, "settings": settings, "events": told, "disk": disk_use(folder)}

    @api.get("/runs/{run}/steps")
    def steps(run: str, offset: int = 0) -> dict[str, Any]:
        lines, end = events.steps(runs.open_run(workspace, run), max(0, offset))
        columns = {name: [line.get(name) for line in lines] for name in COLUMNS if any(name in line for line in lines)}
        return {"offset": end, "columns": columns}

    @api.get("/runs/{run}/samples")
    def samples(run: str, offset: int = 0) -> dict[str, Any]:
        lines, end = logs.read(runs.open_run(workspace, run) / SAMPLES, max(0, offset))
        return {"offset": end, "samples": lines}

    @api.get("/runs/{run}/log")
    def log(run: str) -> dict[str, str]:
        return {"text": _tail(runs.open_run(workspace, run) / job_folder.OUTPUT)}

    @api.post("/runs/{run}/{action}")
    def act(run: str, action: str) -> dict[str, Any]:
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
        raise NotFound(f"A run can't be asked to “{action}”.", "", "Use stop, resume, delete or restore.")

    @api.get("/jobs/{kind}/{name}")
    def job(kind: str, name: str, offset: int = 0) -> dict[str, Any]:
        folder = _job(workspace, kind, name)
        queue.advance(workspace)
        status = job_folder.status(folder)
        lines, end = logs.read(folder / events.EVENTS, max(0, offset))
        last = events.last_metric(folder)
        state = events.read_state(folder)
        return {
            "status": status,
            "offset": end,
            "events": [line | {"text": wording.event(line)} for line in lines],
            "progress": last if last.get("type") == "progress" else None,
            "text": wording.metric(last),
            "error": state.error,
            "result": state.result,
        }

    @api.post("/jobs/{kind}/{name}/stop")
    def stop_job(kind: str, name: str) -> dict[str, str]:
        return {"status": queue.stop(workspace, _job(workspace, kind, name))}

    return api


def _job(workspace: Workspace, kind: str, name: str) -> Path:
    if kind not in KINDS or kind in ("datasets", "models"):
        raise NotFound(f"There are no jobs of the kind “{kind}”.", "", "Go back to the page and reload it.")
    return workspace.folder(kind, name)


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL))
            return file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
