"""What the list of rows is fed with: choices, combinations of them, and how it stands with the index."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from studio.datasets.browsing import index
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.jobs import follow, local
from studio.settings.importing import ImportSettings
from ui import dataset_feeds, row_feeds, row_pictures
from ui.telling import words

ROWS = 60


@pytest.fixture
def page(workspace, tmp_path):
    source = tmp_path / "rows.csv"
    lines = [f"Text {n} {'long ' * (n % 7)},{'ab'[n % 2]},{'calm' if n % 3 else 'dry'}\n" for n in range(ROWS)]
    source.write_text("text,label,tone\n" + "".join(lines))
    import_file(workspace, ImportSettings(source=[str(source)], name="set"))
    app = FastAPI()
    app.include_router(row_feeds.router(workspace))
    app.include_router(dataset_feeds.router(workspace))
    app.add_exception_handler(StudioError, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    yield TestClient(app)
    for child in local._children:
        child.wait(60)
    local.reap()


def rows(page, **asked):
    return page.get("/studio/datasets/set/rows", params=asked).json()


def test_what_rows_can_be_chosen_by(page):
    told = page.get("/studio/datasets/set/choices").json()
    assert told == {
        "label": [["a", 30], ["b", 30]],
        "tags": {"tone": [["calm", 40], ["dry", 20]]},
        "file": [["rows.csv", ROWS]],
        "tokens": [],
        "ready": True,
    }


def test_everything_is_combined(page):
    found = rows(page, find="TEXT", label="a", tags="tone=calm", file="rows.csv", sorted="-characters")
    assert (found["total"], found["exact"], found["index"]["state"]) == (20, True, "none")
    lengths = [len(row["messages"][0]["content"]) for row in found["rows"]]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > lengths[-1]
    second = found["rows"][1]["id"]
    asked = {"find": "TEXT", "label": "a", "tags": "tone=calm", "sorted": "-characters"}
    place = page.get(f"/studio/datasets/set/rows/{second}", params=asked).json()["place"]
    assert (place["number"], place["total"]) == (2, 20)
    assert (place["previous"], place["next"]) == (found["rows"][0]["id"], found["rows"][2]["id"])
    assert rows(page, tags="tone=%3Cb%3E")["total"] == 0 and rows(page, tags="&&=")["total"] == ROWS


def test_excluded_and_changed_rows_are_sides_of_their_own(page, workspace):
    ids = [row["id"] for row in rows(page)["rows"]]
    reviews = Reviews(Dataset.open(workspace, "set"))
    reviews.exclude(ids[3])
    reviews.apply([{"type": "tag", "row": ids[5], "tags": {"tone": "warm"}}])
    assert [row["id"] for row in rows(page, side="excluded")["rows"]] == [ids[3]]
    assert [row["id"] for row in rows(page, side="changed")["rows"]] == [ids[3], ids[5]]
    assert [row["id"] for row in rows(page, side="changed", sorted="changed")["rows"]] == [ids[5], ids[3]]
    assert rows(page, tags="tone=warm")["total"] == 1
    assert ["warm", 1] in page.get("/studio/datasets/set/choices").json()["tags"]["tone"]
    assert ["warm", 1] not in page.get("/studio/datasets/set/choices?version=1").json().get("none", [])


def test_a_large_set_says_how_it_stands_with_its_index(page, workspace, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 10)
    first = rows(page, find="text 33")
    assert (first["total"], first["index"]) == (1, {"state": "missing", "job": "", "columns": False})
    assert page.get("/studio/datasets/set/choices").json()["ready"] is False
    assert page.get("/studio/datasets/set").json()["groups"] == {}
    started = page.post("/studio/datasets/set/index").json()
    assert started["state"] == "building"
    job = workspace.jobs / started["job"]
    follow.result(job, follow.follow(workspace, job))
    assert rows(page, find="text 33")["index"]["state"] == "ready"
    assert page.get("/studio/datasets/set/choices").json()["ready"] is True
    assert page.get("/studio/datasets/set").json()["groups"]["tone"] == [["calm", 40], ["dry", 20]]
    assert page.post("/studio/datasets/set/index").json()["state"] == "ready"


def test_a_job_that_failed_is_said_and_can_be_tried_again(page, workspace, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 10)
    folder = workspace.datasets / "set" / "index" / "0001"
    folder.mkdir(parents=True)
    (folder / "columns").write_text("in the way of a folder")
    job = workspace.jobs / page.post("/studio/datasets/set/index").json()["job"]
    follow.follow(workspace, job)
    assert rows(page)["index"] == {"state": "failed", "job": job.name, "columns": False}
    assert len(rows(page)["rows"]) == 20
    (folder / "columns").unlink()
    again = page.post("/studio/datasets/set/index").json()
    follow.follow(workspace, workspace.jobs / again["job"])
    assert rows(page)["index"]["state"] == "ready"


def test_counts_and_labels_are_those_of_the_rows_as_they_shall_be(page, workspace):
    first = rows(page)["rows"][0]["id"]
    about = page.get(f"/studio/datasets/set/rows/{first}").json()
    assert about["labels"] == ["a", "b"]
    counts = page.get("/studio/datasets/set").json()["counts"]
    reviews = Reviews(Dataset.open(workspace, "set"))
    reviews.edit(first, [{"of": "label", "text": "c"}])
    side = "test" if about["row"]["split"] == "train" else "train"
    reviews.apply([{"type": "move", "row": first, "split": side}])
    told = page.get("/studio/datasets/set").json()
    assert told["groups"]["label"] == [["b", 30], ["a", 29], ["c", 1]]
    assert told["counts"][side] == counts[side] + 1 and sum(told["counts"].values()) == ROWS
    assert page.get(f"/studio/datasets/set/rows/{first}").json()["labels"] == ["b", "a", "c"]


def test_the_tools_of_a_row_are_told_where_it_is_shown_whole():
    tool = {"type": "function", "function": {"name": "find_room", "description": "Finds a free room."}}
    row = Row("r", "chat", messages=[{"role": "user", "content": "q"}], tools=[tool])
    whole, short = row_pictures.picture(row), row_pictures.picture(row, short=True)
    assert whole["tools"] == short["tools"] == ["find_room"] and "definitions" not in short
    assert json.loads(whole["definitions"][0]) == tool
