"""The list of rows in a real browser: chosen and sorted in every way, all in the address; a large set's index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.datasets.browsing.index import LARGE, Index
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings


def put(studio, tmp_path: Path, name: str, rows: int) -> Dataset:
    source = tmp_path / f"{name}.jsonl"
    with open(source, "w", encoding="utf-8") as file:
        for n in range(rows):
            row = {
                "text": f"Parcel {n} " + "late " * (n % 9),
                "label": "ab"[n % 2],
                "tone": ["calm", "<b>dry</b>"][n % 4 == 0],
            }
            file.write(json.dumps(row) + "\n")
    import_file(studio.workspace, ImportSettings(source=[str(source)], name=name))
    return Dataset.open(studio.workspace, name)


def where(page: Page, **query: str | None) -> None:
    tests = [
        f"new URLSearchParams(location.search).get({json.dumps(key)}) === {json.dumps(value)}"
        for key, value in query.items()
    ]
    page.wait_for_function(" && ".join(tests))


def field(page: Page, name: str) -> Locator:
    return page.locator(f"select[name='{name}']")


def test_choices_are_combined_kept_and_taken_back(studio, page, tmp_path):
    put(studio, tmp_path, "chosen", 80)
    studio.open(page, tab="data", dataset="chosen")
    field(page, "label").select_option("b")
    where(page, label="b")
    field(page, "tag:tone").select_option("calm")
    where(page, tags="tone=calm")
    field(page, "sorted").select_option("-characters")
    page.get_by_label("Search the rows").fill("late late")
    where(page, sorted="-characters", find="late late", label="b")
    expect(page.locator(".count")).to_contain_text("31 rows")
    first = page.locator("[data-row]").first
    expect(first).to_contain_text("late " * 7 + "late")
    page.reload()
    expect(page.locator(".count")).to_contain_text("31 rows")
    expect(field(page, "tag:tone")).to_have_value("calm")
    expect(field(page, "sorted")).to_have_value("-characters")
    first.locator("a.open").click()
    expect(page.get_by_role("heading", name="Row 1 of 31")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name="Row 2 of 31")).to_be_visible()
    page.locator("ft-row .back").click()
    expect(page.locator(".count")).to_contain_text("31 rows")
    field(page, "tag:tone").select_option("<b>dry</b>")
    expect(page.get_by_role("heading", name="No row matches")).to_be_visible()
    page.get_by_role("button", name="Show all rows").first.click()
    where(page, label=None, tags=None, sorted=None, find=None)
    expect(page.locator(".pager")).to_contain_text("of 80")


def test_excluded_and_changed_last(studio, page, tmp_path):
    put(studio, tmp_path, "excluding", 30)
    studio.open(page, tab="data", dataset="excluding")
    page.locator("[data-row] a.open").nth(4).click()
    expect(page.get_by_role("heading", name="Row 5 of 30")).to_be_visible()
    page.keyboard.press("x")
    expect(page.get_by_text("Left out", exact=True).first).to_be_visible()
    page.locator("ft-row .back").click()
    field(page, "sorted").select_option("changed")
    expect(page.locator("[data-row]").first).to_contain_text("Parcel 4 ")
    page.get_by_role("button", name="Left out 1").click()
    where(page, side="excluded")
    expect(page.locator("[data-row]")).to_have_count(1)


def test_a_label_is_chosen_among_those_there_are_or_written_anew(studio, page, tmp_path):
    dataset = put(studio, tmp_path, "labels", 30)
    first = next(dataset.rows()).row_id
    studio.open(page, tab="data", dataset="labels", row=first)
    expect(page.get_by_role("heading", name="Row 1 of 30")).to_be_visible()
    page.keyboard.press("e")
    label = page.get_by_label("Label", exact=True)
    expect(label).to_have_value("a")
    page.get_by_role("group", name="Labels of this dataset").get_by_role("button", name="b", exact=True).click()
    expect(label).to_have_value("b")
    expect(label).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("This row was edited")
    page.locator("ft-row .back").click()
    expect(page.locator(".groups .ft-bars").first).to_contain_text("16")  # counted with the change
    page.go_back()
    expect(page.get_by_role("heading", name="Row 1 of 30")).to_be_visible()
    page.keyboard.press("e")
    label.fill("urgent")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".ft-rowcard")).to_contain_text("urgent")
    page.keyboard.press("u")  # both changes of the row, one after the other
    expect(page.locator(".ft-rowcard")).not_to_contain_text("urgent")
    page.keyboard.press("u")
    expect(page.locator(".told")).to_be_empty()
    assert not Reviews(dataset).pending()


def test_another_tab_begins_at_its_top(studio, page, tmp_path):
    put(studio, tmp_path, "tall", 30)
    page.set_viewport_size({"width": 900, "height": 400})
    studio.open(page, tab="data", dataset="tall")
    expect(page.locator("[data-row]")).to_have_count(20)
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.locator("ft-home .hm-fits")).to_be_visible()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("scrollY > 100")
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.locator("[data-row]").first).to_be_attached()
    page.wait_for_function("scrollY === 0 && document.body.scrollHeight > 2 * innerHeight")


@pytest.mark.timeout(120)
def test_a_large_set_shows_its_rows_at_once_and_makes_its_index(studio, page, tmp_path):
    dataset = put(studio, tmp_path, "large", LARGE)
    studio.open(page, tab="data", dataset="large", find="parcel 1999")
    expect(page.locator("[data-row]")).to_have_count(11)
    expect(field(page, "label")).to_be_visible(timeout=60_000)
    page.wait_for_function("!document.querySelector('ft-rows .index').textContent", timeout=60_000)
    assert Index(dataset, 1).fulltext() is not None
    field(page, "sorted").select_option("-characters")
    expect(page.locator("[data-row]").first).to_contain_text("Parcel 19997 ")
    expect(page.locator(".count")).to_contain_text("11 rows")


def test_what_is_typed_into_a_row_outlasts_escape_and_a_reload(studio, page, tmp_path):
    dataset = put(studio, tmp_path, "typed", 4)
    row = next(dataset.rows())
    studio.open(page, tab="data", dataset="typed", row=row.row_id)
    page.get_by_role("button", name="Edit").click()
    question = page.locator("[data-of=messages]").first
    question.press("Escape")  # nothing was typed: the row is read again
    expect(question).to_have_count(0)
    page.get_by_role("button", name="Edit").click()
    question.fill("Half a question")
    question.press("Escape")
    expect(question).not_to_be_focused()
    expect(question).to_have_value("Half a question")
    page.reload()
    expect(question).to_have_value("Half a question")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Edit")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Edit")).to_be_visible()
    assert not Reviews(dataset).pending()


def test_what_was_typed_over_other_words_is_shown_beside_them(studio, page, tmp_path):
    """A file that is imported again changes a row without a review of it."""
    source = tmp_path / "again.jsonl"

    def again(words: str) -> Dataset:
        source.write_text(json.dumps({"id": "P1", "text": words, "label": "a"}) + "\n")
        import_file(studio.workspace, ImportSettings(source=[str(source)], name="again", mapping=["key=id"]))
        return Dataset.open(studio.workspace, "again")

    row = next(again("The first words").rows())
    studio.open(page, tab="data", dataset="again", row=row.row_id)
    edit, field, told = (
        page.get_by_role("button", name="Edit e"),
        page.locator("[data-of=messages]"),
        page.locator(".told"),
    )
    edit.click()
    field.fill("Mine over the first")
    again("The second words")
    page.reload()
    expect(told).to_contain_text("when it said something else")
    expect(told.locator(".rv-both > div").first).to_contain_text("The second words")
    expect(told.locator(".rv-both > div").last).to_contain_text("Mine over the first")
    expect(edit).to_have_count(0)
    page.keyboard.press("e")
    expect(told.get_by_role("button", name="Let mine go")).to_be_focused()
    expect(field).to_have_count(0)
    page.keyboard.press("Enter")
    expect(told).to_be_empty()
    edit.click()
    field.fill("Mine over the second")
    dataset = again("The third words")
    page.reload()
    told.get_by_role("button", name="Edit with mine").click()
    expect(told).to_be_empty()
    expect(field).to_have_value("Mine over the second")
    page.get_by_role("button", name="Save").click()
    expect(told).to_contain_text("This row was edited")
    assert said(dataset, row) == "Mine over the second"


def test_two_who_edit_one_row_are_both_asked_about(studio, page, open_page, tmp_path):
    dataset = put(studio, tmp_path, "twice", 4)
    row = next(dataset.rows())
    windows = [page, open_page()]
    for window, words in zip(windows, ("Hers: <b>one</b>", "His: two"), strict=True):
        studio.open(window, tab="data", dataset="twice", row=row.row_id)
        window.get_by_role("button", name="Edit").click()
        window.locator("[data-of=messages]").fill(words)
    page.evaluate(
        """localStorage.setItem("flextune-reviewer", '{"by": "Ann", "blind": false}')"""
    )  # as Review keeps it
    windows[0].get_by_role("button", name="Save").click()
    expect(windows[0].locator("ft-row")).to_contain_text("This row was edited")
    his = windows[1]
    his.get_by_role("button", name="Save").click()
    asked = his.get_by_role("alert")
    expect(asked).to_contain_text("This row was changed while you looked at it")
    expect(asked.locator(".rv-both strong").first).to_have_text("Ann")
    expect(asked.locator(".rv-both > div").first).to_contain_text("Hers: <b>one</b>")
    expect(asked.locator(".rv-both > div").last).to_contain_text("His: two")
    assert said(dataset, row) == "Hers: <b>one</b>"
    his.get_by_role("button", name="Put mine over it").click()
    expect(his.locator("ft-row .words").first).to_have_text("His: two")
    assert said(dataset, row) == "His: two"
    # What stands can be kept as well; what was typed is let go then.
    windows[0].get_by_role("button", name="Edit").click()
    windows[0].locator("[data-of=messages]").fill("Hers again")
    windows[0].get_by_role("button", name="Save").click()
    windows[0].get_by_role("button", name="Keep what is there").click()
    expect(windows[0].locator("ft-row .words").first).to_have_text("His: two")
    assert said(dataset, row) == "His: two"


def said(dataset: Dataset, row) -> str:
    return str(Reviews(dataset).pending()[row.row_id].applied(row).messages[0]["content"])
