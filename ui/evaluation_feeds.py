"""What the Evaluate page reads and asks for.

GET  /studio/evaluations                                     all evaluations, and the runs that can be evaluated
POST /studio/evaluations                                     {"run", "split", "limit"}: starts one
GET  /studio/evaluations/ID                                  one evaluation: figures and what they mean
GET  /studio/evaluations/ID/rows?metric=&show=&find=&start=  its rows, differing ones first
GET  /studio/evaluations/ID/download?form=                   its rows as csv or jsonl
GET  /studio/evaluations/for/RUN                             how many rows the run's dataset keeps apart
POST /studio/evaluations/ID/resume|delete|restore
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Body
from starlette.responses import Response, StreamingResponse

from studio import evaluations, runs
from studio.errors import NotFound, Refused
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.statistics import FEWEST_ROWS
from studio.workspace import KINDS, Workspace
from ui.answer_feeds import trained_runs
from ui.telling import plainly

PAGE = 25
Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/evaluations")

    @api.get("")
    def everything() -> Words:
        return {"evaluations": evaluations.list_evaluations(workspace), "runs": trained_runs(workspace)}

    @api.post("")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        given = {
            key: body[key] for key in ("run", "split", "limit", "max_new_tokens") if body.get(key) not in (None, "")
        }
        return {"evaluation": evaluations.start(workspace, given).name}

    @api.get("/for/{run}")
    def about_run(run: str) -> Words:
        folder = runs.open_run(workspace, run)
        told = runs.summary(folder)
        return {
            "run": told.id,
            "name": told.title,
            "dataset": told.dataset,
            "trained": (folder / "adapter").is_dir(),
            "status": told.status,
            "held_out": evaluations.held_out(workspace, folder),
            "fewest": FEWEST_ROWS,
        }

    @api.get("/{name}")
    def one(name: str) -> Words:
        told = evaluations.summary(workspace, workspace.folder("evaluations", name))
        return told | {"messages": list(map(plainly, told.get("messages", [])))}

    @api.get("/{name}/rows")
    def rows(
        name: str,
        metric: evaluations.Metric = "exact_match",
        show: evaluations.Show = "all",
        find: str = "",
        start: int = 0,
    ) -> Words:
        found = evaluations.page(workspace.folder("evaluations", name), metric, show, find.strip(), start, PAGE)
        return {"rows": found.rows, "total": found.total, "counts": found.counts, "start": max(0, start), "page": PAGE}

    @api.get("/{name}/download")
    def download(name: str, form: Literal["csv", "jsonl"] = "csv") -> Response:
        folder = workspace.folder("evaluations", name)
        evaluations.predictions(folder)  # refused before the answer begins
        stream = (evaluations.table if form == "csv" else evaluations.jsonl)(folder)
        kind = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
        headers = {"Content-Disposition": f'attachment; filename="{folder.name}.{form}"'}
        return StreamingResponse(stream, 200, headers, kind)

    @api.post("/{name}/{deed}")
    def act(name: str, deed: str) -> Words:
        if deed == "restore":
            return {"evaluation": workspace.restore("evaluations", name).name}
        folder = workspace.folder("evaluations", name)
        if deed == "resume":
            queue.requeue(workspace, folder)
        elif deed == "delete":
            refuse_if_alive(folder)
            workspace.delete("evaluations", name)
        else:
            raise NotFound(f"An evaluation can't be asked to “{deed}”.", "", "Reload the page.")
        return {"evaluation": folder.name}

    return api


def refuse_if_alive(folder: Any) -> None:
    """Nothing is deleted under a worker, or while it waits for its turn."""
    status = job_folder.status(folder)
    if status in ("running", "stopping", "queued"):
        raise Refused(f"This {KINDS[folder.parent.name]} can't be deleted.", f"It is {status}.", "Stop it first.")
