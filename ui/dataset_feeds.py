"""What the Data page reads and asks for.

GET  /studio/datasets                              all datasets, deleted ones, the models whose tokens can be shown
GET  /studio/datasets/NAME?version=                one dataset: its versions, counts, labels, changes
GET  /studio/datasets/NAME/rows?from=&find=&side=  a page of rows, to be shown
GET  /studio/datasets/NAME/rows/ROW                one row, its neighbours among those that match
GET  /studio/datasets/NAME/rows/ROW/tokens         the row in the tokens of a model, each with what becomes of it
GET  /studio/datasets/NAME/lengths?model=          how long rows are in tokens
GET  /studio/datasets/NAME/download?form=          the version as jsonl, csv or parquet
POST /studio/datasets/NAME/rows/ROW/edit|exclude|include
POST /studio/datasets/NAME/undo|freeze|rename|delete|restore

What belongs to importing is in import_feeds.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Body
from starlette.responses import FileResponse, Response, StreamingResponse

from studio.errors import NotFound, StudioError
from studio.workspace import Workspace
from ui import row_pictures
from ui.telling import words

PAGE = 20
LONGEST_TEXT = 200_000  # characters of a text shown in tokens
Words = dict[str, Any]
Form = Literal["jsonl", "csv", "parquet"]


class Kept:
    """The last few answers that took time; a version never changes, so its path and time name what was made of it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.found: dict[tuple[Any, ...], Any] = {}
        self.lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        with self.lock:
            if key in self.found:
                self.found[key] = self.found.pop(key)  # the one used last goes last
                return self.found[key]
        made = make()
        with self.lock:
            self.found[key] = made
            while len(self.found) > self.most:
                del self.found[next(iter(self.found))]
        return made


KEPT = Kept(24)


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
        dataset = _open(workspace, name)
        entry = dataset.version_info(version)
        reviews = _reviews(dataset)
        changes = reviews.pending()
        kept = ("version", "made", "rows", "counts", "format", "kind", "source", "notes", "bad_rows", "made_from",
                "edited", "excluded", "moved", "tagged", "added", "orphaned")  # fmt: skip
        return {
            "name": dataset.name,
            "asked": name,
            "latest": dataset.latest,
            "versions": [_short(each) for each in dataset.info["versions"]],
            "version": {key: entry[key] for key in kept if key in entry} | _named(entry),
            "groups": _groups(dataset, entry["version"]),
            "reviews": reviews.last(),
            "changes": len(changes),
            "added": len(reviews.accepted()),
            "waiting": len(reviews.additions.rows()),
            "models": models(workspace),
        }

    @api.get("/{name}/rows")
    def rows(name: str, version: int | None = None, start: int = 0, find: str = "", side: str = "") -> Words:
        dataset = _open(workspace, name)
        changes = _changes_of(dataset, version)
        among = list(changes) if side == "changed" else None
        page = dataset.page(
            version, max(0, start), PAGE, find or None, None if side in ("", "changed") else side, among
        )
        shown = [row_pictures.picture(row, changes.get(row.row_id), short=True) for row in page.rows]
        return {"rows": shown, "total": page.total, "start": max(0, start), "page": PAGE}

    @api.get("/{name}/rows/{row_id}")
    def one_row(name: str, row_id: str, version: int | None = None, find: str = "", side: str = "") -> Words:
        dataset = _open(workspace, name)
        row = dataset.row(version, row_id)
        change = _changes_of(dataset, version).get(row_id)
        place = dataset.place(version, row_id, find or None, None if side in ("", "changed") else side)
        return {
            "row": row_pictures.picture(row, change),
            "raw": row_pictures.raw(row),
            "place": {"number": place.number, "total": place.total, "previous": place.previous, "next": place.next},
            "version": version or dataset.latest,
            "latest": dataset.latest,
            "models": models(workspace),
        }

    @api.get("/{name}/rows/{row_id}/tokens")
    def tokens(
        name: str,
        row_id: str,
        model: str,
        version: int | None = None,
        cutoff: int = 1024,
        learn: Literal["all", "last"] = "all",
        template: str = "",
    ) -> Words:
        from studio.batches.tokenizer import built_in_templates
        from studio.batches.view import token_view

        dataset = _open(workspace, name)
        row = dataset.row(version, row_id)
        change = _changes_of(dataset, version).get(row_id)
        row = change.applied(row) if change else row
        part = len(row.text or "") > LONGEST_TEXT
        try:
            tokenizer = _tokenizer(workspace, model, template)
            seen = replace(row, text=(row.text or "")[:LONGEST_TEXT]) if part else row
            pieces = token_view(tokenizer, seen, loss_on=learn, cutoff=max(1, cutoff))
        except StudioError as error:
            advice = {"template": "Choose one of the studio’s own templates beside the model."}
            return {"error": words(error, advice), "templates": built_in_templates() if error.field else []}
        return {
            "pieces": pieces,
            "part": part,
            "templates": built_in_templates() if template else [],
        }

    @api.get("/{name}/lengths")
    def lengths(name: str, model: str, version: int | None = None) -> Words:
        dataset = _open(workspace, name)
        try:
            return _lengths(workspace, dataset, version or dataset.latest, model)
        except StudioError as error:
            return {"error": words(error)}

    @api.get("/{name}/download")
    def download(name: str, form: Form = "jsonl", version: int | None = None) -> Response:
        from studio.datasets import downloads

        dataset = _open(workspace, name)
        path = dataset.path(version)  # refused before the answer begins
        file = f"{dataset.name}-v{version or dataset.latest}.{form}"
        if form == "parquet":
            return FileResponse(path, filename=file, media_type="application/vnd.apache.parquet")
        stream: Iterator[bytes] = (downloads.jsonl if form == "jsonl" else downloads.table)(dataset, version)
        kind = "application/jsonl" if form == "jsonl" else "text/csv; charset=utf-8"
        return StreamingResponse(stream, 200, {"Content-Disposition": f'attachment; filename="{file}"'}, kind)

    @api.post("/{name}/rows/{row_id}/{deed}")
    def review(name: str, row_id: str, deed: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        reviews = _reviews(_open(workspace, name))
        if deed == "edit":
            reviews.edit(row_id, list(body.get("texts") or []))
        elif deed == "exclude":
            reviews.exclude(row_id)
        elif deed == "include":
            reviews.include(row_id)
        else:
            raise NotFound(f"A row can't be asked to “{deed}”.", "", "Use edit, exclude or include.")
        return {"changes": len(reviews.pending())}

    @api.post("/{name}/{deed}")
    def act(name: str, deed: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        return _act(workspace, name, deed, body)

    return api


def _act(workspace: Workspace, name: str, deed: str, body: Words) -> Words:
    from studio.datasets import freezing, names
    from studio.jobs import folder as job_folder
    from studio.jobs import local

    if deed == "restore":
        return {"name": workspace.restore("datasets", name).name}
    dataset = _open(workspace, name)
    if deed == "undo":
        taken_back = _reviews(dataset).undo(body.get("row"))
        return {name: taken_back[name] for name in ("row", "type", "count")}
    if deed == "freeze":
        reviews = _reviews(dataset)
        freezing.check(dataset.version_info(), reviews.pending(), reviews.accepted())  # said here, not by a failed job
        folder = job_folder.create(workspace, "freeze", {"dataset": dataset.name}, dataset.name)
        local.start(folder)
        return {"job": folder.name}
    if deed == "rename":
        return {"name": names.rename(workspace, dataset.name, str(body.get("name", "")).strip()).name}
    if deed == "delete":
        names.delete(workspace, dataset.name)
        return {"name": dataset.name}
    raise NotFound(f"A dataset can't be asked to “{deed}”.", "", "Use undo, freeze, rename, delete or restore.")


def _open(workspace: Workspace, name: str) -> Any:
    from studio.datasets.store import Dataset

    return Dataset.open(workspace, name)


def _reviews(dataset: Any) -> Any:
    from studio.datasets.reviews import Reviews

    return Reviews(dataset)


def _changes_of(dataset: Any, version: int | None) -> dict[str, Any]:
    """What is pending for the latest version; older ones are shown as they are."""
    if version is not None and version != dataset.latest:
        return {}
    found: dict[str, Any] = _reviews(dataset).pending()
    return found


def _changes(workspace: Workspace, item: Words) -> int:
    """How many changes of a listed dataset are in no version yet."""
    if "error" in item or not any(
        (workspace.datasets / item["name"] / log).exists() for log in ("reviews.jsonl", "additions.jsonl")
    ):
        return 0
    found: int = _reviews(_open(workspace, item["name"])).unfrozen()
    return found


def _named(entry: Words) -> Words:
    """Kind and format in words."""
    kind, form = entry.get("kind", ""), entry.get("format", "")
    return {"kind_words": row_pictures.KINDS.get(kind, kind), "format_words": row_pictures.FORMATS.get(form, form)}


def _short(entry: Words) -> Words:
    return {key: entry[key] for key in ("version", "rows", "made", "made_from", "edited", "excluded") if key in entry}


def models(workspace: Workspace) -> list[str]:
    """The models whose tokens can be shown, the starter first."""
    found = [name for name in workspace.names("models") if (workspace.models / name / "tokenizer.json").is_file()]
    return sorted(found, key=lambda name: (name != "starter", name))


def _stamp(path: Path) -> int:
    """Changes when a file does; 0 for none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _tokenizer(workspace: Workspace, model: str, template: str = "") -> Any:
    from studio.batches.tokenizer import ModelTokenizer

    folder = workspace.folder("models", model)
    key = ("tokenizer", str(folder), _stamp(folder / "tokenizer.json"), template)
    return KEPT.get(key, lambda: ModelTokenizer.load(folder, template or None))


def _groups(dataset: Any, version: int) -> Words:
    path = dataset.path(version)
    found: Words = KEPT.get(("groups", str(path), _stamp(path)), lambda: dataset.groups(version))
    return found


def _lengths(workspace: Workspace, dataset: Any, version: int, model: str) -> Words:
    from studio.datasets.lengths import lengths

    path = dataset.path(version)

    def count() -> Words:
        found = lengths(dataset, version, _tokenizer(workspace, model))
        return {"tokens": found.tokens, "rows": found.rows, "left_out": found.left_out}

    counted: Words = KEPT.get(("lengths", str(path), _stamp(path), model), count)
    return counted
