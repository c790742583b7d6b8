"""From the command to the page, and a page that is left open while the studio is closed and started again."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, START_SECONDS, Studio
from tests.sets import make_set
from ui.app import wait_until_ready
from ui.edition import HEADER


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
    away = page.locator(".ft-silent .notice")
    expect(away).to_contain_text("The studio does not answer.")
    expect(away).to_contain_text("python3 launch.py")
    studio.start()
    page.evaluate("document.querySelector('ft-settings').loop()")
    expect(away).to_have_count(0)
    expect(page.get_by_role("textbox", name="Password")).to_have_value("half typed")
    page.get_by_role("tab", name="Runs").click()  # and every tab that was not open before
    expect(page.locator("ft-runs h1")).to_have_text("Runs")


def test_a_page_from_before_an_update_says_so_and_loads_itself_anew(closed, page, page_faults, tmp_path):
    """The studio is started again from files of which one is newer; nothing old and new is mixed."""
    page_faults.allow("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "Failed to fetch", "status of (412|503)")
    for part in ("launch.py", "studio", "ui", "assets"):
        source = ROOT / part
        shutil.copytree(source, tmp_path / part) if source.is_dir() else shutil.copy(source, tmp_path / part)
    serve(closed, tmp_path)
    closed.open(page, tab="settings")
    expect(page.locator("#settings-versions")).to_contain_text("gradio")
    script = tmp_path / "assets" / "page" / "home.js"
    script.write_text(script.read_text(encoding="utf-8").replace("See it work", "See it working"), encoding="utf-8")
    page.reload()  # the files are newer than the studio that runs: it goes on with those of its start
    page.get_by_role("tab", name="Home").click()
    expect(page.locator("ft-home")).to_contain_text("See it work")
    expect(page.locator("ft-home")).not_to_contain_text("See it working")
    page.get_by_role("tab", name="Settings").click()
    page.get_by_role("textbox", name="Password").fill("half typed")
    closed.kill()
    serve(closed, tmp_path)
    page.evaluate("document.querySelector('ft-settings').loop()")
    expect(page.locator(".ft-outdated")).to_contain_text("The studio was updated.")
    expect(page.get_by_role("textbox", name="Password")).to_have_value("half typed")
    page.get_by_role("button", name="Load it now").click()
    page.get_by_role("tab", name="Home").click()
    expect(page.locator("ft-home")).to_contain_text("See it working")
    expect(page.locator(".ft-outdated")).to_have_count(0)


@pytest.mark.parametrize("ticked", [False, True])
def test_an_outdated_page_is_refused_its_question_and_keeps_what_was_ticked(studio, page, page_faults, ticked):
    """A tick is lost by loading anew as typed words are."""
    page_faults.allow("status of 412")
    make_set(studio.workspace, "ticked" if ticked else "plain", [{"text": "a", "kind": "text"}] * 2)
    studio.open(page, tab="data", dataset="ticked" if ticked else "plain", part="tag")
    box = page.get_by_label("take them as patterns")
    box.check() if ticked else expect(box).to_be_visible()
    outdated(page, "**/studio/answers/*")
    page.evaluate(
        """async () => {
            const start = document.querySelector("script[src$='/studio.js']").src;
            const { answer } = await import(start.replace("studio.js", "chat.js"));
            await answer("none", {}, new AbortController().signal).catch(() => null);
        }"""
    )
    words = "Note what you have filled in" if ticked else "and is loaded again"
    expect(page.locator(".ft-outdated")).to_contain_text(words)


def test_an_outdated_page_uploads_nothing(studio, page, page_faults):
    page_faults.allow("status of 412")
    studio.open(page, tab="data", **{"import": "1"})
    outdated(page, "**/studio/imports/upload*")
    page.get_by_label("Choose files").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    expect(page.locator(".ft-outdated")).to_contain_text("The studio was updated.")
    assert not list(studio.workspace.root.rglob("a.csv"))


def outdated(page, path: str) -> None:
    """What the page sends there says that it is of another edition, if it says any."""

    def older(route):
        named = {name: "before" for name in route.request.headers if name == HEADER}
        route.continue_(headers=route.request.headers | named)

    page.route(path, older)


def serve(studio: Studio, root: Path) -> None:
    """Starts the studio from the files in another folder."""
    code = "import sys; from ui.app import run; sys.exit(run(sys.argv[1:]))"
    where = ["--no-browser", "--port", str(studio.port), "--workspace", str(studio.workspace.root)]
    with open(studio.output, "ab") as output:
        studio.process = subprocess.Popen(
            [sys.executable, "-c", code, *where], cwd=root, stdout=output, stderr=subprocess.STDOUT
        )
    wait_until_ready(studio.address, START_SECONDS)
