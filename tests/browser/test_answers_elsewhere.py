"""What a tuned model answers outside of the conversation: the rows of a file, and the row of a review."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.comparing import LOADING_MS, opened
from tests.browser.comparing import runs as runs
from tests.browser.comparing import studio as studio


def test_a_model_is_applied_to_a_file(runs, studio, page, page_faults, tmp_path):
    page_faults.allow("409")
    opened(studio, page, run=runs[0])
    page.locator("[data-file] > summary").click()
    page.locator("[data-apply]").click()
    expect(page.locator("ft-answer-file .notice")).to_contain_text("No file is named.")
    file = tmp_path / "mails.csv"
    file.write_text("number,message\n1,Where is it?\n2,<b>Hello</b>\n", encoding="utf-8")
    page.locator("[name=file]").set_input_files(file)
    page.locator("[name=longest]").fill("5")
    page.locator("[data-apply]").click()
    link = page.get_by_role("link", name="Download mails.answers.csv")
    expect(link).to_be_visible(timeout=LOADING_MS)
    expect(page.locator("ul.files")).to_contain_text("2 of 2 rows answered")
    with page.expect_download() as download:
        link.click()
    path = Path(tmp_path / "out.csv")
    download.value.save_as(path)
    with open(path, encoding="utf-8", newline="") as out:
        rows = list(csv.DictReader(out))
    assert [row["message"] for row in rows] == ["Where is it?", "<b>Hello</b>"]
    assert all(re.fullmatch(r"\w{12}\+\w{12}", row["weights"]) for row in rows)
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("other\nx\n", encoding="utf-8")
    page.locator("[name=path]").fill(str(wrong))
    page.locator("[data-apply]").click()
    expect(page.locator("ul.files")).to_contain_text("wrong.csv has nothing to ask.", timeout=LOADING_MS)


def test_a_file_stopped_half_way_goes_on(runs, studio, page, tmp_path):
    file = tmp_path / "many.csv"
    file.write_text("message\n" + "".join(f"Where is {n}?\n" for n in range(200)), encoding="utf-8")
    opened(studio, page, run=runs[0])
    page.locator("[data-file] > summary").click()
    page.locator("[name=path]").fill(str(file))
    page.locator("[name=longest]").fill("250")
    page.locator("[data-apply]").click()
    expect(page.locator("ft-job")).to_contain_text(re.compile(r"Answering \d+ of 200"), timeout=LOADING_MS)
    page.locator("ft-job").get_by_role("button", name="Stop").click()
    item = page.locator("ul.files > li").first
    expect(item).to_contain_text("Stopped", timeout=LOADING_MS)
    item.get_by_role("button", name="Go on").click()
    expect(item.get_by_role("link", name="Download many.answers.csv")).to_be_visible(timeout=LOADING_MS)
    expect(item).to_contain_text("answered before; going on with the others")
    expect(item).to_contain_text("200 of 200 rows answered")


def test_the_review_queue_asks_a_model_about_the_row_that_is_looked_at(runs, studio, page):
    shown = page.locator(".rv-suggested")

    def suggested(weights):
        studio.open(page, tab="data", dataset="desk", part="review", source=f"live:{runs[0]}:{weights}")
        if weights == "base":
            page.get_by_label("Your name").fill("Ann")
            page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Row 1", exact=True)).to_be_visible()
        expect(shown.get_by_text("from a model")).to_be_visible(timeout=LOADING_MS)
        return shown.locator(".words").inner_text()

    base, tuned = suggested("base"), suggested("tuned")
    assert tuned.strip() and tuned != base
    expect(page.get_by_label("Suggestions")).to_have_value(f"live:{runs[0]}:tuned")
    page.keyboard.press("n")
    page.keyboard.type("typed while it writes")  # nobody is disturbed
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.keyboard.press("n")
    page.keyboard.type("the next")
    expect(page.get_by_role("heading", name="Row 2", exact=True)).to_be_visible()
    expect(page.get_by_label("Note")).to_be_focused()
    expect(page.get_by_label("Note")).to_have_value("the next")
    page.keyboard.press("Escape")
    expect(shown.get_by_text("from a model")).to_be_visible(timeout=LOADING_MS)
    expect(page.get_by_label("Note")).to_have_value("the next")
