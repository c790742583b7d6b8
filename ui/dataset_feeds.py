"""What the Data page reads and asks for.

GET  /studio/datasets                              all datasets, deleted ones, the models whose tokens can be shown
GET  /studio/datasets/NAME?version=                one dataset: its versions, counts, labels, changes
GET  /studio/datasets/NAME/lengths?model=          how long rows are in tokens
GET  /studio/datasets/NAME/download?form=          the version in one of the forms of `Form`
POST /studio/datasets/NAME/rows/ROW/edit|exclude|include    {by}, edit with {texts, seen}; `conflict`: the row as it
                                                            is now, where that is not as it was seen
POST /studio/datasets/NAME/undo|freeze|rename|delete|restore

What belongs to importing is in import_feeds.py, to rows in row_feeds.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Body
from starlette.responses import FileResponse, Response, StreamingResponse

from studio.errors import BadInput, NotFound, StudioError
from studio.workspace import Workspace
from ui import row_pictures
from ui.dataset_access import KEPT, changed, listing, models, opened, reviewer, reviews, tokenizer
from ui.telling import words

if TYPE_CHECKING:
    from studio.datasets.browsing.columns import Columns
    from studio.datasets.reviewing.reviews import Reviews
    from studio.datasets.store import Dataset

MOST_VALUES = 12  # of a label or tag that are counted
Words = dict[str, Any]
Form = Literal["messages", "alpaca", "sharegpt", "csv", "parquet"]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The studio's data code is imported when it is first asked for: that takes time."""
    api = APIRouter(prefix="/studio/datasets")

    @api.get("")
    def all_datasets() -> Words:
        from studio.datasets.store import list_datasets

        deleted = [item for item in workspace.trashed() if item.folder == "datasets"]
        return {
            "datasets": [
                item | _named(item) | {"changes": _changes(workspace, item)} for item in list_datasets(workspace)
            ],
            "deleted": [{"name": item.name, "deleted": item.deleted} for item in deleted],
        }

    @api.get("/{name}")
    def one_dataset(name: str, version: int | None = None) -> Words:
        dataset = opened(workspace, name)
        entry = dataset.version_info(version)
        log = reviews(dataset)
        changes = log.pending()
        columns = _columns(workspace, dataset, entry["version"])
        kept = ("version", "made", "rows", "counts", "format", "kind", "source", "notes", "written", "bad_rows",
                "made_from", "edited", "excluded", "moved", "tagged", "added", "orphaned")  # fmt: skip
        return {
            "name": dataset.name,
            "asked": name,
            "latest": dataset.latest,
            "versions": [_short(each) for each in dataset.info["versions"]],
            "version": {key: entry[key] for key in kept if key in entry} | _named(entry),
            "counts": entry["counts"]
            if columns is None
            else dict.fromkeys(entry["counts"], 0) | dict(columns.frequent("split")),
            "groups": columns.groups(MOST_VALUES) if columns else {},
            "reviews": log.last(),
            "changes": len(changes),
            "last": log.last_standing(),
            "leaving": sum(change.excluded for change in changes.values()),
            "added": len(log.accepted()),
            "waiting": len(log.waiting()),
            "models": models(workspace),
        }

    @api.get("/{name}/lengths")
    def lengths(name: str, model: str, version: int | None = None) -> Words:
        dataset = opened(workspace, name)
        try:
            return _lengths(workspace, dataset, version or dataset.latest, model)
        except StudioError as error:
            return {"error": words(error)}

    @api.get("/{name}/download")
    def download(name: str, form: Form = "messages", version: int | None = None) -> Response:
        from studio.datasets.saving import downloads

        dataset = opened(workspace, name)
        path = dataset.path(version)  # refused before the answer begins
        ending = form if form in ("csv", "parquet") else "jsonl" if form == "messages" else f"{form}.jsonl"
        file = f"{dataset.name}-v{version or dataset.latest}.{ending}"
        if form == "parquet":
            return FileResponse(path, filename=file, media_type="application/vnd.apache.parquet")
        if form == "csv":
            stream, kind = downloads.table(dataset, version), "text/csv; charset=utf-8"
        else:
            stream, kind = downloads.jsonl(dataset, version, form), "application/jsonl"
        return StreamingResponse(stream, 200, {"Content-Disposition": f'attachment; filename="{file}"'}, kind)

    @api.post("/{name}/rows/{row_id}/{deed}")
    def review(name: str, row_id: str, deed: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        log = reviews(opened(workspace, name))
        by = reviewer(body)
        if deed == "edit":
            if there := _edited(log, row_id, body, by):
                return {"conflict": there}
        elif deed == "exclude":
            log.exclude(row_id, by=by)
        elif deed == "include":
            log.include(row_id, by=by)
        else:
            raise NotFound(f"A row can't be asked to “{deed}”.", "", "Use edit, exclude or include.")
        return {"changes": len(log.pending()), "number": log.number_of(row_id)}

    @api.post("/{name}/{deed}")
    def act(name: str, deed: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        return _act(workspace, name, deed, body)

    return api


def _act(workspace: Workspace, name: str, deed: str, body: Words) -> Words:
    from studio.datasets import names
    from studio.datasets.versions import freezing
    from studio.jobs import folder as job_folder
    from studio.jobs import local

    if deed == "restore":
        return {"name": workspace.restore("datasets", name).name}
    if deed == "delete":  # one that can't be opened, too
        names.delete(workspace, name)
        return {"name": name}
    dataset = opened(workspace, name)
    if deed == "undo":
        number = body.get("number")
        if number is not None and not isinstance(number, int):
            raise BadInput("This change can't be read.", f"“{str(number)[:40]}” is no number.", "Reload the page.")
        taken_back = reviews(dataset).undo(body.get("row"), number=number, by=str(body.get("by") or ""))
        return {name: taken_back[name] for name in ("row", "type", "count")}
    if deed == "freeze":
        log = reviews(dataset)
        freezing.check(dataset.version_info(), log.pending(), log.accepted())  # said here, not by a failed job
        folder = job_folder.create(workspace, "freeze", {"dataset": dataset.name}, dataset.name)
        local.start(folder)
        return {"job": folder.name}
    if deed == "rename":
        return {"name": names.rename(workspace, dataset.name, str(body.get("name", "")).strip()).name}
    raise NotFound(f"A dataset can't be asked to “{deed}”.", "", "Use undo, freeze, rename, delete or restore.")


def _edited(log: Reviews, row_id: str, body: Words, by: str) -> Words | None:
    """Edits a row as it was `seen`; the row as it is now where somebody else reviewed it since, and nothing is done."""
    from studio.datasets.reviewing.reviews import Conflict

    seen = body.get("seen")
    if seen is not None and not isinstance(seen, int):
        raise BadInput("This change can't be read.", f"“{str(seen)[:40]}” is no number.", "Reload the page.")
    try:
        log.edit(row_id, list(body.get("texts") or []), by=by, seen=seen)
    except Conflict as conflict:
        change = log.pending().get(row_id)
        last = (log.log().by_row.get(row_id) or [{}])[-1]
        drawn = row_pictures.picture(log.row(row_id), change)
        return {"id": row_id, "seen": conflict.number, "by": last.get("by", ""), "row": drawn}
    return None


def _columns(workspace: Workspace, dataset: Dataset, version: int) -> Columns | None:
    """What rows can be counted by, with what is pending for them; None while that takes time."""
    found = listing(dataset, version)
    return found.now() if found.quick(workspace) else None


def _changes(workspace: Workspace, item: Words) -> int:
    """How many changes of a listed dataset are in no version yet."""
    if "error" in item or not any(
        (workspace.datasets / item["name"] / log).exists() for log in ("reviews.jsonl", "additions.jsonl")
    ):
        return 0
    found: int = reviews(opened(workspace, item["name"])).unfrozen()
    return found


def _named(entry: Words) -> Words:
    """Kind and format in words."""
    kind, form = entry.get("kind", ""), entry.get("format", "")
    return {"kind_words": row_pictures.KINDS.get(kind, kind), "format_words": row_pictures.FORMATS.get(form, form)}


def _short(entry: Words) -> Words:
    return {key: entry[key] for key in ("version", "rows", "made", "made_from", "edited", "excluded") if key in entry}


def _lengths(workspace: Workspace, dataset: Any, version: int, model: str) -> Words:
    from studio.datasets.browsing.lengths import lengths

    path = dataset.path(version)

    def count() -> Words:
        found = lengths(dataset, version, tokenizer(workspace, model), model=model)
        row, why = found.first_left_out or ("", "")
        return {"tokens": found.tokens, "rows": found.rows, "left_out": found.left_out, "left_out_row": row, "why": why}

    counted: Words = KEPT.get(("lengths", str(path), changed(path), model), count)
    return counted
