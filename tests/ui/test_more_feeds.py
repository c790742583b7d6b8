"""Who writes more rows, unless somebody else is chosen."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import events, logs
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
