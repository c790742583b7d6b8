"""What the review queue is fed with."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from studio.datasets.importing.steps import import_file
from studio.datasets.versions.freezing import freeze
from studio.errors import StudioError
from studio.settings.importing import ImportSettings
from tests import adapters
from ui import review_feeds
from ui.telling import words

PATH = "/studio/datasets-review/mails"


@pytest.fixture
def page(workspace, tmp_path):
    source = tmp_path / "mails.jsonl"
    source.write_text("".join(json.dumps({"text": f"lamp {n}", "label": "ab"[n % 2]}) + "\n" for n in range(6)))
    import_file(workspace, ImportSettings(source=str(source), name="mails", split="train=1"))
    app = FastAPI()
    app.include_router(review_feeds.router(workspace))
    app.add_exception_handler(StudioError, lambda _, error: JSONResponse({"error": words(error)}, status_code=409))
    return TestClient(app)


def judge(page, key: str, row: str, status: str, by: str = "Ann", seen: int = 0, **more):
    item = {"key": key, "of": [{"row": row, "seen": seen}], "status": status, "made": 1.0} | more
    return page.post(f"{PATH}/judge", json={"by": by, "items": [item]}).json()


def cards(page, **query):
    return page.get(f"{PATH}/rows", params={"by": "Ann"} | query).json()


def test_from_a_stretch_to_judgements_and_their_undo(page):
    found = cards(page, limit=2)
    assert [card["place"] for card in found["cards"]] == [0, 1] and (found["next"], found["end"]) == (2, False)
    one, two = found["cards"]
    assert (one["row"]["label"], one["after"]["text"], one["before"], one["row"]["changed"]) == (
        "a",
        "lamp 1",
        None,
        False,
    )
    done = judge(page, "first-key", one["id"], "accepted", label="b")
    assert done["items"] == [{"key": "first-key", "number": 1, "conflicts": []}] and done["counts"]["accepted"] == 1
    (told,) = judge(page, "other-key", one["id"], "discarded", by="Bob")["items"]
    assert told["conflicts"][0]["judgement"]["by"] == "Ann" and told["conflicts"][0]["judgement"]["label"] == "b"
    (wrong,) = judge(page, "third-key", "nothing", "accepted")["items"]
    assert "no row" in wrong["error"]["what"].lower()
    assert page.get(f"{PATH}/last", params={"by": "Ann"}).json() == {"key": "first-key", "row": one["id"]}
    (kept,) = page.get(f"{PATH}/judgements.jsonl").text.splitlines()
    assert json.loads(kept)["row_id"] == one["id"] and json.loads(kept)["label"] == "b"
    page.post(f"{PATH}/judge", json={"by": "Ann", "items": [{"key": "u", "undo": "first-key", "row": one["id"]}]})
    about = page.get(PATH, params={"by": "Ann", "since": 0}).json()
    assert (about["counts"]["pending"], about["kind"], about["last"]) == (6, "label", 2)
    assert about["guidelines"]["labels"] == ["a", "b"] and about["changed"] == []
    assert page.get(f"{PATH}/rows/{two['id']}").json()["id"] == two["id"]


def test_a_row_that_left_the_dataset_holds_up_no_other(page, workspace):
    gone, other = (card["id"] for card in cards(page, limit=2)["cards"])
    judge(page, "leaves-it", gone, "discarded")
    freeze(workspace, "mails")
    items = [{"key": f"late-key-{row}", "of": [{"row": row, "seen": 0}], "status": "accepted"} for row in (gone, other)]
    told = page.post(f"{PATH}/judge", json={"by": "Bob", "items": items}).json()["items"]
    assert "no row" in told[0]["error"]["what"] and told[1]["number"] == 2
    # What was taken in is, however late it is sent again.
    assert judge(page, "leaves-it", gone, "discarded")["items"][0]["number"] == 1


def test_rows_alike_found_and_guidelines(page):
    first = cards(page, limit=1)["cards"][0]["id"]
    alike = page.get(f"{PATH}/alike", params={"row": first}).json()["cards"]
    assert alike[0]["id"] == first and alike[0]["share"] == 1 and len(alike) == 6
    assert len(page.get(f"{PATH}/alike", params={"find": "lamp 3"}).json()["cards"]) == 1
    made = page.post(f"{PATH}/guidelines", json={"guidelines": {"labels": ["x"]}, "seen": 0}).json()
    assert (made["labels"], made["revision"]) == (["x"], 1)
    late = page.post(f"{PATH}/guidelines", json={"guidelines": {}, "seen": 0})
    assert late.status_code == 409 and "changed meanwhile" in late.json()["error"]["what"]
    assert page.get(f"{PATH}/agreement").json()["questions"] == []
    assert cards(page, order="loss", run="none").keys() == {"error"}


def test_the_models_of_runs_on_the_dataset_can_be_asked_about_a_row(page, workspace, tiny):
    adapters.install(tiny, workspace)
    older, newer, other = (adapters.run(workspace, dataset, "tiny") for dataset in ("mails", "mails", "others"))
    adapters.run(workspace, "mails", "tiny")  # it has no weights
    for run in (older, newer, other):
        (run / "adapter").mkdir()
    sources = [source["id"] for source in page.get(PATH).json()["sources"]]
    newest = sorted((older, newer), reverse=True)[0].name
    assert set(sources) == {f"live:{older.name}:tuned", f"live:{newer.name}:tuned", f"live:{newest}:base"}
    row = cards(page, source=sources[0], limit=1)["cards"][0]
    assert row["suggestion"] is None  # it is asked when the row is looked at
    asked = page.get(f"{PATH}/rows/{row['id']}/question", params={"run": newest}).json()
    assert [turn["content"] for turn in asked["messages"]] == ["lamp 0"]
    judge(page, "other-words", row["id"], "accepted", texts=[{"of": "messages", "at": 0, "text": "lamp zero"}])
    again = page.get(f"{PATH}/rows/{row['id']}/question", params={"run": newest}).json()
    assert again["messages"][-1]["content"] == "lamp zero"
