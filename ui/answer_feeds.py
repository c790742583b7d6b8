"""What the Compare page reads and asks for.

GET  /studio/answers/runs                       the runs whose weights can answer, and the settings of an answer
GET  /studio/answers/RUN/engine                 the run's engine: off, loading, ready or failed
POST /studio/answers/RUN/engine/start|stop      {"beside": RUN}
POST /studio/answers/RUN                        a question; its answers as lines of JSON while they are written
GET  /studio/answers/RUN/prompts?find=&start=   held-out rows: the conversation to answer, and the answer expected
POST /studio/answers/RUN/file?name=&form=       a file as the body, or {"path"}: answered row by row in a job
GET  /studio/answers/RUN/files                  the files answered so far, and the columns a file must have
POST /studio/answers/RUN/files/JOB/resume
GET  /studio/answers/files/JOB/download
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, Body, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from studio import engines, runs, work
from studio.engine_client import Stream
from studio.errors import BadInput, NotFound, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.machine import machine
from studio.settings.answering import ChatSettings, Generation
from studio.workspace import Workspace
from ui.telling import plainly, words

PROMPTS = 20
Words = dict[str, Any]


def router(workspace: Workspace, largest: int) -> APIRouter:
    """The routes of one workspace; `largest` is how many bytes an upload may have."""
    api = APIRouter(prefix="/studio/answers")

    @api.get("/runs")
    def trained() -> Words:
        return {"runs": trained_runs(workspace), "settings": answer_settings()}

    @api.get("/{run}/engine")
    def engine(run: str) -> Words:
        folder = runs.open_run(workspace, run)
        return engines.state(workspace, folder.name).as_dict() | {"sharer": sharer(workspace)}

    @api.post("/{run}/engine/start")
    def start(run: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        engines.start(workspace, run, str(body.get("beside") or "") or None)
        return engines.state(workspace, runs.open_run(workspace, run).name).as_dict()

    @api.post("/{run}/engine/stop")
    def stop(run: str) -> Words:
        engines.stop(workspace, runs.open_run(workspace, run).name)
        return {}

    @api.post("/{run}")
    async def answer(run: str, body: Words = Body(...)) -> Response:  # noqa: B008
        path, asked = question(body)
        stream = await anyio.to_thread.run_sync(lambda: engines.client(workspace, run).open(path, asked))
        return StreamingResponse(
            relay(stream), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"}
        )

    @api.get("/{run}/prompts")
    def prompts(run: str, find: str = "", start: int = 0, limit: int = PROMPTS) -> Words:
        from studio.heldout import prompts_of

        return prompts_of(workspace, runs.open_run(workspace, run), find, max(0, start), min(limit, 100))

    @api.post("/{run}/file")
    async def apply(request: Request, run: str, name: str = "", form: str = "csv", longest: int | None = None) -> Words:
        options = {"max_new_tokens": longest} if longest else {}
        if not name:
            given = str((await request.json()).get("path") or "").strip().strip('"')
            if not given:
                raise BadInput("No file is named.", "", "Choose a file, or write its path.", field="file")
            return await anyio.to_thread.run_sync(
                lambda: _apply(workspace, run, Path(given).expanduser().absolute(), form, False, options)
            )
        runs.weights(runs.open_run(workspace, run))  # refused before the file is sent
        file = await _upload(workspace, request, name, largest)
        return await anyio.to_thread.run_sync(lambda: _apply(workspace, run, file, form, True, options))

    @api.get("/{run}/files")
    def files(run: str) -> Words:
        from studio.applied import asked_columns, list_applied

        found = list_applied(workspace, runs.open_run(workspace, run).name)
        columns = asked_columns(workspace, run)
        return {
            "columns": columns,
            "files": [one | {"messages": list(map(plainly, one.get("messages", [])))} for one in found],
        }

    @api.post("/{run}/files/{job}/resume")
    def resume(run: str, job: str) -> Words:
        folder = workspace.folder("jobs", job)
        if job_folder.read_settings(folder).get("job") != "predict":
            raise NotFound("There is no such file here.", f"{job} is another kind of job.", "Reload the page.")
        queue.requeue(workspace, folder)
        return {"job": folder.name}

    @api.get("/files/{job}/download")
    def download(job: str) -> Response:
        from studio.applied import output

        path = output(workspace, job)
        return FileResponse(path, filename=path.name)

    return api


def trained_runs(workspace: Workspace) -> list[Words]:
    """The runs with weights, newest first."""
    found = []
    for name in reversed(workspace.names("runs")):
        folder = workspace.runs / name
        if not (folder / "adapter").is_dir():
            continue
        told = runs.summary(folder)
        if told.status != "broken":
            keys = ("id", "name", "dataset", "model", "method", "status", "created")
            found.append({key: getattr(told, key) for key in keys})
    return found


def answer_settings() -> dict[str, Words]:
    """Title, help, default and limits of each setting of an answer in a chat, as they are declared."""
    declared = ChatSettings.model_json_schema()["properties"]
    fields = {name: declared[name] for name in Generation.model_fields}
    keys = (
        "title",
        "description",
        "type",
        "default",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "auto",
        "level",
    )
    found = {}
    for name, field in fields.items():
        limits = {**field, **next((one for one in field.get("anyOf", []) if one.get("type") != "null"), {})}
        limits["title"] = field["title"]
        found[name] = {key: limits[key] for key in keys if key in limits}
    return found


def sharer(workspace: Workspace) -> Words | None:
    """The job that has the device now, and what that means for answers."""
    holder = queue.holder(workspace)
    if holder is None:
        return None
    return work.told(workspace, holder).as_dict() | {"device": machine(workspace.root).device}


def question(body: Words) -> tuple[str, Words]:
    """The engine's route and body for a question of the page.

    Raises:
        BadInput: it names neither side nor both.
    """
    weights = body.get("weights", "both")
    if weights not in ("both", "base", "tuned"):
        raise BadInput("This question can't be asked.", f"“{weights}” is no side.", "Reload the page.")
    asked = {key: body[key] for key in ("messages", "options", "tools") if body.get(key) is not None}
    if weights == "both":
        other = {"tuned_messages": body["tuned_messages"]} if body.get("tuned_messages") is not None else {}
        return "/pair", asked | other
    return "/answer", asked | {"weights": weights}


async def relay(stream: Stream) -> AsyncIterator[bytes]:
    """The engine's lines as they come; a browser that goes away hangs up at once, and so stops the answer."""
    try:
        while line := await anyio.to_thread.run_sync(stream.line, abandon_on_cancel=True):
            yield plainly(line.decode()).encode() if line.startswith(b'{"error"') else line
    except StudioError as error:
        yield json.dumps({"error": words(error)}, ensure_ascii=False).encode() + b"\n"
    finally:
        stream.close()


async def _upload(workspace: Workspace, request: Request, name: str, largest: int) -> Path:
    """The request's body as a file among the uploads."""
    from studio.datasets.importing.uploads import Uploads

    uploads = Uploads(workspace)
    made, path = uploads.new(name)
    size = 0
    try:
        with open(path, "wb") as file:
            async for block in request.stream():
                size += len(block)
                if size > largest:
                    raise BadInput(
                        "This file is too large to upload.",
                        f"Uploads are limited to {largest // 10**6:,} MB.",
                        "Put it on this machine and give its path instead.",
                        field="file",
                    )
                file.write(block)
    except BaseException:
        uploads.discard(made)
        raise
    return path


def _apply(workspace: Workspace, run: str, file: Path, form: str, bring: bool, options: Words) -> Words:
    from studio import applied

    job = applied.start(workspace, run, file, form, bring=bring, **options)  # type: ignore[arg-type]
    return {"job": job.name}
