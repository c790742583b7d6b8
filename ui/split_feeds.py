"""What the split of a dataset reads and asks for.

GET  /studio/datasets-split/NAME              the sides as they are, the columns to go by, what the last check found
POST /studio/datasets-split/NAME/plan         starts a job that plans a split, or checks the one there is
GET  /studio/datasets-split/NAME/plans/JOB    what a job planned; `making` while it is at work
POST /studio/datasets-split/NAME/plans/JOB    moves the rows as it was planned
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Body

from studio.errors import BadInput
from studio.workspace import Workspace
from ui.dataset_access import KEPT, changed, opened, reviewer, reviews, started

Words = dict[str, Any]
SAMPLE = 500  # rows that are looked at for the columns there are
MOST_COLUMNS = 100


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio/datasets-split")

    @api.get("/{name}")
    def state(name: str) -> Words:
        from studio.datasets.splitting import leaks
        from studio.settings.splitting import SHARES

        dataset = opened(workspace, name)
        path = dataset.path()
        key = ("columns", str(path), changed(path))
        return {
            "version": dataset.latest,
            "reviews": reviews(dataset).last(),
            "counts": dataset.version_info()["counts"],
            "columns": KEPT.get(key, lambda: _columns(dataset)),
            "checked": leaks.known(dataset),
            "shares": SHARES,
        }

    @api.post("/{name}/plan")
    def plan(name: str, body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.settings.base import check
        from studio.settings.splitting import SplitSettings

        dataset = opened(workspace, name)
        settings = check(SplitSettings, body | {"dataset": dataset.name}, "This split can't be made.")
        return started(workspace, "split", settings.model_dump(mode="json"), dataset.name)

    @api.get("/{name}/plans/{job}")
    def planned(name: str, job: str) -> Words:
        from studio.datasets.splitting import plans
        from studio.datasets.splitting.grouping import WORDS

        opened(workspace, name)
        folder = workspace.folder("jobs", job)
        settings = plans.settings_of(folder)
        if not (folder / plans.PLAN).exists():
            return {"making": True}
        return plans.load(folder) | {"settings": settings.model_dump(mode="json"), "words": WORDS}

    @api.post("/{name}/plans/{job}")
    def apply(name: str, job: str, body: Words = Body(default={})) -> Words:  # noqa: B008
        from studio.datasets.splitting import plans

        dataset = opened(workspace, name)
        folder = workspace.folder("jobs", job)
        other = plans.settings_of(folder).dataset
        if other != dataset.name:
            raise BadInput("This plan is of another dataset.", f"It was made for “{other}”.", "Plan the split again.")
        number = plans.apply(dataset, folder, reviewer(body))
        return {"moved": plans.load(folder)["moved"], "number": number}

    return api


def _columns(dataset: Any) -> list[Words]:
    """The label, tags and columns that rows have, each with how many values a sample shows and a few of them."""
    values: dict[str, dict[str, int]] = {}
    rows = dataset.sample(None, SAMPLE)
    from studio.datasets.splitting.grouping import value_of

    for row in rows:
        names = [*(["label"] if row.label is not None else []), *row.tags, *row.extra]
        for name in names:
            if (value := value_of(row, name)) is not None:
                values.setdefault(name, {}).setdefault(value[:60], 0)
                values[name][value[:60]] += 1
    return [
        {"name": name, "values": len(found), "rows": sum(found.values()), "sample": len(rows), "some": list(found)[:3]}
        for name, found in list(values.items())[:MOST_COLUMNS]
    ]
