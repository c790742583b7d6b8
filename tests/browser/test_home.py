"""The Home page in a real browser; the sample runs on the tiny model, through the settings of its job."""

from __future__ import annotations

import re
import shutil
import time

import pytest
from playwright.sync_api import expect

from studio import journey, runs
from studio.settings.train import TrainSettings
from tests import adapters

GIVEN = {"model": "tiny", "eval_rows": 0, "samples": 0, "keep_checkpoints": 1, "save_steps": 50}
SLOW = 120_000  # ms: four workers start one after the other
WHOLE = 30 * 60_000  # the sample on a machine that has other things to do


@pytest.fixture
def mine(start_studio, tiny):
    """A studio of the test's own, with the tiny model."""
    studio = start_studio()
    shutil.copytree(tiny, studio.workspace.models / "tiny")
    return studio


def test_a_new_user_sees_two_ways_to_begin(studio, page):
    studio.open(page)
    expect(page.get_by_role("button", name="Try the sample")).to_be_enabled()
    expect(page.locator("[data-slot=machine]")).to_contain_text("GB memory")
    expect(page.locator(".hm-fits")).to_contain_text("small additions are trained, the model stays as it is")
    expect(page.locator("[data-slot=runs]")).to_contain_text("No runs yet.")
    expect(page.get_by_text("500 to 5,000")).to_be_hidden()
    page.get_by_text("Should I fine-tune?").click()
    expect(page.get_by_text("500 to 5,000")).to_be_visible()
    page.get_by_role("link", name="Start with my data").click()
    expect(page).to_have_url(re.compile("tab=data"))
    expect(page).to_have_url(re.compile("import=1"))
    page.go_back()
    expect(page.get_by_role("button", name="Try the sample")).to_be_visible()


def test_recent_runs_live(studio, page):
    studio.open(page)
    expect(page.locator("[data-slot=runs]")).to_contain_text("No runs yet.")
    run = runs.create(studio.workspace, TrainSettings(dataset="nothing", name="<b>mine</b>"))
    row = page.locator(".hm-runs tbody tr")
    expect(row).to_contain_text("<b>mine</b>")
    expect(row.locator(".chip")).to_have_text("Failed", timeout=SLOW)  # there is no such dataset
    row.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"tab=runs&run={run.name}|run={run.name}.*tab=runs"))


def test_the_sample_from_its_first_step_to_the_proof(mine, page):
    folder = journey.start(mine.workspace, {**GIVEN, "max_steps": 3})
    mine.open(page)
    steps = page.locator(".hm-steps li")
    expect(steps).to_have_count(4)
    expect(steps.nth(0)).to_contain_text("Already here.")
    expect(page.get_by_role("heading", name="The sample")).to_be_visible()
    expect(page.locator(".hm-sentence")).to_be_visible(timeout=SLOW)
    result = journey.state(mine.workspace, folder)["result"]
    expect(page.locator(".hm-sentence")).to_have_text(result["metrics"]["exact_match"]["sentence"])
    expect(page.locator(".hm-figure")).to_have_count(2)
    expect(page.locator(".hm-pairs figure")).to_have_count(3)
    expect(page.get_by_role("link", name="Compare side by side")).to_have_attribute(
        "href", re.compile(f"tab=compare&run={result['run']}")
    )
    page.get_by_role("link", name="See every answer").click()
    expect(page).to_have_url(re.compile("tab=evaluate"))
    page.go_back()
    page.get_by_role("button", name="Hide").click()
    expect(page.locator(".hm-sample")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Try the sample")).to_be_visible()


def test_the_sample_outlives_reload_and_studio_and_can_be_stopped(mine, page, page_faults):
    page_faults.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "Failed to fetch", "503")
    folder = journey.start(mine.workspace, {**GIVEN, "max_steps": 100_000})
    mine.open(page)
    training = page.locator(".hm-steps li.running", has_text="Train on 240")
    expect(training.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"\d"), timeout=SLOW)
    mine.kill()
    expect(page.locator(".ft-silent .notice")).to_contain_text("The studio does not answer.")
    mine.start()
    expect(page.locator(".ft-silent .notice")).to_have_count(0)
    page.reload()
    expect(training).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_visible(timeout=SLOW)
    state = journey.state(mine.workspace, folder)
    assert (state["status"], state["parts"][2]["status"]) == ("stopped", "stopped")
    page.get_by_role("button", name="Go on", exact=True).click()
    expect(training).to_be_visible(timeout=SLOW)
    assert len(mine.workspace.names("runs")) == 1


@pytest.mark.full
@pytest.mark.starter
@pytest.mark.timeout(2 * WHOLE / 1000)
def test_the_sample_on_the_starter_proves_itself_by_one_click(start_studio, starter, page, capsys):
    """The whole of it as a new user sees it, on the real model: some minutes on two cores."""
    studio = start_studio()
    adapters.install(starter, studio.workspace, "starter")
    studio.open(page)
    began = time.monotonic()
    page.get_by_role("button", name="Try the sample").click()
    expect(page.locator(".hm-sentence")).to_be_visible(timeout=WHOLE)
    exact = journey.state(studio.workspace, journey.latest(studio.workspace))["result"]["metrics"]["exact_match"]
    with capsys.disabled():
        print(f"\nthe sample took {time.monotonic() - began:.0f} s: {exact['base']:.0%} to {exact['tuned']:.0%}")
    assert exact["verdict"] == "better" and exact["tuned"] > 0.4 > exact["base"]
    page.get_by_role("link", name="Compare side by side").click()
    page.locator(".ask-row").first.click()
    expect(page.locator("[data-said]")).to_have_text("Both have answered.", timeout=SLOW)
    base, tuned = page.locator(".answer-card .words").all_inner_texts()
    assert tuned.startswith("QUEUE: ") and not base.startswith("QUEUE: ")
