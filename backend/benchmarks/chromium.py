"""A Chromium without a window, for benchmarks that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from studio.errors import NotFound

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@contextmanager
def opened() -> Iterator[Any]:
    """Playwright's `Browser`, of the Chromium that is installed or that FLEXTUNE_CHROMIUM names.

    Raises:
        NotFound: Playwright or the browser is not there.
    """
    found = next(filter(None, [os.environ.get("FLEXTUNE_CHROMIUM"), *map(shutil.which, BROWSERS)]), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        raise NotFound(
            "There is no browser to measure in.",
            "It takes a Chromium and the package playwright.",
            "Install both; FLEXTUNE_CHROMIUM may name the browser's program.",
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
