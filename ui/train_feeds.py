"""What the Train page reads and asks for.

GET  /studio/train/choices            datasets, models and what fits here, presets, old runs, downloads at work
POST /studio/train/look               {settings} → problems, figures, chosen values, command and file
POST /studio/train/measure            {settings} → {kind, id} of the job that measures whether it fits
POST /studio/train/start              {settings, measured} → {id}
GET  /studio/train/of-run/ID?rung=    the settings of an old run, with a rung of its ladder laid over them
POST /studio/train/of-file            {name, text} → the settings in a file
GET  /studio/models/search?words=     the hub, asked only by a person
POST /studio/models/add               {source, name} → {kind, id} of the job
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Body

from studio import headroom, presets, proposal, runs
from studio.commands.frame import default_workspace
from studio.datasets.store import list_datasets
from studio.errors import BadInput, StudioError
from studio.files import read_json
from studio.jobs import folder as job_folder
from studio.jobs import local
from studio.machine import Machine
from studio.models import BrokenModel, Model, catalogue, list_models
from studio.models.fit import fit, known_shape
from studio.models.search import search
from studio.preferences import check_online
from studio.settings.base import check
from studio.settings.models import AddModel
from studio.settings.train import TrainSettings
from studio.shape import Shape
from studio.workspace import Workspace
from ui.form import field_of, in_form_words
from ui.row_pictures import KINDS

RECENT_JOBS = 40
RECENT_RUNS = 20
LARGEST_FILE = 1_000_000
# Where a command line would help itself with a flag that is no setting of a run.
INSTEAD = (
    (" with --split, giving", ", giving"),
    ("Add it: launch.py models add .*", "Press “Change” to choose one that is here, or to add this one."),
)


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio")
    default = workspace.root == default_workspace().absolute()

    @api.get("/train/choices")
    def choices() -> dict[str, Any]:
        here, _ = headroom.at_turn(workspace)
        return {
            "datasets": [
                item | {"kind_words": KINDS.get(item.get("kind", ""), "")}
                for item in sorted(list_datasets(workspace), key=lambda item: -float(item.get("made") or 0))
            ],
            "models": [_model(item, here) for item in list_models(workspace)],
            "known": _known(workspace, here),
            "presets": [asdict(presets.load(name)) for name in presets.names()],
            "runs": [_run(name, workspace) for name in list(reversed(workspace.names("runs")))[:RECENT_RUNS]],
            "adding": _adding(workspace),
        }

    @api.post("/train/look")
    def look(settings: dict[str, Any] = Body(embed=True)) -> dict[str, Any]:  # noqa: B008
        found = proposal.look(workspace, settings, default)
        found["problems"] = [_placed(problem) for problem in found["problems"]]
        return found

    @api.post("/train/measure")
    def measure(settings: dict[str, Any] = Body(embed=True)) -> dict[str, str]:  # noqa: B008
        folder = proposal.measure(workspace, settings)
        return {"kind": folder.parent.name, "id": folder.name}

    @api.post("/train/start")
    def start(settings: dict[str, Any] = Body(embed=True), measured: str = Body("")) -> dict[str, str]:  # noqa: B008
        return {"id": proposal.start(workspace, settings, measured)}

    @api.get("/train/of-run/{run}")
    def of_run(run: str, rung: str = "") -> dict[str, Any]:
        return {"settings": proposal.of_run(workspace, run, rung), "run": runs.open_run(workspace, run).name}

    @api.post("/train/of-file")
    def of_file(name: str = Body(), text: str = Body()) -> dict[str, Any]:
        return {"settings": _from_text(name, text)}

    @api.get("/models/search")
    def look_for(words: str) -> dict[str, Any]:
        check_online(workspace, "The hub can't be searched.")
        return {"found": [item.as_dict() for item in search(words.strip()[:200])]}

    @api.post("/models/add")
    def add(source: str = Body(), name: str = Body("")) -> dict[str, str]:
        settings = check(AddModel, {"source": source, "name": name}, "This model can't be added.")
        folder = job_folder.create(workspace, "add_model", settings.model_dump(mode="json"), settings.kept_as)
        local.start(folder)
        return {"kind": folder.parent.name, "id": folder.name, "name": settings.kept_as}

    return api


def _placed(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem with the form's field it belongs to, in words without flags."""
    words = {key: in_form_words(problem[key], TrainSettings) for key in ("what", "why", "next")}
    for flag, instead in INSTEAD:
        words["next"] = re.sub(flag, instead, words["next"])
    return problem | words | {"field": field_of(problem["field"] or "", TrainSettings)}


def _model(item: Model | BrokenModel, here: Machine) -> dict[str, Any]:
    if isinstance(item, BrokenModel):
        return {"name": item.name, "error": item.error}
    keys = ("name", "parameters", "licence", "languages", "context", "chat_template", "size")
    about = {key: value for key, value in item.as_dict().items() if key in keys}
    try:
        shape = Shape.read(read_json(item.path / "config.json"), item.parameters)
        about["fit"] = fit(shape, here, context=item.context).as_dict()
    except (StudioError, OSError, ArithmeticError, ValueError):
        about["fit"] = None  # an architecture with other names for its sizes: it may still be trained
    return about | {"source": item.source.get("id") or ""}


def _known(workspace: Workspace, here: Machine) -> list[dict[str, Any]]:
    """The catalogue, without what is in the workspace already."""
    names = set(workspace.names("models"))
    kept = {item.id: check(AddModel, {"source": item.id}).kept_as for item in catalogue()}
    return [
        item.as_dict() | {"name": kept[item.id], "fit": fit(known_shape(item), here, context=item.context).as_dict()}
        for item in catalogue()
        if kept[item.id] not in names
    ]


def _run(name: str, workspace: Workspace) -> dict[str, Any]:
    about = runs.summary(workspace.runs / name)
    return {"id": about.id, "name": about.name, "dataset": about.dataset, "created": about.created}


def _adding(workspace: Workspace) -> list[dict[str, str]]:
    """Models that are being added now; a page that was reloaded shows them on."""
    found = []
    for name in list(reversed(workspace.names("jobs")))[:RECENT_JOBS]:
        folder = workspace.jobs / name
        try:
            settings = job_folder.read_settings(folder)
            if settings.get("job") == "add_model" and job_folder.alive(folder):
                named = check(AddModel, {key: settings[key] for key in ("source", "name")}).kept_as
                found.append({"id": name, "source": str(settings["source"]), "name": named})
        except (StudioError, OSError, KeyError):
            continue  # a broken job is shown where jobs are listed
    return found


def _from_text(name: str, text: str) -> dict[str, Any]:
    if len(text) > LARGEST_FILE:
        raise BadInput(
            f"{name[:80]} is too large for a settings file.", "It has more than a megabyte.", "Choose another."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        path.write_text(text, encoding="utf-8")
        return proposal.of_file(path)
