"""What the import form reads and asks for. A file is an upload, a path on this machine, or a sample of the studio.

GET  /studio/imports                  how many bytes an upload may have
POST /studio/imports/upload?name=     the file itself as the body, written as it comes
POST /studio/imports/preview          what the file would become: format, mapping, first rows, bad rows
POST /studio/imports/start            starts the import as a job
POST /studio/imports/discard          an upload that is not wanted
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Body, Request

from studio.errors import BadInput, NoRoom, StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.workspace import Workspace
from ui import row_pictures
from ui.telling import words

STARTER = Path(__file__).resolve().parents[1] / "assets" / "starter"
SAMPLES = {
    "support-desk": "support-desk.csv",
    "house-style": "house-style.jsonl",
    "preferences": "preferences.jsonl",
}
SHOWN_ROWS = 5
SHOWN_BAD = 50
SHOWN_COLUMNS = 1000
# How long bad rows are looked for before the first rows are shown, and when somebody waits for them.
QUICK, PATIENT = 0.2, 2.0
SPARE_BYTES = 64 << 20
# What to do next at the form, by the field that is wrong.
ADVICE = {
    "mapping": "Choose under “Columns” which column asks and which answers.",
    "read_as": "Choose “Find out by itself” as the format, or choose the columns yourself.",
    "split": "Give three shares that make 100 % together.",
}
GIVEN = ("name", "mapping", "read_as", "encoding", "split", "skip_bad")
Words = dict[str, Any]


def router(workspace: Workspace, largest: int) -> APIRouter:
    """The routes of one workspace; `largest` is how many bytes an upload may have."""
    from studio.datasets.uploads import Uploads

    api = APIRouter(prefix="/studio/imports")
    uploads = Uploads(workspace)
    uploads.sweep()

    @api.post("/upload")
    async def upload(request: Request, name: str = "pasted") -> Words:
        _check_room(workspace, int(request.headers.get("content-length") or 0))
        uploads.sweep()
        made, path = uploads.new(name)
        size = 0
        try:
            with open(path, "wb") as file:
                async for block in request.stream():
                    size += len(block)
                    if size > largest:
                        raise _too_large(largest)
                    file.write(block)
        except BaseException:
            uploads.discard(made)
            raise
        return {"upload": made, "name": path.name, "bytes": size}

    @api.post("/preview")
    def look(body: Words = Body(...)) -> Words:  # noqa: B008
        return _preview(workspace, uploads, body)

    @api.post("/start")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.importing import ImportSettings

        given: Words = {key: body[key] for key in GIVEN if key in body}
        given["source"] = str(_source(uploads, body))
        settings = check(ImportSettings, given, "This import can't be started.")
        folder = job_folder.create(workspace, "import_data", settings.model_dump(mode="json"), settings.name)
        if body.get("upload"):
            uploads.used_by(str(body["upload"]), folder)
        local.start(folder)
        return {"job": folder.name, "name": settings.name}

    @api.post("/discard")
    def discard(body: Words = Body(...)) -> Words:  # noqa: B008
        uploads.discard(str(body.get("upload", "")))
        return {}

    @api.get("")
    def limits() -> dict[str, int]:
        return {"largest": largest}

    return api


def _source(uploads: Any, body: Words) -> Path:
    if body.get("upload"):
        path: Path = uploads.path(str(body["upload"]))
        return path
    if body.get("sample") in SAMPLES:
        return STARTER / SAMPLES[body["sample"]]
    given = str(body.get("path") or "").strip().strip('"')
    if not given:
        raise BadInput("No file is named.", "", "Choose a file, or write its path.", field="source")
    return Path(given).expanduser().absolute()


def _preview(workspace: Workspace, uploads: Any, body: Words) -> Words:
    """What the file would become. What is wrong with it stands in `error`, with what can be told all the same."""
    try:
        source = _source(uploads, body)
        known: Words = {"file": source.name, "bytes": source.stat().st_size if source.is_file() else 0}
    except (StudioError, OSError) as error:
        return {"error": words(error)}
    from studio.datasets.names import free_name

    known |= {"suggested": free_name(workspace, source.name), "datasets": workspace.names("datasets")}
    encoding, read_as = str(body.get("encoding") or "auto"), str(body.get("read_as") or "auto")
    try:
        return known | _look(source, list(body.get("mapping") or []), encoding, read_as, bool(body.get("patient")))
    except (StudioError, OSError) as error:
        return known | {"error": words(error, ADVICE)} | _columns(source, encoding)


def _look(source: Path, mapping: list[str], encoding: str, read_as: str, patient: bool) -> Words:
    from studio.datasets.preview import preview
    from studio.datasets.records import Reading
    from studio.datasets.sources import find

    found = preview(find([str(source)]), mapping, SHOWN_ROWS, Reading(encoding), read_as, PATIENT if patient else QUICK)
    guess = found.guess.mapping
    return {
        "format": found.guess.format,
        "format_words": row_pictures.FORMATS[found.guess.format],
        "kind": guess.kind,
        "kind_words": row_pictures.KINDS[guess.kind],
        "reasons": found.guess.reasons,
        "notes": found.notes,
        "unit": found.unit,
        "columns": found.columns[:SHOWN_COLUMNS],
        "roles": {role: {"columns": part.columns, "template": part.template} for role, part in guess.roles.items()},
        "system": guess.system,
        "key": guess.key,
        "split": guess.split,
        "tags": guess.tags,
        "rows": [row_pictures.picture(row, short=True) for row in found.rows],
        "bad": [bad.as_dict() for bad in found.bad[:SHOWN_BAD]],
        "bad_count": found.bad_count,
        "checked": found.checked,
        "whole": found.whole,
        "sides": found.sides,
    }


def _columns(source: Path, encoding: str) -> Words:
    """The columns of a file that can be read and is not understood, with what the first row has in them."""
    from studio.datasets.readers import columns_of, sample
    from studio.datasets.records import Reading
    from studio.datasets.sources import find

    try:
        records = sample(find([str(source)]).open(Reading(encoding)))
    except (StudioError, OSError):
        return {}
    columns = columns_of(records)[:SHOWN_COLUMNS]
    first = {name: row_pictures.cut(str(records[0].get(name, "")), 200) for name in columns} if records else {}
    return {"columns": columns, "first": first}


def _check_room(workspace: Workspace, size: int) -> None:
    free = shutil.disk_usage(workspace.jobs).free
    if free < size + SPARE_BYTES:
        raise NoRoom(
            "The disk has not enough space for this file.",
            f"It has {size / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free.",
            "Free some space (empty the trash, delete old runs) and try again.",
        )


def _too_large(largest: int) -> BadInput:
    return BadInput(
        "This file is too large to upload.",
        f"Uploads are limited to {largest // 10**6:,} MB.",
        "Put it on this machine and give its path instead.",
        field="source",
    )
