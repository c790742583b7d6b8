"""From the command to the page, and a page that is left open while the studio is closed and started again."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Studio


@pytest.fixture
def closed(chromium, tmp_path):
    """A studio that was not started yet."""
    studio = Studio(tmp_path / "workspace")
    yield studio
    studio.close()


@pytest.mark.parametrize("dark", [False, True])
def test_the_splash_hands_over_by_itself(closed, open_page, page_faults, dark):
    page_faults.allow("status of 503", "ERR_CONNECTION_REFUSED")  # the splash asks whether the pages are loaded
    page = open_page(dark=dark)
    command = [sys.executable, "launch.py", "--no-browser", "--port", str(closed.port)]
    command += ["--workspace", str(closed.workspace.root)]
    closed.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert closed.process.stdout.readline().startswith(b"FlexTune Studio is at")
    page.goto(closed.url(tab="settings"))
    expect(page.get_by_role("status")).to_have_text("Opening the studio…")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 24, 30)" if dark else "rgb(247, 248, 249)"
    )
    expect(page.locator("ft-settings")).to_contain_text("Everything the studio keeps", timeout=60_000)
    expect(page).to_have_url(re.compile("tab=settings"))
    closed.process.terminate()
    closed.process.communicate()


def test_a_page_left_open_goes_on_after_a_restart(start_studio, page, page_faults):
    page_faults.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "Failed to fetch", "status of 503")
    studio = start_studio()
    studio.open(page, tab="settings")
    expect(page.locator("#settings-versions")).to_contain_text("gradio")
    page.get_by_role("textbox", name="Password").fill("half typed")
    studio.kill()
    page.evaluate("document.querySelector('ft-settings').loop()")
    away = page.locator("ft-settings .ft-away")
    expect(away).to_contain_text("The studio does not answer.")
    expect(away).to_contain_text("python3 launch.py")
    studio.start()
    page.evaluate("document.querySelector('ft-settings').loop()")
    expect(away).to_have_count(0)
    expect(page.get_by_role("textbox", name="Password")).to_have_value("half typed")
    page.get_by_role("tab", name="Runs").click()  # and every tab that was not open before
    expect(page.locator("ft-runs h1")).to_have_text("Runs")
