"""What the import form reads and asks for. A source is an upload of one file or several, a path on this machine (a file
or a folder), or a sample of the studio; what is fetched from the hub becomes an upload.

GET  /studio/imports                  how many bytes an upload may have, the datasets there are, what a merge offers
POST /studio/imports/upload?name=     the file itself as the body, written as it comes; beside others with &upload=ID
POST /studio/imports/hub              which configurations and splits a hub dataset has
POST /studio/imports/fetch            fetches one of them, as a job that makes an upload
POST /studio/imports/merge            merges datasets into a new one, as a job
POST /studio/imports/preview          what the file would become: format, mapping, first rows, bad rows
GET  /studio/imports/name?text=       the nearest name to that text that a dataset may have
GET  /studio/imports/before?name=     how the columns were meant in the last import of that dataset
POST /studio/imports/start            starts the import as a job
POST /studio/imports/discard          an upload that is not wanted
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Body, Request

from studio import preferences
from studio.errors import BadInput, NoRoom, StudioError
from studio.files import LONGEST, check_name, suggest_name
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.workspace import Workspace
from ui import row_pictures
from ui.telling import words

if TYPE_CHECKING:
    from studio.datasets.rows import Row
    from studio.settings.importing import ImportSettings

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
    "entry": "Choose under “Which dataset of the file”.",
    "append": "Give it a name of its own, or choose under “Columns” what its columns mean.",
}
READ = ("mapping", "read_as", "encoding", "entry", "chunk", "overlap", "chunk_by")
GIVEN = ("name", *READ, "split", "group_by", "stratify", "skip_bad", "append", "keep_equal")
FETCHED = re.compile(r"hub: (?:[^/,]+/)?([^/,]+),")
Words = dict[str, Any]


def router(workspace: Workspace, largest: int) -> APIRouter:
    """The routes of one workspace; `largest` is how many bytes an upload may have."""
    from studio.datasets.importing.uploads import Uploads

    api = APIRouter(prefix="/studio/imports")
    uploads = Uploads(workspace)
    uploads.sweep()

    @api.post("/upload")
    async def upload(request: Request, name: str = "pasted", upload: str = "") -> Words:
        _check_room(workspace, int(request.headers.get("content-length") or 0))
        uploads.sweep()
        made, path = uploads.new(name, upload)
        size = 0
        try:
            with open(path, "wb") as file:
                async for block in request.stream():
                    size += len(block)
                    if size > largest:
                        raise _too_large(largest)
                    file.write(block)
        except BaseException:
            path.unlink(missing_ok=True)
            if not upload:
                uploads.discard(made)
            raise
        return {"upload": made, "name": path.name, "bytes": size}

    @api.post("/preview")
    def look(body: Words = Body(...)) -> Words:  # noqa: B008
        return _preview(workspace, uploads, body)

    @api.get("/name")
    def near(text: str = "") -> Words:
        try:
            return {"name": check_name(text)}
        except BadInput:
            if len(text) > LONGEST:
                raise  # nobody's name is cut behind their back
            return {"name": suggest_name(text, text)}

    @api.get("/before")
    def before(name: str) -> Words:
        from studio.datasets.importing.earlier import choices
        from studio.datasets.store import read_info

        return choices(read_info(workspace.folder("datasets", name)))

    @api.post("/start")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.importing import ImportSettings

        given: Words = {key: body[key] for key in GIVEN if key in body}
        check_name(str(given.get("name", "")), "dataset name")  # said alone, as it stands at its field
        given |= {"source": _sources(uploads, body), "origin": _origin(uploads, body)}
        settings = check(ImportSettings, given, "This import can't be started.")
        folder = job_folder.create(workspace, "import_data", settings.model_dump(mode="json"), settings.name)
        if body.get("upload"):
            uploads.used_by(str(body["upload"]), folder)
        local.start(folder)
        return {"job": folder.name, "name": settings.name}

    @api.post("/hub")
    def look_up(body: Words = Body(...)) -> Words:  # noqa: B008
        return _hub(workspace, body)

    @api.post("/fetch")
    def fetch(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.importing import ImportSettings

        given = {"source": _hub_id(body), "name": "fetched"}
        given |= {key: str(body.get(key) or "") for key in ("config", "hub_split", "revision")}
        settings = check(ImportSettings, given, "This dataset can't be fetched.")
        return _begin(workspace, "fetch_dataset", settings.model_dump(mode="json"), settings.hub.rpartition("/")[2])

    @api.post("/merge")
    def merge(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.merging import MergeSettings

        settings = check(MergeSettings, body, "These datasets can't be merged.")
        return _begin(workspace, "merge", settings.model_dump(mode="json"), settings.name)

    @api.post("/discard")
    def discard(body: Words = Body(...)) -> Words:  # noqa: B008
        uploads.discard(str(body.get("upload", "")))
        return {}

    @api.get("")
    def limits() -> Words:
        from studio.settings.merging import MergeSettings

        about = MergeSettings.model_fields["keep_equal"]
        keep_equal = {"title": about.title, "help": about.description}
        return {"largest": largest, "datasets": workspace.names("datasets"), "keep_equal": keep_equal}

    return api


def _begin(workspace: Workspace, job: str, settings: Words, title: str) -> Words:
    folder = job_folder.create(workspace, job, settings, title)
    local.start(folder)
    return {"job": folder.name}


def _hub_id(body: Words) -> str:
    given = str(body.get("dataset") or "").strip().removeprefix("hub:")
    if not given:
        raise BadInput("No dataset is named.", "", "Write its name, as tatsu-lab/alpaca.", field="source")
    return given if given.startswith("http") else f"hub:{given}"


def _hub(workspace: Workspace, body: Words) -> Words:
    from studio.settings.base import check
    from studio.settings.importing import ImportSettings

    revision = str(body.get("revision") or "").strip()
    settings = check(ImportSettings, {"source": _hub_id(body), "name": "looked-up"}, "This dataset can't be looked up.")
    if not settings.hub:
        raise BadInput(
            "This is no dataset of the hub.", "Its page has another address.", "Write its name.", field="source"
        )
    preferences.check_online(workspace, f"{settings.hub} can't be looked up.")
    from studio.datasets.importing.hub import look_up

    found = look_up(settings.hub, revision)
    return {
        "dataset": found.repo, "revision": revision, "commit": found.revision, "licence": found.licence,
        "configs": found.configs(),
    }  # fmt: skip


def _origin(uploads: Any, body: Words) -> str:
    return str(uploads.origin(str(body["upload"]))) if body.get("upload") else ""


def _sources(uploads: Any, body: Words) -> list[str]:
    """The paths that the form means."""
    if body.get("upload"):
        return [str(path) for path in uploads.paths(str(body["upload"]))]
    if body.get("sample") in SAMPLES:
        return [str(STARTER / SAMPLES[body["sample"]])]
    given = str(body.get("path") or "").strip().strip('"')
    if not given:
        raise BadInput("No file is named.", "", "Choose a file, or write its path.", field="source")
    return [str(Path(given).expanduser().absolute())]


def _preview(workspace: Workspace, uploads: Any, body: Words) -> Words:
    """What the source would become. What is wrong with it stands in `error`, with what can be told all the same."""
    from studio.datasets.importing.sources import listed
    from studio.settings.base import check
    from studio.settings.importing import ImportSettings

    try:
        named = _sources(uploads, body)
        label, size = listed(named)
        known: Words = {"file": label, "bytes": size}
    except (StudioError, OSError) as error:
        return {"error": words(error)}
    from studio.datasets.importing.recipes import entries
    from studio.datasets.names import free_name

    fetched = FETCHED.search(_origin(uploads, body))
    known |= {"suggested": free_name(workspace, fetched[1] if fetched else label), "entries": entries(named)}
    known |= {"datasets": workspace.names("datasets")}
    try:
        given = {key: body[key] for key in READ if key in body} | {"source": named, "name": "looked-at"}
        settings = check(ImportSettings, given, "It can't be read like this.")
    except StudioError as error:
        return known | {"error": words(error, ADVICE)}
    with uploads.scratch() as scratch:
        try:
            opened = body.get("opened")
            return known | _look(
                settings, scratch, bool(body.get("patient")), opened if isinstance(opened, list) else []
            )
        except (StudioError, OSError) as error:
            return known | {"error": words(error, ADVICE)} | _columns(settings, scratch)


def _look(settings: ImportSettings, scratch: Path, patient: bool, opened: list[Any]) -> Words:
    from studio.datasets.importing.preview import preview
    from studio.datasets.importing.sources import find

    source = find(settings.source, settings.entry)
    seconds = PATIENT if patient else QUICK
    found = preview(source, settings.mapping, SHOWN_ROWS, settings.reading(scratch), settings.read_as, seconds)
    guess = found.guess.mapping
    return {
        "format": found.guess.format,
        "format_words": row_pictures.FORMATS[found.guess.format],
        "kind": guess.kind,
        "kind_words": row_pictures.KINDS[guess.kind],
        "reasons": found.guess.reasons,
        "notes": found.notes,
        "unit": found.unit,
        "cuts": guess.kind == "text" and guess.learned == {"text"},
        "columns": found.columns[:SHOWN_COLUMNS],
        "roles": {role: {"columns": part.columns, "template": part.template} for role, part in guess.roles.items()},
        "system": guess.system,
        "key": guess.key,
        "split": guess.split,
        "tags": guess.tags,
        "rows": [_row(row, source.label, at in opened) for at, row in enumerate(found.rows)],
        "bad": [bad.as_dict() for bad in found.bad[:SHOWN_BAD]],
        "bad_count": found.bad_count,
        "checked": found.checked,
        "whole": found.whole,
        "sides": found.sides,
        "side_columns": found.side_columns[:SHOWN_COLUMNS],
    }


def _row(row: Row, source: str, whole: bool) -> Words:
    from studio.datasets.reading.documents import KINDS

    drawn = row_pictures.picture(row, short=not whole)
    drawn["file"] = row.source_file if row.source_file != source else ""
    if "document" in row.extra:
        unit = next((unit for _, _, unit in KINDS.values() if unit in row.extra), "")
        drawn |= {"heading": row.extra.get("heading"), "unit": unit}
    return drawn


def _columns(settings: ImportSettings, scratch: Path) -> Words:
    """The columns of a source that can be read and is not understood, with what the first row has in them."""
    from studio.datasets.importing.sources import find
    from studio.datasets.reading.readers import columns_of, sample

    try:
        records = sample(find(settings.source, settings.entry).open(settings.reading(scratch)))
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
