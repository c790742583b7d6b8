"""What split, tags and mixtures are fed with on the page."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.datasets.browsing import index
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.splitting import plans
from studio.datasets.store import Dataset
from studio.errors import StudioError
from studio.jobs import folder as job_folder
from studio.jobs import follow
from studio.settings.splitting import SplitSettings
from tests.sets import make_set
from tests.studio.datasets.splitting.test_grouping import talk
from ui import mix_feeds, split_feeds, tag_feeds
from ui.page import _in_words


@pytest.fixture
def page(workspace):
    rows = [talk(f"q{n}", "a", patient=f"P{n % 3}", split=("train", "test")[n % 2]) for n in range(12)]
    make_set(workspace, "letters", rows)
    app = FastAPI()
    for feeds in (split_feeds, tag_feeds, mix_feeds):
        app.include_router(feeds.router(workspace))
    app.add_exception_handler(StudioError, _in_words)
    return TestClient(app)


def planned(workspace, **given):
    settings = SplitSettings(dataset="letters", near=False, **given)
    folder = job_folder.create(workspace, "split", settings.model_dump(mode="json"))
    return folder, settings


def reviewers(workspace):
    """Who did what was last done to rows."""
    log = Reviews(Dataset.open(workspace, "letters")).log()
    return {deed.get("by") for deed in log.standing[log.last]}


def test_a_tag_by_rule_is_kept_with_the_name_of_who_gave_it(page, workspace):
    rule = {"tag": "who", "from_column": "patient"}
    page.post("/studio/datasets-tags/letters/apply", json=rule | {"by": " Ann "})
    assert reviewers(workspace) == {"Ann"}
    page.post("/studio/datasets-tags/letters/apply", json=rule | {"tag": "whose"})
    assert reviewers(workspace) == {None}
    assert page.post("/studio/datasets-tags/letters/apply", json=rule | {"by": "A" * 81}).status_code == 409


def test_the_columns_to_go_by_and_a_plan_from_its_making_to_its_moves(page, workspace):
    state = page.get("/studio/datasets-split/letters").json()
    assert state["columns"] == [{"name": "patient", "values": 3, "rows": 12, "sample": 12, "some": ["P0", "P1", "P2"]}]
    assert state["checked"] is None and state["counts"] == {"train": 6, "validation": 0, "test": 6}
    folder, settings = planned(workspace, by="group", column="patient")
    route = f"/studio/datasets-split/letters/plans/{folder.name}"
    assert page.get(route).json() == {"making": True}
    plans.save(plans.plan(Dataset.open(workspace, "letters"), settings, lambda *_: None), folder)
    told = page.get(route).json()
    assert told["leaks"]["clean"] and told["settings"]["column"] == "patient" and told["words"]["near"]
    assert page.post(route, json={"by": "Ann"}).json() == {"moved": told["moved"], "number": 1}
    assert reviewers(workspace) == {"Ann"}
    assert page.post(route).json()["error"]["what"] == "This plan is out of date."
    assert len(Reviews(Dataset.open(workspace, "letters")).pending()) == told["moved"]


def test_a_plan_of_another_dataset_is_not_applied(page, workspace):
    make_set(workspace, "other", [talk("x", "y")])
    folder, _ = planned(workspace)
    answer = page.post(f"/studio/datasets-split/other/plans/{folder.name}")
    assert answer.status_code == 409 and "another dataset" in answer.json()["error"]["what"]


def test_bulk_takes_the_words_of_the_list_s_address(page, workspace):
    assert page.get("/studio/datasets-tags/letters/bulk?side=test").json() == {"count": 6}
    done = page.post("/studio/datasets-tags/letters/bulk?find=q1", json={"type": "exclude", "by": "Ann"}).json()
    assert reviewers(workspace) == {"Ann"}
    assert done == {"changed": 3, "kept": 0, "number": 1}  # q1, q10 and q11
    assert page.get("/studio/datasets-tags/letters/bulk?side=excluded").json() == {"count": 3}
    answer = page.post("/studio/datasets-tags/letters/bulk", json={"type": "move", "split": "test", "rows": "all"})
    assert answer.status_code == 409


def test_labels_and_tags_are_read_of_the_parts_alone(page, workspace):
    make_set(workspace, "others", [talk("q", "a", tags={"tone": "calm"})])
    make_set(workspace, "tagged", [talk("q", "a", tags={"tone": "dry"})])

    def groups(**query):
        return {item["name"]: item["groups"] for item in page.get("/studio/mixes", params=query).json()["datasets"]}

    assert groups() == {"letters": {}, "others": {}, "tagged": {}}
    assert groups(of=["letters", "tagged"]) == {"letters": {}, "others": {}, "tagged": {"tone": [["dry", 1]]}}


def test_a_recipe_is_looked_at_and_what_is_wrong_with_it_is_said(page):
    there = page.get("/studio/mixes").json()
    assert [item["name"] for item in there["datasets"]] == ["letters"]
    told = page.post("/studio/mixes/look", json={"name": "m", "parts": ["letters=2"], "by": "weights"}).json()
    assert told["counts"] == {"train": 12, "validation": 0, "test": 6} and told["model"] is None
    wrong = page.post("/studio/mixes/look", json={"name": "m", "parts": ["nobody"]}).json()
    assert "no dataset" in wrong["error"]["what"]
    assert page.get("/studio/mixes/letters").status_code == 409


def test_work_on_all_rows_of_a_large_dataset_is_done_by_jobs_and_gives_the_same(page, workspace, monkeypatch):
    def worked(path, **body):
        job = page.post(path, json=body).json()["job"]
        state = follow.follow(workspace, workspace.jobs / job)
        assert state.phase == "finished", state.error
        return state.result

    rule = {"tag": "who", "from_column": "patient"}
    recipe = {"name": "m", "parts": ["letters=2"], "by": "weights"}
    small = [page.post(f"/studio/{path}/look", json=body).json() for path, body in (
        ("datasets-tags/letters", rule), ("mixes", recipe),
    )]  # fmt: skip
    monkeypatch.setattr(index, "LARGE", 12)
    looked = worked("/studio/datasets-tags/letters/look", **rule)
    assert looked["found"] == small[0] and looked["rule"]["from_column"] == "patient"
    assert Reviews(Dataset.open(workspace, "letters")).pending() == {}
    assert page.post("/studio/mixes/look", json=recipe).json() == {"large": 12}
    assert worked("/studio/mixes/look", **recipe, patient=True)["found"] == small[1]
    done = worked("/studio/datasets-tags/letters/apply", **rule, by="Ann")
    assert reviewers(workspace) == {"Ann"}
    assert (done["tagged"], done["number"]) == (12, 1)
    assert {change.tags["who"] for change in Reviews(Dataset.open(workspace, "letters")).pending().values()} == {
        "P0", "P1", "P2",
    }  # fmt: skip
