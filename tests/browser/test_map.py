"""The pictures of a dataset on the page, and the way from a point of its map to the row."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from studio.datasets.importing.steps import import_file
from studio.settings.importing import ImportSettings
from tests.worlds import ROOT


def test_a_map_is_made_coloured_and_leads_to_its_rows(studio, page: Page, page_faults):
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(studio.workspace, ImportSettings(source=str(source), name="mapped"))
    studio.open(page, tab="data", dataset="mapped")
    page.get_by_role("link", name="Charts and map").click()
    expect(page.locator("ft-map .figures")).to_contain_text("English")
    expect(page.locator('[data-chart="answers"] .bars, [data-chart="answers"] .barlayer').first).to_be_visible()
    page.get_by_role("button", name="Make a map").click()
    expect(page.locator(".map-legend li")).to_have_count(8, timeout=60_000)
    points = page.locator(".map-plot .point")
    expect(points).to_have_count(400)
    page.get_by_role("button", name="Side").click()
    expect(page.locator(".map-legend li")).to_have_count(3)
    page.reload()
    expect(page.locator(".map-legend li")).to_have_count(3)
    points.first.scroll_into_view_if_needed()
    box = points.first.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    expect(page.locator(".map-plot .hovertext")).to_be_visible()
    page.mouse.click(*middle)
    page.wait_for_function("new URLSearchParams(location.search).get('row')")
    expect(page.locator("ft-row .ft-rowcard")).to_be_visible()
