"""The Runs page in a real browser."""

from __future__ import annotations


def test_an_empty_page_says_what_to_do(start_studio, page):
    studio = start_studio()
    studio.open(page, tab="runs")
    page.locator("ft-runs").wait_for(state="attached")
