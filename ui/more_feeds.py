"""What the page asks about more rows, written by a model.

GET  /studio/datasets-more/NAME?after=     the ways for its rows, who can write, what waits for review, the job under
                                           way, and the rows that `after` names (ROW,ROW), to be written after
POST /studio/datasets-more/NAME            starts writing, as a job

Both take the words of the list's address (find, side, label, tags, file): then it is written after rows that match.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Body

from studio import preferences, runs
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import local, queue
from studio.settings.models import STARTER
from studio.workspace import Workspace
from ui.dataset_access import listing
from ui.row_feeds import Asked, Chosen

if TYPE_CHECKING:
    from studio.datasets.store import Dataset

JOBS = ("write_rows", "write_elsewhere")
GIVEN = ("way", "writer", "address", "rows", "count", "each", "language", "guidance", "into", "temperature", "seed")
UNDER_WAY = ("queued", "running", "stopping")
NEWEST = 50  # jobs that are looked through for one under way
MOST_NAMED = 100  # rows that an address names
Words = dict[str, Any]


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace. The studio's data code is imported when it is first asked for."""
    api = APIRouter(prefix="/studio/datasets-more")

    @api.get("/{name}")
    def about(name: str, asked: Chosen, after: str = "") -> Words:
        from studio.datasets.reviewing.reviews import Reviews
        from studio.datasets.store import Dataset
        from studio.datasets.writing import beginning, named, ways

        dataset = Dataset.open(workspace, name)
        kind = dataset.version_info()["kind"]
        ended = [run for run in runs.list_runs(workspace) if run.status in ("finished", "stopped")]
        finished = [run for run in ended if (workspace.runs / run.id / "adapter").is_dir()]  # stopped early: no weights
        return {
            "kind": kind,
            "after": [
                {"id": row.row_id, "text": beginning(row), "side": row.split}
                for row in named(dataset, after.split(",")[:MOST_NAMED]).values()
            ],
            "ways": ways(kind),
            "matching": None if asked == Asked() else len(_matching(dataset, asked)),
            "train": dataset.version_info()["counts"].get("train", 0),
            "models": [{"name": name, "size": size} for name, size in _by_size(workspace)],
            "runs": [{"id": run.id, "name": run.title} for run in finished[:20]],
            "best": _best(workspace, [run.id for run in finished if run.dataset == dataset.name]),
            "waiting": Reviews(dataset).undecided(),
            "offline": preferences.read(workspace).offline,
            "job": _under_way(workspace, dataset.name),
        }

    @api.post("/{name}")
    def write(name: str, asked: Chosen, body: Words = Body(...)) -> Words:  # noqa: B008
        from studio.datasets.store import Dataset
        from studio.datasets.writing import drawn
        from studio.settings.base import check
        from studio.settings.writing import WriteSettings

        given: Words = {key: body[key] for key in GIVEN if key in body}
        dataset = Dataset.open(workspace, name)
        settings = check(WriteSettings, {"dataset": dataset.name, **given}, "This can't be written.")
        if asked != Asked() and settings.rows is None:
            settings.rows = drawn(_matching(dataset, asked), settings.count, settings.seed)
        job = "write_elsewhere" if settings.address else "write_rows"
        folder = job_folder.create(workspace, job, settings.model_dump(mode="json"), dataset.name)
        if settings.address:
            local.start(folder)
        else:
            queue.advance(workspace)
        return {"job": folder.name}

    return api


def _matching(dataset: Dataset, asked: Asked) -> list[str]:
    """The training rows that match and that no model wrote."""
    from studio.datasets.reviewing import bulk

    rows = listing(dataset, None)
    wanted = asked.wanted(rows)
    if wanted.split not in (None, "train"):
        return []
    found = bulk.matching(rows, replace(wanted, split="train", sort=""))
    written = bulk.written_by_models(rows, found)
    return [row for row in found if row not in written]


def _by_size(workspace: Workspace) -> list[tuple[str, int]]:
    """The models here with the bytes of their weights, the largest first: the larger one is, the better it writes."""
    found = []
    for name in workspace.names("models"):
        weights = (workspace.models / name).glob("*.safetensors")
        found.append((name, sum(path.stat().st_size for path in weights)))
    return sorted(found, key=lambda one: -one[1])


def _best(workspace: Workspace, tuned: list[str]) -> str:
    """Who should write unless somebody else is chosen: the largest model; where the small starter is the only one, the
    newest model tuned on these rows, which at least has their manner; "" where there is neither."""
    models = [name for name, _ in _by_size(workspace)]
    if models in ([], [STARTER]) and tuned:
        return tuned[0]
    return models[0] if models else ""


def _under_way(workspace: Workspace, name: str) -> str | None:
    """The job that writes for that dataset now."""
    for job in list(reversed(workspace.names("jobs")))[:NEWEST]:
        folder = workspace.jobs / job
        try:
            settings = job_folder.read_settings(folder)
            if settings.get("job") in JOBS and settings.get("dataset") == name:
                return job if job_folder.status(folder) in UNDER_WAY else None
        except (StudioError, OSError):
            continue
    return None
