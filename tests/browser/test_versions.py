"""The versions of a dataset on the page: what differs, names, the way back, files to take away."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.settings.importing import ImportSettings


def made(studio, tmp_path, name: str) -> list[str]:
    """A dataset with two versions: one row edited, one left out; its row ids."""
    source = tmp_path / f"{name}.jsonl"
    records = [{"prompt": f"Where is parcel {n}?", "completion": f"It is in box {n}."} for n in range(12)]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(studio.workspace, ImportSettings(source=str(source), name=name))
    rows = [row.row_id for row in Dataset.open(studio.workspace, name).rows()]
    reviews = Reviews(Dataset.open(studio.workspace, name))
    reviews.edit(rows[1], [{"of": "messages", "at": 1, "text": "It is in <b>crate</b> 1."}])
    reviews.exclude(rows[2])
    freeze(studio.workspace, name)
    return rows


def test_what_differs_is_marked_word_by_word(studio, page: Page, tmp_path, page_faults):
    made(studio, tmp_path, "parcels")
    studio.open(page, tab="data", dataset="parcels")
    page.get_by_role("link", name="Versions").click()
    changed = page.locator(".ft-rowcard", has_text="Changed: the turns")
    expect(changed.get_by_role("group", name="As it was").locator("mark")).to_have_text("box")
    expect(changed.get_by_role("group", name="As it is").locator("mark")).to_have_text("<b>crate</b>")
    page.get_by_role("button", name="Gone 1").click()
    expect(page.locator(".compared .ft-rowcard")).to_have_count(1)
    expect(page.locator(".compared")).to_contain_text("Where is parcel 2?")
    page.reload()
    expect(page.locator(".compared .ft-rowcard")).to_have_count(1)
    page.get_by_label("Older version").select_option("2")
    expect(page.get_by_text("One and the same version")).to_be_visible()
    page.get_by_label("Older version").select_option("1")
    page.get_by_role("link", name="Row of line 2", exact=True).click()
    expect(page.locator("ft-row .words").first).to_have_text("Where is parcel 1?")


def test_a_version_is_named_and_gone_back_to(studio, page: Page, tmp_path, page_faults):
    made(studio, tmp_path, "letters")
    studio.open(page, tab="data", dataset="letters", part="versions")
    page.get_by_role("button", name="Name version 1").click()
    page.get_by_label("Name of version 1").fill("As it came")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="As it came")).to_be_visible()
    page.get_by_role("button", name="Go back to it").click()
    expect(page.get_by_role("row", name="the rows of version 1 again")).to_contain_text("12")
    expect(page.get_by_text("No row differs")).not_to_be_visible()  # it shows what came back from version 2
    dataset = Dataset.open(studio.workspace, "letters")
    assert dataset.latest == 3 and dataset.version_info(1)["title"] == "As it came"


def test_files_for_other_tools_and_what_has_no_place_in_them(studio, page: Page, tmp_path, page_faults):
    tool = {"type": "function", "function": {"name": "find", "description": "", "parameters": {"type": "object"}}}
    call = {"type": "function", "function": {"name": "find", "arguments": {}}}
    asked, said = {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}
    looked = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "box 3"}]
    rows = [{"messages": [asked, said], "tone": "=1+1"}, {"messages": [asked, *looked, said], "tools": [tool]}]
    source = tmp_path / "calls.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(studio.workspace, ImportSettings(source=str(source), name="calls"))
    studio.open(page, tab="data", dataset="calls", part="versions")
    expect(page.get_by_text("One version so far")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSONL, Alpaca").click()
    assert [json.loads(line)["output"] for line in waiting.value.path().read_text().splitlines()] == ["Here."]
    expect(page.get_by_text("1 of 2 rows are left out.")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="JSONL, ShareGPT").click()
    assert len(waiting.value.path().read_text().splitlines()) == 2
    assert waiting.value.suggested_filename == "calls-v1.sharegpt.jsonl"
    with page.expect_download():
        page.get_by_role("button", name="CSV, for a spreadsheet").click()
    expect(page.get_by_text("1 cell could be taken for a formula")).to_be_visible()
    page.get_by_text("Publish on the Hugging Face hub").click()
    page.get_by_label("Repository").fill("no name")
    page_faults.allow("409")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("alert")).to_contain_text("owner/name")
