"""Tags, and deeds on all rows that a list shows.

GET  /studio/datasets-tags/NAME/bulk?find=&side=&…   how many rows match the words of the list's address
POST /studio/datasets-tags/NAME/bulk?find=&side=&…   moves, tags, leaves out or takes in all of them, or only
                                                     those that the body names (rows)
POST /studio/datasets-tags/NAME/look                 which rows a rule would tag; of a large dataset the job that looks
POST /studio/datasets-tags/NAME/apply                tags them, or says the job that does
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body

from studio.workspace import Workspace
from ui.dataset_access import large, listing, opened, reviewer, started
from ui.row_feeds import Chosen

Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/datasets-tags")

    @api.get("/{name}/bulk")
    def count(name: str, asked: Chosen) -> Words:
        from studio.datasets.reviewing import bulk

        rows = listing(opened(workspace, name), None)
        return {"count": bulk.count(rows, asked.wanted(rows))}

    @api.post("/{name}/bulk")
    def do(name: str, asked: Chosen, body: Words = Body(...)) -> dict[str, int]:  # noqa: B008
        from studio.datasets.reviewing import bulk

        rows = listing(opened(workspace, name), None)
        named, by = body.pop("rows", None), reviewer(body)
        wanted = asked.wanted(rows) if named is None else bulk.only(named)
        done = bulk.bulk(rows, wanted, body, by)
        listing(rows.dataset, None).changed()  # now, while the page says that it works, not by the next look at a page
        return done

    @api.post("/{name}/look")
    def look(name: str, body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.datasets.reviewing import tagging

        dataset = opened(workspace, name)
        settings = _settings(dataset.name, body)
        if large(dataset):
            return _job(workspace, settings, apply=False)
        return tagging.look(dataset, settings).as_dict()

    @api.post("/{name}/apply")
    def apply(name: str, body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.datasets.reviewing import tagging

        dataset, by = opened(workspace, name), reviewer(body)
        settings = _settings(dataset.name, body)
        if large(dataset):
            return _job(workspace, settings, apply=True, by=by)
        hits = tagging.look(dataset, settings)
        number = tagging.apply(dataset, settings.tag, dict(hits.tags), by)
        return {"tagged": len(hits.tags), "number": number}

    return api


def _job(workspace: Workspace, settings: Any, apply: bool, by: str = "") -> Words:
    asked = {"apply": apply} | ({"by": by} if by else {})
    return started(workspace, "tag_rows", settings.model_dump(mode="json") | asked, settings.dataset)


def _settings(name: str, body: Words) -> Any:
    from studio.settings.base import check
    from studio.settings.tagging import TagSettings

    return check(TagSettings, body | {"dataset": name}, "These tags can't be given.")
