"""What the Home page reads and asks for.

GET  /studio/home             the sample run and the newest runs, as they stand
GET  /studio/home/machine     this machine, what fits it, and how long the sample takes
POST /studio/sample/start     starts the sample, or takes it up where it was
POST /studio/sample/stop      {id}
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Body

from studio import headroom, journey, runs
from studio.estimate import estimate
from studio.jobs import queue
from studio.machine import Machine, machine
from studio.models.catalogue import catalogue
from studio.models.fit import known_shape, largest
from studio.settings.base import check
from studio.settings.defaults import Facts, resolve
from studio.settings.models import STARTER
from studio.settings.train import TrainSettings
from studio.workspace import Workspace

RECENT = 5
METHODS = {
    "lora": ("LoRA", "the usual way: small additions are trained, the model stays as it is"),
    "qlora": ("QLoRA", "the same, with the model packed into a quarter of the memory"),
    "full": ("All weights", "the whole model is trained, which takes the most memory"),
}
# The sample with the starter, as preflight counts it, and what importing, loading and answering take beside training.
SAMPLE_ROWS, SAMPLE_TOKENS, SAMPLE_SHARE, SAMPLE_LONGEST = 240, 61, 0.08, 88
OTHER_SECONDS = 60


def router(workspace: Workspace) -> APIRouter:
    """The routes of one workspace."""
    api = APIRouter(prefix="/studio")

    @api.get("/home")
    def home() -> dict[str, Any]:
        queue.advance(workspace)
        folder = journey.latest(workspace)
        names = list(reversed(workspace.names("runs")))
        return {
            "sample": _told(journey.state(workspace, folder)) if folder else None,
            "runs": [runs.summary(workspace.runs / name).as_dict() for name in names[:RECENT]],
            "total": len(names),
        }

    @api.get("/home/machine")
    def about_machine() -> dict[str, Any]:
        here = machine(workspace.root)
        return {
            "summary": here.summary(),
            "device": here.device,
            "fits": _fits(headroom.at_turn(workspace)[0]),
            "sample_seconds": sample_seconds(here),
            "starter": STARTER in workspace.names("models"),
        }

    @api.post("/sample/start")
    def start() -> dict[str, Any]:
        return _told(journey.state(workspace, journey.start(workspace)))

    @api.post("/sample/stop")
    def stop(id: str = Body(embed=True)) -> dict[str, str]:  # noqa: A002
        return {"status": journey.stop(workspace, id)}

    return api


def _told(state: dict[str, Any]) -> dict[str, Any]:
    """The sample with its pairs as question and answers."""
    result = state["result"]
    if not result:
        return state
    pairs = [
        {
            "asked": json.loads(pair["prompt"])[-1]["content"],
            **{key: pair[key] for key in ("expected", "base", "tuned")},
        }
        for pair in result["pairs"]
    ]
    return state | {"result": {key: result[key] for key in ("id", "run", "rows", "metrics")} | {"pairs": pairs}}


def _fits(here: Machine) -> list[dict[str, Any]]:
    found = []
    for method, pair in largest(here).items():
        title, words = METHODS[method]
        about: dict[str, Any] = {"method": method, "title": title, "words": words, "model": None}
        if pair:
            known, fit = pair
            about |= {"model": known.id.rpartition("/")[2], "parameters": known.parameters, "fit": fit.as_dict()}
        found.append(about)
    return found


def sample_seconds(here: Machine) -> float | None:
    """About how long the sample takes on this machine, without fetching the starter; None on a GPU."""
    if here.device == "cuda":
        return None
    known = catalogue()[0]
    facts = Facts(
        rows=SAMPLE_ROWS, longest=SAMPLE_LONGEST, text=False, version=1, parameters=known.parameters,
        context=known.context, device="cpu", cores=here.cores,
    )  # fmt: skip
    settings = resolve(check(TrainSettings, {"dataset": journey.DATASET}), facts).settings
    steps = round(SAMPLE_ROWS / (settings.batch_size or 1) * (settings.epochs or 1.0))
    cost = estimate(settings, known_shape(known), SAMPLE_TOKENS, SAMPLE_SHARE, steps, "cpu")
    return (cost.seconds or 0.0) + OTHER_SECONDS
