"""The pictures of a dataset on the page, and the way from a point of its map to the row."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.doctor import visits
from studio.jobs import follow
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace
from tests.worlds import ROOT


def found_in_many_tags(workspace: Workspace) -> None:
    """Gives a row more tags than there are buttons for, and an address that the doctor finds."""
    reviews = Reviews(Dataset.open(workspace, "mapped"))
    row = next(iter(reviews.dataset.rows()))
    reviews.edit(row.row_id, [{"of": "messages", "at": len(row.messages) - 1, "text": "Write to ann@firma.de!"}])
    reviews.apply([{"type": "tag", "row": row.row_id, "tags": {f"t{n}": "x" for n in range(9)}}])
    freeze(workspace, "mapped")
    visit = visits.create(workspace, {"dataset": "mapped", "leave_out": ["copies", "probes", "tokens", "languages"]})
    follow.start_and_follow(workspace, visit, follow.Terminal())


def test_a_map_is_made_coloured_and_leads_to_its_rows(studio, page: Page, page_faults):
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(studio.workspace, ImportSettings(source=str(source), name="mapped"))
    found_in_many_tags(studio.workspace)
    studio.open(page, tab="data", dataset="mapped")
    page.get_by_role("link", name="Charts and map").click()
    expect(page.locator("ft-map .figures")).to_contain_text("English")
    expect(page.locator('[data-chart="answers"] .bars, [data-chart="answers"] .barlayer').first).to_be_visible()
    page.get_by_role("button", name="Make a map").click()
    expect(page.locator(".map-legend li")).to_have_count(8, timeout=60_000)
    points = page.locator(".map-plot .point")
    expect(points).to_have_count(400)
    expect(page.locator(".colours button")).to_have_text(["Label", "Side", "Finding", *(f"T{n}" for n in range(5))])
    page.get_by_role("button", name="Finding").click()
    expect(page.locator(".map-legend li")).to_have_text([re.compile("nothing found *399"), re.compile("E-mail.* 1")])
    page.get_by_role("button", name="Side").click()
    expect(page.locator(".map-legend li")).to_have_count(3)
    others = page.get_by_label("Coloured by another tag")
    others.select_option("T7")
    expect(page.locator(".map-legend li")).to_have_text([re.compile("none *399"), re.compile("x *1")])
    expect(page.locator(".colours button[aria-pressed=true]")).to_have_count(0)
    page.reload()
    expect(page.locator(".map-legend li")).to_have_count(2)
    expect(others).to_have_value("t7")
    points.first.scroll_into_view_if_needed()
    box = points.first.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    expect(page.locator(".map-plot .hovertext")).to_be_visible()
    page.mouse.click(*middle)
    page.wait_for_function("new URLSearchParams(location.search).get('row')")
    expect(page.locator("ft-row .ft-rowcard")).to_be_visible()
