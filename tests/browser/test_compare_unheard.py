"""Questions that Compare asks while the studio starts, is updated or is gone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from studio import engines
from tests.browser.comparing import answered, ask, longest, opened
from tests.browser.comparing import runs as runs
from tests.browser.comparing import studio as studio
from tests.browser.conftest import WAIT_MS

AWAY = re.compile(r"/studio/(?!assets)")
TOLD = ".turn .notice"
PROMISE = "The question is asked again by itself when it answers."
# As if the question had been asked so many minutes earlier.
AGE = """(minutes) => {
  const [key] = Object.keys(sessionStorage).filter((one) => one.startsWith('flextune-talk-'));
  const talk = JSON.parse(sessionStorage[key]);
  talk.turns.at(-1).error.waits -= minutes * 60_000;
  sessionStorage[key] = JSON.stringify(talk);
}"""


@pytest.mark.parametrize("asked", ["engine/start", ""], ids=["before the models are ready", "when they are"])
def test_a_question_to_a_studio_that_starts_is_asked_again_by_itself(runs, studio, page, page_faults, asked):
    page_faults.allow("503")
    opened(studio, page, run=runs[0])
    longest(page, 6)
    ask(page)
    answered(page)
    starts = f"**/studio/answers/{runs[0]}" + (f"/{asked}" if asked else "")
    page.route(starts, lambda route: route.fulfill(status=503, json={}))
    ask(page, "Still there?")
    told = page.locator(".turn .notice")
    expect(told).to_contain_text("The studio is starting.")
    expect(told).to_contain_text("The question is asked again by itself when it answers.")
    expect(page.locator(".turn").get_by_role("button", name="Try again")).to_be_visible()
    page.unroute(starts)
    answered(page)
    expect(page.locator(".turn")).to_have_count(2)
    expect(told).to_have_count(0)
    expect(page.locator(".stamp")).to_have_count(4)


@pytest.fixture
def unheard(runs, studio, page, page_faults):
    """A question asked while the studio starts, which goes on until `page.unroute(AWAY)`."""
    page_faults.allow("503")
    opened(studio, page, run=runs[0])
    longest(page, 6)
    page.route(AWAY, lambda route: route.fulfill(status=503, json={}))
    ask(page)
    expect(page.locator(TOLD)).to_contain_text(PROMISE)
    return page


@pytest.mark.parametrize("minutes", [0, pytest.param(10, marks=pytest.mark.full)])
def test_a_question_that_waits_is_asked_by_the_page_loaded_anew_unless_it_is_old(runs, studio, unheard, minutes):
    page, asked = unheard, []
    page.evaluate(AGE, minutes)
    page.goto("about:blank")
    page.unroute(AWAY)
    page.on("request", lambda request: request.url.endswith("/engine/start") and asked.append(request))
    opened(studio, page, run=runs[0])
    if minutes:
        expect(page.locator(TOLD)).to_contain_text("Try again.")
        expect(page.locator(".engine .chip")).to_be_visible()
        assert not asked, "models are loaded for what was asked long ago"
        page.locator(".turn").get_by_role("button", name="Try again").click()
    answered(page)
    expect(page.locator(TOLD)).to_have_count(0)
    expect(page.locator(".stamp")).to_have_count(2)


def test_a_question_that_waits_for_long_is_only_asked_by_hand(runs, studio, page, page_faults):
    page_faults.allow("503")
    page.clock.install()
    opened(studio, page, run=runs[0])
    page.route(AWAY, lambda route: route.fulfill(status=503, json={}))
    ask(page)
    expect(page.locator(TOLD)).to_contain_text(PROMISE)
    page.clock.fast_forward("06:00")
    expect(page.locator(TOLD)).to_contain_text("Try again.")
    expect(page.locator(TOLD)).not_to_contain_text(PROMISE)
    expect(page.locator("[data-stop]")).to_be_hidden()


@pytest.mark.full
def test_nothing_is_asked_beside_a_question_that_waits_and_stop_puts_it_off(runs, unheard):
    page = unheard
    expect(page.locator("[data-send]")).to_be_hidden()
    expect(page.locator("ft-held-out")).to_have_attribute("data-busy", "")
    ask(page, "And this?")
    expect(page.locator("#compare-prompt")).to_have_value("And this?")
    expect(page.locator(".turn")).to_have_count(1)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(TOLD)).not_to_contain_text(PROMISE)
    page.unroute(AWAY)
    expect(page.locator(".ft-silent")).to_be_empty()
    expect(page.locator(TOLD)).to_contain_text("Try again.")  # still: nobody asked
    with page.expect_request(lambda request: request.url.endswith(runs[0]) and request.method == "POST") as asked:
        page.locator("[data-send]").click()
    assert [turn["content"] for turn in asked.value.post_data_json["messages"]] == ["And this?"]
    answered(page)
    page.locator(".turn").first.get_by_role("button", name="Try again").click()
    expect(page.locator(TOLD)).to_have_count(0)
    answered(page)
    expect(page.locator(".stamp")).to_have_count(4)


@pytest.mark.full
def test_a_cleared_question_is_not_asked_and_waits_again_when_taken_back(unheard):
    page = unheard
    page.get_by_role("button", name="Clear").click()
    page.unroute(AWAY)
    expect(page.locator(".ft-silent")).to_be_empty()
    expect(page.get_by_role("heading", name="Nothing asked yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    answered(page)


@pytest.mark.full
def test_a_question_to_a_studio_that_was_updated_is_asked_by_the_new_page(runs, studio, page, page_faults):
    page_faults.allow("status of 412")
    opened(studio, page, run=runs[0])
    longest(page, 6)
    refused = {"error": {"what": "The studio was updated since this page was opened.", "why": "", "next": ""}}
    page.route("**/engine/start", lambda route: route.fulfill(status=412, json=refused))
    ask(page)
    expect(page.locator(TOLD)).to_contain_text("is asked again by itself when the page is loaded again")
    page.unroute("**/engine/start")
    page.get_by_role("button", name="Load it now").click()
    answered(page)
    expect(page.locator(".stamp")).to_have_count(2)


def test_the_engine_outlives_the_studio_and_the_page_goes_on(runs, studio, page, page_faults):
    page_faults.allow("ERR_CONNECTION", "Failed to fetch", "ERR_EMPTY_RESPONSE", "Failed to load resource")
    opened(studio, page, run=runs[0])
    longest(page, 6)
    ask(page)
    answered(page)
    folder = engines.find(studio.workspace, runs[0])
    life = engines.this_life(folder)[0]["pid"]
    studio.kill()
    ask(page, "Still there?")
    expect(page.locator(".turn .notice")).to_contain_text("The studio does not answer.")
    studio.start()
    answered(page)
    assert engines.this_life(folder)[0]["pid"] == life
    page.get_by_role("button", name="Free the memory").click()
    expect(page.locator(".engine .chip")).to_have_text("Not loaded", timeout=WAIT_MS)
