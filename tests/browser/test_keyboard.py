"""The main job by keyboard alone, from Home to the verdict: all is reached, focus is seen, and no action loses it."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import Error as Lost
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_everywhere import FOCUSED
from tests.browser.test_whole_way import LOADING_MS, TABLE, button

MOST_TABS = 150
NOT_LOST = "() => document.activeElement && document.activeElement !== document.body"
STANDS_IN = "() => document.activeElement.matches('[tabindex=\"-1\"]:not(a, button, input, select, textarea, summary)')"
LOST_MS = 5000


class Keyboard:
    """Presses keys, looks where the focus is after each, and keeps what was not right."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.troubles: list[str] = []

    def reach(self, target: Locator, key: str = "Tab") -> None:
        """Goes on with Tab, or back with Shift+Tab, until the focus is on it."""
        expect(target).to_be_visible(timeout=LOADING_MS)
        expect(target).to_be_enabled(timeout=LOADING_MS)
        for _ in range(MOST_TABS):
            if target.evaluate("(one) => one === document.activeElement"):
                return
            self.page.keyboard.press(key)
            self.look()
        pytest.fail(f"{target} is not reached with {key}")

    def look(self) -> None:
        focused = self.page.evaluate(FOCUSED)
        # What only keeps the keyboard's place, while its button is switched off or gone, draws no ring around it all.
        if focused and not focused["shown"] and not self.page.evaluate(STANDS_IN):
            self.troubles.append(f"focus is not to be seen on {focused['what']}")

    def press(self, key: str, what: str) -> None:
        """An action; afterwards the focus is somewhere, and seen."""
        self.page.keyboard.press(key)
        self.kept(what)

    def kept(self, what: str) -> None:
        try:
            self.page.wait_for_function(NOT_LOST, timeout=LOST_MS)
        except Lost:
            self.troubles.append(f"the focus is lost after {what}")
        self.look()


@pytest.mark.full
def test_the_main_job_by_keyboard_alone(start_studio, tiny, page):
    studio = start_studio()
    shutil.copytree(tiny, studio.workspace.models / "tiny")
    keys = Keyboard(page)
    page.on("filechooser", lambda _: None)  # Chromium needs a moment to be told that one is waited for
    studio.open(page)

    keys.reach(button(page, "Start with my data"))
    keys.press("Enter", "the way to one's own data")
    page.wait_for_load_state("networkidle")  # the page that was just opened is drawn, and stays as it is
    keys.reach(page.locator("#ft-file"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files({"name": "trams.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    expect(button(page, "Import")).to_be_visible()
    keys.kept("the choice of a file")
    keys.reach(button(page, "Import"))
    keys.press("Enter", "Import")
    expect(button(page, "Train with it")).to_be_visible(timeout=LOADING_MS)
    keys.kept("the end of the import")
    keys.reach(button(page, "Train with it"))
    keys.press("Enter", "the way to Train")

    keys.reach(page.locator(".pf-start"))
    keys.press("Enter", "Start training")
    expect(page).to_have_url(re.compile("tab=runs"))
    keys.kept("the start of the run")
    compare = page.locator("ft-run").get_by_role("button", name="Compare", exact=True)
    keys.reach(compare)
    keys.press("Enter", "Compare")

    question = page.locator("ft-compare textarea[name=prompt]")
    keys.reach(question)
    page.keyboard.type("Is there a tram to the park in Oslo?")
    keys.press("Control+Enter", "a question")
    expect(page.locator("ft-compare [data-said]")).to_have_text("Both have answered.", timeout=LOADING_MS)
    keys.kept("the answers")

    keys.reach(page.get_by_role("tab", name="Evaluate"), "Shift+Tab")
    keys.press("Enter", "the tab Evaluate")
    keys.reach(page.locator("ft-evaluate").get_by_role("button", name="Evaluate", exact=True))
    keys.press("Enter", "Evaluate")
    expect(page.locator(".verdict .word")).to_be_visible(timeout=LOADING_MS)
    keys.kept("the verdict")
    assert not keys.troubles, "\n".join(dict.fromkeys(keys.troubles))


@pytest.mark.parametrize("way", ["drawn anew", "switched off", "taken away"])
def test_the_focus_stays_where_something_changes_under_it(studio, page, way):
    """The mechanism itself: the same thing in its new form, what is switched on again, or what stood around."""
    studio.open(page, tab="home")
    place = "document.querySelector('ft-home [data-slot=ways]')"
    expect(page.locator("ft-home .hm-fits")).to_be_visible()  # from here on Home draws nothing anew by itself
    expect(page.locator("[data-try]")).to_be_enabled()
    page.locator("[data-try]").focus()
    if way == "drawn anew":
        page.evaluate(f"{place}.innerHTML = {place}.innerHTML")
        expect(page.locator("[data-try]")).to_be_focused()
    elif way == "switched off":
        page.evaluate(f"{place}.querySelector('[data-try]').disabled = true")
        page.wait_for_function("document.activeElement !== document.body && !document.activeElement.disabled")
        page.evaluate(f"{place}.querySelector('[data-try]').disabled = false")
        expect(page.locator("[data-try]")).to_be_focused()
    else:
        page.evaluate(f"{place}.querySelector('[data-try]').remove()")
        page.wait_for_function("document.activeElement.matches('.hm-way *, .hm-way')")
