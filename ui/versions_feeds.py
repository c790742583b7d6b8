"""What the versions of a dataset are shown from.

GET  /studio/datasets-versions/NAME                     all versions, what each was made of, which runs used it
GET  /studio/datasets-versions/NAME/compare?old=&new=   what differs: counts, and a page of rows as they were and are
GET  /studio/datasets-versions/NAME/fits?form=          how many rows a form has no place for, why, and what to heed
POST /studio/datasets-versions/NAME/title|back          names a version; makes a new one with an older one's rows
POST /studio/datasets-versions/NAME/publish             publishes one on the hub, as a job
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Body

from studio.errors import NotFound
from studio.kept import Kept
from studio.workspace import Workspace
from ui import row_pictures
from ui.dataset_access import started

PAGE = 10
LOOKED_AT = 2000  # rows of a table that is to be saved: people wait for the answer before the download begins
Words = dict[str, Any]
Form = Literal["messages", "alpaca", "sharegpt", "csv"]
What = Literal["added", "removed", "changed"]
KEPT: Kept[Any] = Kept(6)
SHOWN = ("version", "title", "made", "rows", "counts", "made_from", "back", "source", "bad_rows", "edited", "excluded",
         "moved", "tagged", "added", "orphaned")  # fmt: skip


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The studio's data code is imported when it is first asked for."""
    api = APIRouter(prefix="/studio/datasets-versions")

    def opened(name: str) -> Any:
        from studio.datasets.store import Dataset

        return Dataset.open(workspace, name)

    @api.get("/{name}")
    def versions(name: str) -> Words:
        from studio.datasets.versions import history

        dataset = opened(name)
        used = history.used_by(workspace, dataset)
        return {
            "name": dataset.name,
            "latest": dataset.latest,
            "versions": [
                {key: entry[key] for key in SHOWN if key in entry} | {"runs": used.get(entry["version"], [])}
                for entry in dataset.info["versions"]
            ],
        }

    @api.get("/{name}/compare")
    def compare(name: str, old: int, new: int, start: int = 0, what: What | None = None) -> Words:
        from studio.datasets.versions import comparing

        dataset = opened(name)
        key = (str(dataset.path(old)), str(dataset.path(new)), dataset.path(new).stat().st_mtime_ns)
        found = KEPT.get(key, lambda: comparing.compare(dataset, old, new))
        counts = found.counts()
        return {
            "counts": counts,
            "total": counts[what] if what else sum(counts.values()),
            "start": max(0, start),
            "page": PAGE,
            "pairs": [
                {
                    "row": pair.row_id,
                    "what": pair.what,
                    "changed": pair.changed(),
                    "old": row_pictures.picture(pair.old) if pair.old else None,
                    "new": row_pictures.picture(pair.new) if pair.new else None,
                }
                for pair in found.pairs(max(0, start), PAGE, what)
            ],
        }

    @api.get("/{name}/fits")
    def fits(name: str, form: Form, version: int | None = None) -> Words:
        from studio.datasets.saving.downloads import left

        dataset = opened(name)
        path = dataset.path(version)
        found = KEPT.get((str(path), form), lambda: left(dataset, version, form, LOOKED_AT))
        rows = dataset.version_info(version)["rows"]
        told = {"left_out": found.rows, "why": found.why, "formulas": found.formulas, "notes": found.words()}
        return {"rows": rows, **told}

    @api.post("/{name}/{deed}")
    def act(name: str, deed: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        from studio.datasets.versions import history

        dataset = opened(name)
        if deed == "title":
            return {"title": history.name_version(workspace, dataset.name, int(body["version"]), str(body["title"]))}
        if deed == "back":
            return {"version": history.go_back(workspace, dataset.name, int(body["version"]))}
        if deed == "publish":
            return _publish(workspace, dataset.name, body)
        raise NotFound(f"Versions can't be asked to “{deed}”.", "", "Use title, back or publish.")

    return api


def _publish(workspace: Workspace, name: str, body: Words) -> Words:
    from studio import preferences
    from studio.settings.base import check
    from studio.settings.publishing import PublishSettings

    given: Words = {key: body[key] for key in ("version", "repo", "public", "replace", "licence") if key in body}
    settings = check(PublishSettings, {"dataset": name, **given}, "This can't be published.")
    preferences.check_online(workspace, f"“{name}” can't be published.")
    return started(workspace, "publish", settings.model_dump(mode="json"), name)
