"""Who writes more rows, unless somebody else is chosen."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import events, logs
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from tests.sets import make_set
from ui import more_feeds


@pytest.fixture
def best(workspace):
    """The writer that the page chooses, asked of its route."""
    make_set(
        workspace, "letters", [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    )
    app = FastAPI()
    app.include_router(more_feeds.router(workspace))
    page = TestClient(app)
    return lambda: page.get("/studio/datasets-more/letters").json()["best"]


def test_rows_that_were_sought_are_written_after(workspace, monkeypatch):
    talks = [(f"parcel {n}" if n < 6 else f"bill {n}", "test" if n == 0 else "train") for n in range(12)]
    turns = [
        ([{"role": "user", "content": asked}, {"role": "assistant", "content": "so"}], side) for asked, side in talks
    ]
    make_set(workspace, "letters", [{"messages": said, "split": side} for said, side in turns])
    monkeypatch.setattr(more_feeds.queue, "advance", lambda _: None)
    app = FastAPI()
    app.include_router(more_feeds.router(workspace))
    page = TestClient(app)
    path = "/studio/datasets-more/letters"
    assert page.get(path).json()["matching"] is None
    assert page.get(path, params={"find": "parcel"}).json()["matching"] == 5
    assert page.get(path, params={"find": "parcel", "side": "test"}).json()["matching"] == 0
    job = page.post(path, params={"find": "parcel"}, json={"count": 3, "seed": 4}).json()["job"]
    rows = job_folder.read_settings(workspace.jobs / job)["rows"]
    found = Dataset.open(workspace, "letters").find(None, rows)
    assert len(found) == 3 and {row.split for row in found.values()} == {"train"}
    assert all("parcel" in row.messages[0]["content"] for row in found.values())


def model(workspace, name: str, size: int) -> None:
    folder = workspace.models / name
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"0" * size)


def run(workspace, dataset: str, weights: bool = True) -> str:
    folder = job_folder.create(workspace, "train", {"dataset": dataset, "model": "starter"}, dataset)
    with logs.Log(folder / events.EVENTS) as log:
        log.append("finished" if weights else "stopped")
    if weights:
        (folder / "adapter").mkdir()
    return folder.name


def test_the_largest_model_writes_and_the_starter_gives_way_to_what_was_tuned_on_the_rows(workspace, best):
    assert best() == ""
    model(workspace, "starter", 10)
    assert best() == "starter"
    run(workspace, "other")
    assert best() == "starter"
    tuned = run(workspace, "letters")
    run(workspace, "letters", weights=False)  # newer, and stopped before it had learned anything
    assert best() == tuned
    model(workspace, "larger", 20)
    assert best() == "larger"
