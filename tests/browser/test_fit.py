"""Whether a run fits, in a real browser: the measurement, the ladder on Train and beside a run, and Resume.

How much memory is free is not ours to set: where a test needs little of it, the studio's answer is changed on its way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from studio import events, logs, runs
from studio.errors import NoMemory
from studio.jobs import folder as job_folder
from studio.logs import Log
from studio.preflight import preflight
from studio.settings.train import TrainSettings
from tests.browser.filling import choose_tiny, field, typed
from tests.browser.filling import ready as ready

SETTINGS = {"dataset": "questions", "model": "tiny", "tokens_per_pass": 400, "batch_size": 16, "max_steps": 4}


@pytest.fixture
def train(ready, studio, page):
    """The page with dataset, model and a short run that could be made smaller."""
    studio.open(page, tab="train", dataset="questions")
    choose_tiny(page)
    page.get_by_role("button", name="Show all settings").click()
    typed(page, "tokens_per_pass").fill("400")
    typed(page, "batch_size").fill("16")
    typed(page, "max_steps").fill("4")
    expect(page.locator(".pf-state")).to_have_text("")
    return page


def answer(page: Page, change: Callable[..., None], whole: bool = False) -> None:
    """Changes the facts in the studio's answers from now on, or the `whole` of them."""

    def changed(route: Route) -> None:
        response = route.fetch()
        found = response.json()
        change(found if whole else found["facts"])
        route.fulfill(response=response, body=json.dumps(found))

    page.route("**/studio/train/look", changed)


def test_a_run_is_measured_on_demand_and_both_figures_are_shown(train):
    expect(train.locator(".pf-figures")).to_contain_text("Memory, estimated")
    train.get_by_role("button", name="Measure whether it fits").click()
    expect(train.locator(".fit-job")).to_contain_text("Measuring whether it fits")
    expect(train.locator(".fit-job")).to_contain_text("It fits: at most", timeout=60_000)
    for words in ("Memory, estimated", "Memory, measured", "measured"):
        expect(train.locator(".pf-figures")).to_contain_text(words)
    typed(train, "batch_size").fill("8")
    expect(train.locator(".pf-figures")).not_to_contain_text("Memory, measured")


def test_what_no_longer_fits_is_neither_shown_nor_started(train, page_faults):
    """Both follow the studio's new choice when less is free than the measured way takes."""
    typed(train, "method.rank").fill("5")
    train.get_by_role("button", name="Measure whether it fits").click()
    expect(train.locator(".fit-job")).to_contain_text("It fits: at most", timeout=60_000)
    expect(train.locator(".pf-figures")).to_contain_text(re.compile("Recomputation\\s*off"))

    def less(found):
        found["facts"].update(free_gb=0.01, measured=None)
        found["settings"]["recompute"] = True
        found["reasons"]["recompute"] = "Little is free."

    answer(train, less, whole=True)
    typed(train, "name").fill("another look")
    typed(train, "name").fill("")
    expect(train.locator(".pf-figures")).to_contain_text(re.compile("Recomputation\\s*on.*Little is free"))
    expect(field(train, "recompute").locator(".form-chosen")).to_contain_text("Little is free")
    page_faults.allow("/studio/train/start")  # it is kept from the studio: no run takes the device from other tests
    train.route("**/studio/train/start", lambda route: route.abort())
    with train.expect_request("**/studio/train/start") as asked:
        train.locator(".pf-start").click()
    assert asked.value.post_data_json["measured"] == ""


def test_where_the_estimate_is_near_start_measures_first(train, studio):
    """Once, and the run says why it is as it is, also where the studio still calls it near."""
    answer(train, lambda facts: facts.update(near=True))
    typed(train, "name").fill("measured first")
    typed(train, "method.rank").fill("3")
    expect(train.locator(".pf-state")).to_have_text("")
    train.get_by_role("button", name="Start training").click()
    expect(train.get_by_role("button", name="Starts if it fits")).to_be_disabled()
    train.wait_for_url(re.compile(r"run=\d{8}"), timeout=60_000)
    (run,) = [run.id for run in runs.list_runs(studio.workspace) if run.name == "measured first"]
    assert "recompute" in logs.read(studio.workspace.runs / run / events.EVENTS)[0][0]["reasons"]


def test_beside_start_it_is_said_that_nothing_was_measured_while_the_device_is_taken(train):
    answer(train, lambda found: (found["facts"].update(near=True), found.update(busy=True)), whole=True)
    typed(train, "method.rank").fill("6")
    expect(train.locator(".pf-hint")).to_contain_text("it may end for want of memory")
    expect(train.get_by_role("button", name="Start training")).to_be_enabled()


def test_the_ladder_is_taken_by_a_click_and_taken_back(train):
    answer(train, lambda facts: facts.update(too_big=True, free_gb=0.5))
    typed(train, "method.rank").fill("2")
    ladder = train.locator(".fit-ladder")
    expect(ladder).to_contain_text("Ways to need less memory")
    expect(ladder).to_contain_text("in more passes; a step learns from the same rows")
    expect(train.get_by_role("button", name="Start anyway")).to_be_enabled()
    ladder.get_by_role("button", name="Take it: Smaller passes").click()
    expect(typed(train, "tokens_per_pass")).not_to_have_value("400")
    expect(typed(train, "method.rank")).to_have_value("2")
    train.get_by_role("button", name="Undo").click()
    expect(typed(train, "tokens_per_pass")).to_have_value("400")


def ran_out(studio, name: str, method: str = "lora"):
    """A run that ended for want of memory."""
    given = SETTINGS | {"name": name, "method": {"name": method}}
    settings = preflight(studio.workspace, TrainSettings.model_validate(given)).settings
    folder = runs.create(studio.workspace, settings, total_steps=4)
    with Log(folder / events.EVENTS) as log:
        log.append("starting", pid=1)
        log.append("failed", **NoMemory("The memory ran out.", "The system ended it.", "Take less.").as_dict())
    return folder


def test_beside_a_run_that_ran_out_a_rung_makes_a_new_one(ready, studio, page):
    folder = ran_out(studio, "too big", "full")
    studio.open(page, tab="runs", run=folder.name)
    expect(page.get_by_role("alert")).to_contain_text("The memory ran out.")
    page.get_by_role("button", name="New run with it: 8-bit optimizer").click()
    expect(page).to_have_url(re.compile("tab=train"))
    expect(page.locator("[data-slot=dataset]")).to_contain_text("questions")
    expect(typed(page, "batch_size")).to_have_value("16")
    expect(field(page, "optimizer").get_by_label("AdamW, 8 bits")).to_be_checked()


def test_a_run_that_ran_out_resumes_with_what_learns_the_same(ready, studio, page):
    folder = ran_out(studio, "smaller passes")
    studio.open(page, tab="runs", run=folder.name)
    page.get_by_role("button", name="Take it and resume: Smaller passes").click()
    expect(page.locator(".timeline")).to_contain_text("In the queue again.")
    expect(page.locator("ft-ladder")).to_have_count(0)
    assert runs.settings_of(folder).tokens_per_pass < 400
    assert job_folder.status(folder) in ("queued", "running", "finished")
