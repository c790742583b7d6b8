"""The header says what is at work, whatever it is, and leads to it; in a real browser."""

from __future__ import annotations

import re

import pytest
from filelock import FileLock
from playwright.sync_api import expect

from studio import runs
from studio.jobs import folder as job_folder
from studio.jobs import queue
from studio.logs import Log
from studio.settings.train import TrainSettings

LONG_SILENCE = """dispatchEvent(new CustomEvent('ft-heard', { detail: {
  what: 'The studio does not answer.', why: 'It was closed, or is being restarted. Runs go on without it.',
  next: 'Start it again: python3 launch.py. This page goes on by itself then.', unanswered: true } }))"""


@pytest.fixture
def at_work():
    """Jobs as their workers hold them, until the end of the test."""
    locks = []

    def begin(folder):
        with Log(folder / "events.jsonl") as log:
            log.append("starting", pid=0)
        locks.append(FileLock(folder / job_folder.LOCK, is_singleton=False))
        locks[-1].acquire()

    yield begin
    for lock in locks:
        lock.release()


def test_what_is_at_work_is_said_and_led_to(studio, page, at_work):
    space = studio.workspace
    where = page.locator("ft-header .where")
    importing = job_folder.create(space, "import_data", {"name": "mails"})
    at_work(importing)
    studio.open(page)
    expect(where).to_contain_text("importing “mails”")
    expect(where).not_to_contain_text("training")
    run = runs.create(space, TrainSettings(dataset="mails", name="<b>First</b> try"))
    at_work(run)
    with queue.take_device(space, run):
        expect(where).to_contain_text(re.compile("training “<b>First</b> try” · importing “mails”"))
        where.get_by_role("link", name="training “<b>First</b> try”").click()
        expect(page).to_have_url(re.compile(f"run={run.name}"))
    with Log(importing / "events.jsonl") as log:
        log.append("finished")
    expect(where).not_to_contain_text("importing")


def test_a_studio_that_starts_is_waited_for(studio, page, page_faults):
    """While its pages are being loaded the splash answers, and a press in between is no fault of anybody."""
    page_faults.allow("503")
    run = runs.create(studio.workspace, TrainSettings(dataset="nothing", name="Kept"))
    studio.open(page, tab="runs", run=run.name)
    expect(page.locator("ft-run h1")).to_have_text("Kept")
    tab = page.get_by_role("tab", name="Data")
    page.set_viewport_size({"width": 768, "height": 900})
    before = tab.bounding_box()
    page.route("**/studio/**", lambda route: route.fulfill(status=503, json={}))
    told = page.locator("ft-header .notice")
    expect(told).to_contain_text("The studio is starting.")
    # It lies over the header: nothing moves, and the tabs can be used.
    assert tab.bounding_box() == before
    page.evaluate(LONG_SILENCE)
    expect(told).to_contain_text("python3 launch.py")
    box = told.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 768 and box["y"] + box["height"] <= before["y"] + 1
    expect(page.get_by_text("refused this")).to_have_count(0)
    page.unroute("**/studio/**")
    expect(page.locator("ft-header .notice")).to_have_count(0)
