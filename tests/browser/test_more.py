"""More rows on the page: asked for, written at an address, reviewed, frozen."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from studio.datasets.additions import PARENTS, SYNTHETIC, Additions
from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.jobs import folder as job_folder
from studio.settings.importing import ImportSettings
from studio.settings.writing import WriteSettings
from tests.openai_writer import serving
from tests.worlds import ROOT


def test_written_rows_are_reviewed_before_they_are_trained_on(studio, page: Page, page_faults):
    source = ROOT / "assets" / "starter" / "support-desk.csv"
    import_file(studio.workspace, ImportSettings(source=str(source), name="more"))
    dataset = Dataset.open(studio.workspace, "more")
    with serving() as writer:
        studio.open(page, tab="data", dataset="more")
        page.get_by_role("link", name="More rows").click()
        page.get_by_label("Who writes").select_option("")
        expect(page.get_by_text("The rows are sent there and nowhere else")).to_be_visible()
        page_faults.allow("409")
        page.get_by_role("textbox", name="Address").fill("nowhere")
        page.get_by_label("Model there").fill("big")
        page.get_by_role("button", name="Write").click()
        expect(page.get_by_role("alert")).to_contain_text("https://")
        page.get_by_role("textbox", name="Address").fill(writer.url)
        page.get_by_label("After how many rows").fill("3")
        page.get_by_role("button", name="Write").click()
        expect(page.get_by_text("3 new rows wait for review.")).to_be_visible(timeout=60_000)
    assert len(Additions(dataset.folder).rows()) == 3
    job = studio.workspace.jobs / studio.workspace.names("jobs")[-1]
    assert job_folder.read_settings(job)["seed"] != WriteSettings.model_fields["seed"].default
    page.get_by_role("link", name="Review them").first.click()
    page.wait_for_function("new URLSearchParams(location.search).get('part') === 'review'")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Written by a model 3")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".rv-head h2")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Written by a model 2")).to_be_visible()
    page.get_by_role("button", name="Freeze version 2").click()
    expect(page.get_by_text("Version 2 was made from version 1: 1 added.")).to_be_visible(timeout=60_000)
    rows = [row for row in Dataset.open(studio.workspace, "more").rows() if SYNTHETIC in row.tags]
    assert len(rows) == 1 and rows[0].split == "train"


def test_a_row_is_chosen_to_be_written_after_and_taken_away_again(studio, page: Page):
    source = studio.workspace.root / "rows.jsonl"
    source.write_text('{"prompt": "Where is my parcel?", "completion": "On its way.", "split": "train"}\n' * 2)
    import_file(studio.workspace, ImportSettings(source=str(source), name="chosen"))
    row = next(Dataset.open(studio.workspace, "chosen").rows()).row_id
    studio.open(page, tab="data", dataset="chosen", row=row)
    page.get_by_role("link", name="Write more like it").click()
    expect(page.locator(".mr-chip")).to_contain_text("Where is my parcel?")
    expect(page.get_by_label("After how many rows")).to_be_hidden()
    with serving() as writer:
        page.get_by_label("Who writes").select_option("")
        page.get_by_role("textbox", name="Address").fill(writer.url)
        page.get_by_label("Model there").fill("big")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.get_by_text("1 new row waits for review.")).to_be_visible(timeout=60_000)
    (written,) = Additions(Dataset.open(studio.workspace, "chosen").folder).rows().values()
    assert written.extra[PARENTS] == [row]
    page.get_by_role("button", name="Don’t write after").click()
    expect(page.locator(".mr-chip")).to_have_count(0)
    expect(page.get_by_label("After how many rows")).to_be_visible()
    studio.open(page, tab="data", dataset="chosen", find="parcel")
    page.get_by_role("link", name="Write more like these").click()
    expect(page.locator(".mr-chip")).to_contain_text("“parcel”")
    expect(page.get_by_text("2 training rows match.")).to_be_visible()
    page.get_by_role("button", name="After any row").click()
    expect(page.locator(".mr-chip")).to_have_count(0)
