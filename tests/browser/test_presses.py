"""Every press is answered at once: what waits for the studio shows that it works, before the studio has answered.

Each page's buttons, tabs and links are found on the page itself. From the press on the studio's answers are held back
and then lost, so what is measured is what the page says by itself, and nothing is deleted or started.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.test_everywhere import furnished as furnished
from tests.browser.test_everywhere import settle, visit

SCRIPT = Path(__file__).with_name("presses.js")
WANTED_MS, MOST_MS = 300, 2000
SLOWEST = 12


class Presser:
    """Presses everything on an address once, and keeps how long each took to show something; None where nothing was."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.took: dict[str, float | None] = {}
        page.add_init_script(path=SCRIPT)

    def press_all(self, query: dict[str, str]) -> None:
        done: set[str] = set()
        while True:
            self.come(query)
            names = [name for name in self.page.evaluate("presses.names()") if name not in done | self.took.keys()]
            if not names:
                return
            for name in names:
                done.add(name)
                self.press(name, f"?{urlencode(query)[:60]} {name}")
                if self.left(query):
                    break  # it led elsewhere: back, and on with the next

    def come(self, query: dict[str, str]) -> None:
        self.page.keyboard.press("Escape")
        visit(self.page, query)
        settle(self.page, query["tab"])

    def left(self, query: dict[str, str]) -> bool:
        now = dict(parse_qsl(urlsplit(self.page.url).query))
        return now != query or self.page.locator("dialog[open]").count() > 0

    def press(self, name: str, kept_as: str) -> None:
        took = self.page.evaluate("([name, most]) => presses.press(name, most)", [name, MOST_MS])
        if took != "gone":
            self.took[name if name.startswith("tab ") else kept_as] = took  # the tabs are the same on every page

    @property
    def silent(self) -> list[str]:
        return [name for name, ms in self.took.items() if ms is None]

    def __str__(self) -> str:
        shown = sorted((ms, name) for name, ms in self.took.items() if ms is not None)
        lines = [f"{ms:8.0f} ms  {name}" for ms, name in shown[: -SLOWEST - 1 : -1]]
        middle = median(ms for ms, _ in shown)
        return "\n".join(
            [f"\n{len(self.took)} presses, median {middle:.0f} ms (wanted: {WANTED_MS}); the slowest:", *lines]
        )


def press_everything(page: Page, studio, addresses: list[dict[str, str]], capsys) -> None:
    presser = Presser(page)
    for query in addresses:
        studio.open(page, **query)
        presser.press_all(query)
    with capsys.disabled():
        print(presser)
    assert len(presser.took) > 2 * len(addresses), "few buttons were found"
    assert not presser.silent, "nothing was shown after: " + "; ".join(presser.silent)


@pytest.mark.full
def test_every_press_on_a_tab_shows_something(furnished, studio, page, capsys):
    press_everything(page, studio, furnished.tabs(), capsys)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_every_press_everywhere_shows_something(furnished, studio, page, capsys):
    press_everything(page, studio, furnished.addresses(), capsys)


@pytest.mark.full
def test_a_press_without_an_answer_is_found(furnished, studio, page):
    """So that no finding means that nothing was found."""
    presser = Presser(page)
    studio.open(page, tab="home")
    settle(page, "home")
    page.evaluate("document.querySelector('ft-home').insertAdjacentHTML('beforeend', '<button>Mute</button>')")
    presser.press("BUTTON Mute", "mute")
    assert presser.silent == ["mute"]
