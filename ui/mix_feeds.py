"""What the mixing of datasets reads and asks for.

GET  /studio/mixes?of=NAME     the datasets that can be parts, with their rows; of those that are named, or where there
                               is one only, the labels and tags; the models to count tokens in
POST /studio/mixes/look        what would come of a recipe: rows and tokens of each part and side; of large parts how
                               many rows they have, and if the body is patient the job that counts
POST /studio/mixes/start       makes the mixture, in a job
GET  /studio/mixes/NAME        the recipe that a dataset was made by
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body, Query

from studio.errors import NotFound, StudioError
from studio.workspace import Workspace
from ui.dataset_access import large, models, opened, started
from ui.telling import words

Words = dict[str, Any]
# Where the command's flag is named, what to do at the form.
ADVICE = {"parts": "Choose other parts.", "name": "Choose another name for the mixture."}


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/mixes")

    @api.get("")
    def parts(of: list[str] = Query(default=[])) -> Words:  # noqa: B008
        from studio.datasets.store import list_datasets

        # Labels and tags are read from the rows; for all of many datasets that would take seconds.
        there = [item for item in list_datasets(workspace) if "error" not in item]
        return {
            "datasets": [
                {key: item[key] for key in ("name", "kind", "rows", "counts", "format")}
                | {"groups": _groups(workspace, item["name"]) if len(there) == 1 or item["name"] in of else {}}
                for item in there
            ],
            "models": models(workspace),
        }

    @api.get("/{name}")
    def recipe(name: str) -> Words:
        from studio.datasets.mixing.making import FORMAT, RECIPE, read_recipe

        dataset = opened(workspace, name)
        entries = [entry for entry in dataset.info["versions"] if entry.get("format") == FORMAT]
        for entry in reversed(entries):
            path = dataset.folder / "source" / f"{entry['version']:04}" / RECIPE
            if path.is_file():
                return {"recipe": read_recipe(path), "parts": entry.get("parts", [])}
        raise NotFound(f"“{name}” is no mixture.", "It was made of a file.", "Mix it with another dataset.")

    @api.post("/look")
    def look(body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.datasets.mixing.mixture import look

        try:
            settings, model = _settings(body), body.get("model") or None
            parts = [opened(workspace, name) for name in settings.datasets()]
            if not large(*parts):
                return look(workspace, settings, model)
            if not body.get("patient"):
                return {"large": sum(int(part.version_info()["rows"]) for part in parts)}
            return started(workspace, "look_at_mix", settings.model_dump(mode="json") | {"model": model}, settings.name)
        except StudioError as error:
            return {"error": words(error, ADVICE)}

    @api.post("/start")
    def start(body: Words = Body(...)) -> Words:  # noqa: B008
        settings = _settings(body)
        return started(workspace, "mix", settings.model_dump(mode="json"), settings.name) | {"name": settings.name}

    return api


def _settings(body: Words) -> Any:
    from studio.settings.base import check
    from studio.settings.mixing import MixSettings

    given = {key: value for key, value in body.items() if key in MixSettings.model_fields and value is not None}
    return check(MixSettings, given, "This mixture can't be made.")


def _groups(workspace: Workspace, name: str) -> Words:
    """The labels and tags of a dataset with their most frequent values; none for one that is still being indexed."""
    dataset = opened(workspace, name)
    return dict(dataset.groups(None)) if dataset.listing(None).quick(workspace) else {}
