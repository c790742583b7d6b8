"""A real studio and a real Chromium. A page fails its test on any script error and on any request to another host.

    def test_x(studio, page):
        studio.open(page, tab="runs")
        page.get_by_role("heading", name="Runs").wait_for()

`studio` is one `launch.py ui` for all tests of a file, so each test names its own datasets and runs; `start_studio`
makes one of the test's own, with an empty workspace, that may be killed and started again. `open_page` gives further
windows. What the test provokes on purpose is announced: `page_faults.allow("409")`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Request, expect, sync_playwright

from studio import events, logs
from studio.jobs import folder as job_folder
from studio.workspace import Workspace
from tests.worlds import small_disk as small_disk
from ui.app import wait_until_ready

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
START_SECONDS = 90.0
WAIT_MS = 20_000

expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Studio:
    """One `launch.py ui` on a port of its own."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace.open(root)
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.output = root.parent / f"{root.name}-ui.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Studio:
        """Starts it, on the same port as before, and waits until the pages are loaded."""
        command = [sys.executable, "launch.py", "ui", "--no-browser", "--port", str(self.port)]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [*command, "--workspace", str(self.workspace.root)], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                wait_until_ready(self.address, 0.5)
                return self
            except TimeoutError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{error}\n{self.output.read_text(encoding='utf-8', errors='replace')}")

    def kill(self) -> None:
        """SIGKILL for the studio; workers live on."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def url(self, **query: str) -> str:
        return f"{self.address}/?{urlencode(query)}" if query else f"{self.address}/"

    def open(self, page: Page, **query: str) -> Page:
        """Opens an address of the studio (`tab="runs", run=ID`) and waits for the page's frame."""
        page.goto(self.url(**query))
        page.wait_for_selector("#tabs [role=tab]")
        return page

    def end_workers(self) -> None:
        """Kills what still trains, and takes what waits out of the queue, so that the next test finds a free device."""
        for kind in ("runs", "evaluations", "exports", "jobs"):
            for name in self.workspace.names(kind):
                end_worker(self.workspace.root / kind / name)

    def close(self) -> None:
        self.kill()
        self.end_workers()


def end_worker(folder: Path) -> None:
    """Ends a job of a test for good: no worker, no place in the queue."""
    for _ in range(100):
        if job_folder.status(folder) == "queued":
            with logs.Log(folder / events.EVENTS) as log:
                log.append("stopped")
        if not job_folder.alive(folder):
            return
        kill_worker(folder)
        time.sleep(0.05)


def kill_worker(folder: Path) -> None:
    """SIGKILL for the worker that holds a job's lock, if one does."""
    starts = [line for line in logs.read(folder / events.EVENTS)[0] if line.get("type") == "starting"]
    if starts and job_folder.alive(folder):
        try:
            os.kill(int(starts[-1]["pid"]), getattr(signal, "SIGKILL", signal.SIGTERM))
        except (ProcessLookupError, KeyError):
            return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium(outside: dict[str, str]) -> Iterator[Browser]:
    """The browser of this machine, or Playwright's own. Without one the tests are skipped, except in CI."""
    found = outside.get("FLEXTUNE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        except Error as error:
            words = "the page is not tested: there is no Chromium here (install chromium, or name it in "
            words += f"FLEXTUNE_CHROMIUM): {str(error).splitlines()[0]}"
            pytest.fail(words) if outside.get("CI") else pytest.skip(words)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio_of_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("studio") / "workspace").start()
    yield studio
    studio.close()


@pytest.fixture
def studio(chromium: Browser, studio_of_file: Studio) -> Iterator[Studio]:
    """The studio that the tests of this file share; what a test left running is ended after it."""
    yield studio_of_file
    studio_of_file.end_workers()


@pytest.fixture
def start_studio(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Makes studios of this test alone: `mine = start_studio()`, or in a folder of the test's choice.

    Named before `page`, so that the page is gone when they are closed, and asks none of them in vain.
    """
    made: list[Studio] = []

    def start(root: Path | None = None) -> Studio:
        made.append(Studio(root or tmp_path / f"workspace-{len(made)}"))
        return made[-1].start()

    yield start
    for studio in made:
        studio.close()


class Faults:
    """What went wrong in the pages of a test: script errors, console errors, requests that left the machine."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.allowed: list[str] = []

    def allow(self, *patterns: str) -> None:
        """Patterns (regular expressions) of faults that this test provokes on purpose."""
        self.allowed += patterns

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.found.append(f"script error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.found.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme in ("http", "https", "ws", "wss") and where.hostname not in ("127.0.0.1", "localhost"):
            self.found.append(f"a request to another host: {request.url}")

    @property
    def meant(self) -> list[str]:
        return [fault for fault in self.found if not any(re.search(one, fault) for one in self.allowed)]


@pytest.fixture
def page_faults() -> Iterator[Faults]:
    faults = Faults()
    yield faults
    assert not faults.meant, "\n".join(faults.meant)


@pytest.fixture
def open_page(chromium: Browser, page_faults: Faults) -> Iterator[Callable[..., Page]]:
    """Makes windows, each of a browser of its own: `open_page(width=768, dark=True)`; more goes to Playwright."""
    contexts = []

    def make(width: int = 1280, height: int = 900, dark: bool = False, **options: Any) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            **options,
        )
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page_faults.watch(page)
        return page

    yield make
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # else an answer still under way fails the next test
        context.close()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """One window, 1280 by 900."""
    return open_page()
