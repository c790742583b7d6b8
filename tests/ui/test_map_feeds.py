"""Which map the page shows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import events, logs
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from tests.sets import make_set
from ui import map_feeds


@pytest.fixture
def shown(workspace):
    """What the page is told of the map of a dataset."""
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    make_set(workspace, "letters", [row])
    app = FastAPI()
    app.include_router(map_feeds.router(workspace))
    page = TestClient(app)
    return lambda: page.get("/studio/datasets-map/letters/map").json()


def mapped(workspace, end: str, x: float = 0.0) -> str:
    """A job that maps the dataset and came to that end."""
    settings = {"dataset": "letters", "version": 1, "by": "words", "model": None}
    made = job_folder.create(workspace, "map_rows", settings, "letters")
    folder = made.rename(workspace.jobs / f"map-{len(workspace.names('jobs'))}")  # names have the second they are of
    ids = [row.row_id for row in Dataset.open(workspace, "letters").rows()]
    if end == "finished":
        pq.write_table(pa.table({"row_id": ids, "x": [x] * len(ids), "y": [x] * len(ids)}), folder / "map.parquet")
    with logs.Log(folder / events.EVENTS) as log:
        log.append(end)
    return folder.name


@pytest.mark.parametrize("end", ["failed", "stopped"])
def test_a_map_that_was_not_finished_hides_no_finished_one(workspace, shown, end):
    assert shown() == {"points": None, "job": None}
    first = mapped(workspace, end)
    assert shown() == {"points": None, "job": first}
    mapped(workspace, "finished", 0.25)
    assert (shown()["points"][0]["x"], shown()["job"]) == (0.25, None)
    last = mapped(workspace, end)
    assert (shown()["points"][0]["x"], shown()["job"]) == (0.25, last)
    mapped(workspace, "finished", 0.5)
    assert (shown()["points"][0]["x"], shown()["job"]) == (0.5, None)
