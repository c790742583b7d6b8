"""The main job by clicks alone, from a fresh workspace: one file, at most six clicks, two answers side by side."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from studio import runs
from tests.browser.test_fit import answer

LOADING_MS = 90_000
CLICKS = 6
CITIES = ("Rome", "Lima", "Oslo", "Cairo", "Quito", "Hanoi", "Accra", "Sofia", "Minsk", "Dakar")
TABLE = "question,answer\n" + "".join(
    f"Is there a tram to the {place} in {city}?,Line {number + 1}: {city} {place}\n"
    for number, city in enumerate(CITIES)
    for place in ("harbour", "station", "market", "museum", "park", "zoo")
)


class Hand:
    """Clicks as a person does, and counts them."""

    def __init__(self) -> None:
        self.clicked: list[str] = []

    def click(self, target: Locator) -> None:
        self.clicked.append(target.inner_text().strip().splitlines()[0])
        target.click()


def button(page: Page, name: str) -> Locator:
    """What is clicked by its words, on the tab that is open."""
    both = page.get_by_role("button", name=name, exact=True).or_(page.get_by_role("link", name=name, exact=True))
    return both.filter(visible=True)


@pytest.fixture
def fresh(start_studio, tiny):
    """A studio with nothing in it but a model: what the starter is for those who let it be fetched."""
    studio = start_studio()
    shutil.copytree(tiny, studio.workspace.models / "tiny")
    return studio


def test_from_a_file_to_two_answers_in_six_clicks(fresh, page):
    hand = Hand()
    fresh.open(page)
    hand.click(button(page, "Start with my data"))
    page.set_input_files("#ft-file", {"name": "trams.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    hand.click(button(page, "Import"))
    hand.click(button(page, "Train with it"))
    expect(page.locator(".pf-start")).to_be_enabled()
    hand.click(button(page, "Start training"))
    expect(page).to_have_url(re.compile("tab=runs"))
    compare = page.locator("ft-run").get_by_role("button", name="Compare", exact=True)
    expect(compare).to_be_visible(timeout=LOADING_MS)
    hand.click(compare)
    row = page.locator(".ask-row").first
    asked = row.locator(".two-lines").inner_text()
    hand.click(row)
    assert len(hand.clicked) <= CLICKS, hand.clicked

    expect(page.locator("ft-compare [data-said]")).to_have_text("Both have answered.", timeout=LOADING_MS)
    expect(page.locator(".asked .words")).to_have_text(asked)
    expect(page.locator(".expected .words")).to_have_text(re.compile(r"^Line \d+: "))
    expect(page.locator(".answer-card .stamp")).to_have_count(2)
    assert page.locator(".stamp.base").count() == page.locator(".stamp.tuned").count() == 1

    page.get_by_role("tab", name="Evaluate").click()
    page.locator("ft-evaluate").get_by_role("button", name="Evaluate", exact=True).click()
    expect(page.locator(".verdict .word")).to_be_visible(timeout=LOADING_MS)
    expect(page.locator("table.rows tbody tr")).to_have_count(6)


def from_a_folder(page: Page, folder: Path) -> None:
    """What is fetched comes from a folder, under another name, as no test reaches the network."""
    given = json.dumps({"source": str(folder), "name": "tiny"})
    page.route("**/studio/models/add", lambda route: route.continue_(post_data=given))


def test_the_token_view_fetches_the_starter_where_there_is_no_model(start_studio, tiny, page):
    studio = start_studio()
    from_a_folder(page, tiny)
    studio.open(page, tab="data", **{"import": "1"})
    page.set_input_files("#ft-file", {"name": "trams.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    button(page, "Import").click()
    page.locator("[data-row]").first.click()
    button(page, "Tokens").click()
    button(page, "Download the starter (93 MB)").click()
    expect(page.locator(".ft-tokenview .trained").first).to_be_visible(timeout=LOADING_MS)


def with_a_model_to_fetch(studio, page, tiny):
    """Train, with a dataset of its own and a model that Start has to fetch first."""
    from_a_folder(page, tiny)
    studio.open(page, tab="data", **{"import": "1"})
    page.set_input_files("#ft-file", {"name": "trams.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    button(page, "Import").click()
    button(page, "Train with it").click()
    expect(page.locator(".pf-start")).to_have_text("Download the model and start")


def test_start_fetches_a_model_that_is_not_here_yet(start_studio, tiny, page):
    """The click that says so downloads it, and starts the run whatever is looked at meanwhile."""
    studio = start_studio()
    with_a_model_to_fetch(studio, page, tiny)
    elsewhere = []
    at_work = {"status": "running", "events": [], "offset": 0, "progress": None, "text": "Downloading"}
    page.route("**/studio/jobs/jobs/*", lambda route: route.continue_() if elsewhere else route.fulfill(json=at_work))
    page.locator(".pf-start").click()
    expect(page.locator("ft-train ft-job")).to_contain_text("Downloading")
    page.get_by_role("tab", name="Settings").click()
    elsewhere.append(True)
    expect(page.get_by_text("Training has started.")).to_be_visible(timeout=LOADING_MS)
    expect(page).to_have_url(re.compile("tab=settings"))
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page).to_have_url(re.compile("tab=runs.*run=|run=.*tab=runs"), timeout=LOADING_MS)
    expect(page.locator("ft-run .title")).to_contain_text("trams")
    (run,) = studio.workspace.names("runs")
    assert runs.settings_of(studio.workspace.runs / run).model == "tiny"


def test_what_proves_too_big_once_it_is_fetched_is_not_started(start_studio, tiny, page):
    studio = start_studio()
    answer(page, lambda facts: facts.update(near=False, too_big="memory_gb" in facts))
    with_a_model_to_fetch(studio, page, tiny)
    page.locator(".pf-start").click()
    expect(page.locator(".pf-start")).to_have_text("Start anyway", timeout=LOADING_MS)
    expect(page.locator(".pf-start")).to_be_enabled()
    assert studio.workspace.names("runs") == []
