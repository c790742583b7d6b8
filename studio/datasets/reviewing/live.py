"""Suggestions of a model that is asked now, row by row; the page asks it itself while somebody looks."""

from __future__ import annotations

from collections.abc import Iterable

from studio import engines, runs
from studio.datasets.reviewing.suggestions import LIVE
from studio.datasets.rows import Row
from studio.engine_client import EngineClient
from studio.errors import NotFound
from studio.heldout import asked_of
from studio.workspace import Workspace

THERE = ("ready", "loading")


def answers(workspace: Workspace, source: str, rows: Iterable[Row]) -> dict[str, str]:
    """Row id → what the model of a live source answers; {} for any other source.

    An engine that runs already is asked, and stays; one that is started for this ends with it.

    Raises:
        NotFound, Refused: the run is gone or has no weights.
    """
    kind, _, rest = source.partition(":")
    if kind != LIVE:
        return {}
    name, _, weights = rest.partition(":")
    if weights not in ("tuned", "base"):
        raise NotFound(f"There are no suggestions “{source[:80]}”.", "", f"Give {LIVE}:RUN:tuned or {LIVE}:RUN:base.")
    run = runs.open_run(workspace, name)
    there = engines.state(workspace, run.name).phase in THERE
    engine = engines.start(workspace, run.name)
    try:
        client = EngineClient.wait(engine)
        found = {}
        for row in rows:
            if asked := asked_of(workspace, run, row):
                found[row.row_id] = str(client.answer(asked.messages, weights, tools=asked.tools)["text"])
        return found
    finally:
        if not there:
            engines.stop(workspace, run.name)
