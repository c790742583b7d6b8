"""What the Export page reads and asks for.

GET  /studio/exports                       all exports, and the runs that can be exported
POST /studio/exports                       {"run", "to"}: starts one
GET  /studio/exports/ID                    one export with what was replayed and the code to use it
GET  /studio/exports/ID/download           its folder as a zip file
POST /studio/exports/ID/delete|restore
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body
from starlette.responses import Response, StreamingResponse

from studio import exports, runs
from studio.errors import NotFound, StudioError
from studio.files import disk_use, suggest_name
from studio.workspace import Workspace
from ui.answer_feeds import trained_runs
from ui.evaluation_feeds import refuse_if_alive

Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/exports")

    @api.get("")
    def everything() -> Words:
        return {
            "exports": exports.list_exports(workspace),
            "runs": [_sized(workspace, run) for run in trained_runs(workspace)],
        }

    @api.post("")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        return {"export": exports.start(workspace, {key: body[key] for key in ("run", "to") if key in body}).name}

    @api.get("/{name}")
    def one(name: str) -> Words:
        folder = workspace.folder("exports", name)
        told = exports.summary(workspace, folder)
        if told["status"] == "broken":
            return told
        return told | {"parity": exports.replayed(folder), "snippet": exports.snippet(workspace, folder)}

    @api.get("/{name}/download")
    def download(name: str) -> Response:
        folder = workspace.folder("exports", name)
        model = exports.to_take(folder)
        told = exports.summary(workspace, folder)
        called = f"{suggest_name(told['run_name'], 'model')}-{model.name}"
        headers = {
            "Content-Disposition": f'attachment; filename="{called}.zip"',
            "Content-Length": str(exports.zipped_length(model, called)),
            "Content-Encoding": "identity",  # packed on its way it would have no length, and be no smaller
        }
        return StreamingResponse(exports.zipped(model, called), 200, headers, "application/zip")

    @api.post("/{name}/{deed}")
    def act(name: str, deed: str) -> Words:
        if deed == "restore":
            return {"export": workspace.restore("exports", name).name}
        folder = workspace.folder("exports", name)
        if deed != "delete":
            raise NotFound(f"An export can't be asked to “{deed}”.", "", "Reload the page.")
        refuse_if_alive(folder)
        workspace.delete("exports", name)
        return {"export": name}

    return api


def _sized(workspace: Workspace, run: Words) -> Words:
    """A run with what each form of it would take on the disk, as far as it can be told."""
    weights = runs.weights(workspace.runs / run["id"])
    sizes: Words = {}
    if exports.has_adapter(weights):
        sizes["adapter"] = disk_use(weights)
        try:
            sizes["merged"] = disk_use(workspace.folder("models", run["model"]))
        except StudioError:
            sizes["merged"] = None
    else:
        sizes["merged"] = disk_use(weights)
    return run | {"sizes": sizes}
