"""What the page's script reads and asks for: small JSON answers, and of logs only what is new.

GET  /studio/ready                        whether the pages are loaded
GET  /studio/machine                      the machine in one line, and what is at work on it
GET  /studio/jobs/KIND/ID?offset=         any job: its status, new events, its progress
POST /studio/jobs/KIND/ID/stop

The routes of runs are in run_feeds.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from studio import events, logs, wording, work
from studio.errors import NotFound
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.machine import machine
from studio.workspace import KINDS, Workspace
from ui.run_feeds import QueueClerk
from ui.telling import plainly


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio")
    clerk = QueueClerk(workspace)
    at_work = work.AtWork(workspace)

    @api.get("/ready")
    def ready() -> dict[str, Any]:
        return {"ready": True, "workspace": str(workspace.root)}

    @api.get("/machine")
    def about_machine() -> dict[str, Any]:
        here = machine(workspace.root)
        return {"summary": here.summary(), "device": here.device, "work": [one.as_dict() for one in at_work.now()]}

    @api.get("/jobs/{kind}/{name}")
    def job(kind: str, name: str, offset: int = 0) -> dict[str, Any]:
        folder = _job(workspace, kind, name)
        clerk.call()
        status = job_folder.status(folder)
        lines, end = logs.read(folder / events.EVENTS, max(0, offset))
        last = events.last_metric(folder)
        state = events.read_state(folder)
        return {
            "status": status,
            "offset": end,
            "events": [line | {"text": plainly(wording.event(line) or "") or None} for line in lines],
            "progress": last if last.get("type") == "progress" else None,
            "text": wording.metric(last),
            "error": state.error and state.error | {"next": plainly(state.error["next"])},
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
