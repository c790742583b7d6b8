"""Two runs of the tiny model that answer differently, and what a person does on the Compare page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import adapters
from tests.backend.conftest import dataset

ASK = "Where is my parcel?"
LOADING_MS = 90_000


@pytest.fixture(scope="module")
def runs(studio_of_file, tiny, tmp_path_factory) -> list[str]:
    """Two runs on a dataset with 20 held-out rows."""
    workspace = studio_of_file.workspace
    model = adapters.install(tiny, workspace)
    dataset(workspace, tmp_path_factory.mktemp("rows"))
    made = []
    for seed in (1, 2):
        folder = adapters.run(workspace, "desk", "tiny")
        adapters.adapter(model, folder / "adapter", seed=seed)
        made.append(folder.name)
    return made


@pytest.fixture
def studio(chromium, studio_of_file):
    """The file's studio; engines stay warm from test to test, as they do for people."""
    return studio_of_file


def opened(studio, page, **query):
    studio.open(page, tab="compare", **query)
    expect(page.locator("#compare-prompt")).to_be_visible()
    return page


def longest(page, tokens):
    if not page.locator("[name=max_new_tokens]").is_visible():
        page.locator(".options > summary").click()
    page.locator("[name=max_new_tokens]").fill(str(tokens))
    page.locator(".options > summary").click()


def ask(page, prompt=ASK):
    page.locator("#compare-prompt").fill(prompt)
    page.keyboard.press("Control+Enter")


def answered(page):
    """Waits until both sides have ended; the engine may have to load first."""
    expect(page.locator("[data-said]")).to_have_text("Both have answered.", timeout=LOADING_MS)
    expect(page.locator("[data-stop]")).to_be_hidden()


def words(page, turn=-1):
    return page.locator(".turn").nth(turn).locator(".answer-card .words").all_inner_texts()
