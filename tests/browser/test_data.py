"""The Data page in a real browser: from a file to rows and their tokens, bad files, reviews, deep links."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings

EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
RTL = "مرحبا، أين طردي؟"


def put(studio, tmp_path: Path, name: str, rows: int = 50) -> Dataset:
    source = tmp_path / f"{name}.csv"
    lines = [f"Question {n}?,Answer {n}.,{'test' if n % 5 == 0 else 'train'}" for n in range(rows)]
    source.write_text("\n".join(["question,answer,split", *lines]), encoding="utf-8")
    import_file(studio.workspace, ImportSettings(source=str(source), name=name))
    return Dataset.open(studio.workspace, name)


def upload(page: Page, name: str, data: bytes) -> None:
    page.set_input_files("#ft-file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})


def where(page: Page, **query: str | None) -> None:
    """Waits until the address says so; None for what it must not say."""
    tests = [
        f"new URLSearchParams(location.search).get({json.dumps(key)}) === {json.dumps(value)}"
        for key, value in query.items()
    ]
    page.wait_for_function(" && ".join(tests))


@pytest.fixture
def models(studio, tiny):
    if not (studio.workspace.models / "tiny").exists():
        shutil.copytree(tiny, studio.workspace.models / "tiny")


def test_from_a_file_to_the_tokens_of_a_row(studio, page, models):
    """Upload, the guess and its correction, import, the dataset, a row, its trained tokens."""
    studio.open(page, tab="data")
    page.get_by_role("link", name="Import a file").click()
    lines = "".join(f"Delivery {n},Where is parcel {n}?,It is on its way.\n" for n in range(30))
    upload(page, "Meine Post.csv", ("subject,question,answer\n" + lines).encode())
    expect(page.locator(".ft-guess")).to_contain_text("“question” asks and “answer” answers")
    expect(page.locator(".preview article")).to_have_count(5)
    expect(page.get_by_label("Name of the dataset")).to_have_value("Meine-Post")

    page.get_by_label("What is asked", exact=True).select_option(label="Several columns, by a template")
    page.get_by_label("Template for: What is asked").fill("Subject: {subject}\n{question}")
    expect(page.locator(".preview article").first).to_contain_text("Subject: Delivery 0\nWhere is parcel 0?")
    page.get_by_label("System prompt for every row").fill("You help customers.")
    expect(page.locator(".preview article").first).to_contain_text("You help customers.")
    expect(page.get_by_label("System prompt for every row")).to_be_focused()
    page.get_by_label("Training, %").fill("60")
    page.get_by_label("Held out, %").fill("30")
    page.get_by_label("Name of the dataset").fill("post")
    page.get_by_role("button", name="Import", exact=True).click()

    where(page, dataset="post", upload=None, job=None)
    expect(page.get_by_role("heading", name="post", exact=True)).to_be_visible()
    expect(page.locator(".ft-legend")).to_contain_text("Training18")
    expect(page.locator(".lengths .words")).to_contain_text("Half of the rows have at most")
    expect(page.locator(".lengths .chart .bars")).to_have_count(1)
    expect(page.locator("[data-row]")).to_have_count(20)
    page.locator("[data-row]").nth(3).click()
    page.get_by_role("button", name="Tokens").click()
    where(page, view="tokens")
    trained = page.locator(".ft-tokenview .trained")
    expect(trained.last).to_have_text("<|im_end|>")
    assert "".join(trained.all_inner_texts()).replace("\u00a0", " ") == "It is on its way.<|im_end|>"
    page.get_by_label("Cut off after").fill("12")
    page.get_by_label("Cut off after").press("Enter")
    expect(page.locator(".ft-tokenview .cut").first).to_be_visible()
    page.get_by_role("button", name="As stored").click()
    expect(page.get_by_label("The row as JSON")).to_contain_text('"source_line": 5')
    page.reload()
    expect(page.get_by_label("The row as JSON")).to_contain_text('"source_line": 5')


BAD_FILES = {
    "empty": ("a.csv", b"", "a.csv is empty.", "Choose a file with examples."),
    "a PDF named csv": ("b.csv", b"%PDF-1.4 x", "like a pdf file but is cut off", "save or export it again"),
    "cut off": ("c.json", b'[{"question": "a", "answer": "b"}, {"que', "It breaks off", "copy, download or export"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_can_t_be_read_says_why_and_leaves_nothing(studio, page, case):
    name, data, why, advice = BAD_FILES[case]
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, name, data)
    told = page.get_by_role("alert")
    expect(told).to_contain_text(why)
    expect(told).to_contain_text(advice)
    expect(page.get_by_text("Drop files here")).to_be_visible()
    where(page, upload=None)
    kept = studio.workspace.jobs / ".uploads"
    _until(page, lambda: not any(kept.iterdir()))


def _until(page: Page, test) -> None:
    """Waits for something on the disk."""
    for _ in range(100):
        if test():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true")


def test_a_wrong_path_and_wrong_pasted_text_are_kept(studio, page, tmp_path):
    studio.open(page, tab="data", **{"import": "1"})
    path = page.get_by_label("Its path")
    path.fill(str(tmp_path / "none.csv"))
    path.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no file")
    expect(path).to_have_value(str(tmp_path / "none.csv"))
    pasted = page.get_by_label("Rows with their header line, or JSON")
    pasted.fill("%PDF-1.4 not rows")
    page.locator("[data-form=paste] button").click()
    expect(page.get_by_role("alert")).to_contain_text("like a pdf file")
    expect(pasted).to_have_value("%PDF-1.4 not rows")
    pasted.fill("question\tanswer\nWhere?\tHere.\n")
    page.locator("[data-form=paste] button").click()
    expect(page.locator(".preview article")).to_contain_text("Here.")


def test_the_encoding_is_chosen_on_the_page(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, "alt.csv", "question,answer\nWie heißt du?,Jürgen.\n".encode("cp1252"))
    expect(page.get_by_role("alert").first).to_contain_text("choose its encoding, often cp1252")
    page.get_by_label("Encoding").select_option("cp1252")
    expect(page.locator(".preview article")).to_contain_text("Jürgen.")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_columns_nobody_knows_are_chosen_beside_the_first_row(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, "odd.csv", b"left,right\nsome words here,other words here\nmore,less\n")
    expect(page.get_by_role("alert").first).to_contain_text("Choose under “Columns”")
    expect(page.locator(".ft-columns")).to_contain_text("some words here")
    start = page.get_by_role("button", name="Import", exact=True)
    expect(start).to_be_disabled()
    expect(start).to_have_accessible_description(re.compile(r"\w"))
    page.get_by_label("What is asked", exact=True).select_option("left")
    page.get_by_label("The answer to learn", exact=True).select_option("right")
    expect(page.locator(".preview article").first).to_contain_text("other words here")
    expect(start).to_be_enabled()
    page.get_by_label("Each row is").select_option(label="Texts and labels")
    expect(page.get_by_label("Its label")).to_have_value("right")
    expect(page.locator(".preview article").first).to_contain_text("Label")
    page.reload()  # what was chosen is still there
    expect(page.get_by_label("Its label")).to_have_value("right")
    expect(page.locator(".preview article").first).to_contain_text("Label")


def test_bad_rows_are_left_out_by_consent_only(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    mixed = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(20)]
    upload(page, "mixed.json", json.dumps([*mixed, 5, {"question": "no answer"}]).encode())
    expect(page.locator(".ft-bad")).to_contain_text("2 rows can’t be used")
    expect(page.locator(".ft-bad")).to_contain_text("“answer” is missing")
    expect(page.locator(".ft-bad tbody tr").first).to_contain_text("21")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".start-told")).to_contain_text("Tick the box above")
    assert "mixed" not in studio.workspace.names("datasets")
    page.get_by_label("Leave out these 2 bad rows and import the other 20").check()
    page.get_by_role("button", name="Import", exact=True).click()
    where(page, dataset="mixed")
    expect(page.locator("ft-dataset .head")).to_contain_text("20 rows · from mixed.json")
    expect(page.locator("ft-dataset .head")).to_contain_text("2 bad rows left out")


def test_an_import_that_fails_keeps_the_form(studio, page, tmp_path):
    """Bad rows that only the whole file shows, here because they came after the look at it."""
    source = tmp_path / "later.csv"
    source.write_text("question,answer\n" + "q,a\n" * 20)
    studio.open(page, tab="data", path=str(source), **{"import": "1"})
    expect(page.locator(".ft-guess")).to_contain_text("20 rows")
    source.write_text("question,answer\n" + "q,a\n" * 20 + "q,\n" * 3)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".start-told")).to_contain_text("3 of the 23 rows")
    expect(page.locator(".ft-bad tbody tr")).to_have_count(3)
    assert "later" not in studio.workspace.names("datasets")
    page.get_by_label("Leave out the 3 bad rows and import the others").check()
    page.get_by_role("button", name="Import", exact=True).click()
    where(page, dataset="later")
    assert Dataset.open(studio.workspace, "later").version_info()["rows"] == 20


def test_edit_exclude_undo_and_freeze(studio, page, tmp_path, page_faults):
    page_faults.allow("409")
    dataset = put(studio, tmp_path, "reviewed")
    first, second = (row.row_id for row in dataset.page(None, 0, 2).rows)
    studio.open(page, tab="data", dataset="reviewed", row=first)
    expect(page.get_by_role("heading", name="Row 1 of 50")).to_be_visible()
    page.keyboard.press("e")
    page.get_by_label("Assistant (turn 2)").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Leave the row out instead.")
    page.get_by_label("Assistant (turn 2)").fill("A better answer.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".ft-rowcard")).to_contain_text("A better answer.")
    page.keyboard.press("j")
    where(page, row=second)
    expect(page.get_by_role("heading", name="Row 2 of 50")).to_be_visible()
    page.keyboard.press("x")
    expect(page.locator(".told")).to_contain_text("left out of the next version")
    page.locator(".ft-toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".told")).to_be_empty()
    page.keyboard.press("x")
    page.keyboard.press("k")
    where(page, row=first)
    page.get_by_role("link", name="‹ reviewed").click()
    expect(page.locator(".told").first).to_contain_text("2 changes not yet in a version.")
    page.get_by_role("button", name="Changed 2").click()
    expect(page.locator("[data-row]")).to_have_count(2)
    page.get_by_role("button", name="Freeze version 2").click()
    expect(page.locator(".told").first).to_contain_text("Version 2 was made from version 1: 1 edited, 1 left out.")
    old, new = Dataset.open(studio.workspace, "reviewed").versions()
    assert [row.messages[-1]["content"] for row in dataset.rows(old)][:2] == ["Answer 0.", "Answer 1."]
    rows = list(Dataset.open(studio.workspace, "reviewed").rows(new))
    assert (rows[0].row_id, rows[0].messages[-1]["content"], rows[1].source_line) == (first, "A better answer.", 4)
    page.get_by_label("Version").select_option("1")
    expect(page.locator("[data-row]").first).to_contain_text("Answer 0.")
    expect(page.locator(".told").first).to_contain_text("which never changes")


def test_what_another_did_is_not_taken_back_unasked(studio, page, tmp_path):
    reviews = Reviews(put(studio, tmp_path, "shared"))
    first, second, *_ = (row.row_id for row in reviews.dataset.rows())
    reviews.exclude(second)
    reviews.exclude(first, by="Ann")
    studio.open(page, tab="data", dataset="shared")
    told = page.locator(".told").first
    told.get_by_role("button", name="Undo the last, by Ann").click()
    told.get_by_role("button", name="Keep it").click()
    told.get_by_role("button", name="Undo the last, by Ann").click()
    expect(told).to_contain_text("It was made by Ann.")
    assert set(reviews.pending()) == {first, second}
    told.get_by_role("button", name="Take it back all the same").click()
    expect(told).to_contain_text("1 change not yet in a version.")
    told.get_by_role("button", name="Undo the last", exact=True).click()  # nobody's: it is not asked about
    expect(told).to_be_empty()
    assert not reviews.pending()
    reviews.exclude(first, by="Ann")  # the page of the row asks alike
    studio.open(page, tab="data", dataset="shared", row=first)
    row = page.locator("ft-row")
    row.get_by_role("button", name="Undo, by Ann").click()
    row.get_by_role("button", name="Keep it").click()
    expect(row.get_by_role("button", name="Undo, by Ann")).to_be_focused()
    page.keyboard.press("u")
    expect(row).to_contain_text("It was made by Ann.")
    page.keyboard.press("u")
    expect(row.get_by_role("button", name="Keep it")).to_be_focused()
    assert set(reviews.pending()) == {first}
    page.evaluate("""localStorage.setItem("flextune-reviewer", '{"by": "Bob", "blind": false}')""")
    row.get_by_role("button", name="Take it back all the same").click()
    expect(row.locator(".told")).to_be_empty()
    assert not reviews.pending()
    assert json.loads(reviews.path.read_text().splitlines()[-1])["by"] == "Bob"


def test_search_sides_pages_and_reload_keep_the_place(studio, page, tmp_path):
    put(studio, tmp_path, "paged")
    studio.open(page, tab="data", dataset="paged")
    expect(page.locator("[data-row]")).to_have_count(20)
    page.get_by_role("button", name="Next").click()
    where(page, **{"from": "20"})
    expect(page.locator("[data-row]").first).to_contain_text("Question 20?")
    page.reload()
    expect(page.locator("[data-row]").first).to_contain_text("Question 20?")
    page.get_by_label("Search the rows").fill("answer 4")
    where(page, find="answer 4", **{"from": None})
    expect(page.locator("[data-row]")).to_have_count(11)
    page.get_by_role("button", name=re.compile("^Held out")).click()
    expect(page.locator("[data-row]")).to_have_count(2)
    page.locator("[data-row] a.open").nth(1).click()
    expect(page.get_by_role("heading", name="Row 2 of 2")).to_be_visible()
    page.go_back()
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.get_by_label("Search the rows")).to_have_value("answer 4")
    page.get_by_label("Search the rows").fill("nowhere")
    page.get_by_role("button", name="Show all rows").click()
    expect(page.locator("[data-row]")).to_have_count(20)


def test_rename_delete_restore_and_links_to_what_is_deleted(studio, page, tmp_path, page_faults):
    page_faults.allow("409")
    put(studio, tmp_path, "fleeting")
    studio.open(page, tab="data", dataset="fleeting")
    more = page.locator(".head").get_by_label(re.compile("^More for"))
    more.press("Enter")
    expect(page.get_by_role("button", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete")).to_be_hidden()
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Rename").click()
    name = page.get_by_label("New name")
    name.fill("x y" * 20)
    name.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("can't be used as a dataset name")
    expect(name).to_have_value("x y" * 20)
    name.fill("lasting")
    name.press("Enter")
    where(page, dataset="lasting")
    expect(page.get_by_role("heading", name="lasting", exact=True)).to_be_visible()
    more.click()
    page.get_by_role("button", name="Delete").click()
    where(page, dataset=None)
    page.locator(".ft-toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="lasting", exact=True)).to_be_visible()
    more.click()
    page.get_by_role("button", name="Delete").click()
    where(page, dataset=None)
    studio.open(page, tab="data", dataset="lasting")
    expect(page.get_by_role("heading", name="“lasting” was deleted")).to_be_visible()
    page.get_by_role("button", name="Restore it").click()
    expect(page.locator("[data-row]").first).to_be_visible()
    studio.open(page, tab="data", dataset="n" * 5000)
    expect(page.get_by_role("link", name="All datasets").last).to_be_visible()
    studio.open(page, tab="data", dataset="lasting", row="0" * 20)
    expect(page.get_by_text("has no row 000")).to_be_visible()


def test_script_and_other_writings_in_data_are_text(studio, page, tmp_path, models):
    source = tmp_path / "evil.jsonl"
    records = [
        {"prompt": EVIL, "completion": RTL, "domain": EVIL, EVIL: EVIL},
        {"prompt": RTL, "completion": EVIL, "domain": "d", EVIL: "x"},
    ]
    source.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    studio.open(page, tab="data", path=str(source), **{"import": "1"})
    expect(page.locator(".preview article").first).to_contain_text(EVIL)
    page.get_by_label("Name of the dataset").fill("evil")
    page.get_by_role("button", name="Import", exact=True).click()
    where(page, dataset="evil")
    expect(page.locator("[data-row]").first).to_contain_text(EVIL)
    expect(page.locator(".groups")).to_contain_text(EVIL)
    words = page.locator("[data-row] .words", has_text=RTL).first
    assert words.evaluate("(place) => getComputedStyle(place).direction") == "rtl"
    page.locator("[data-row] a.open").first.click()
    for view in ("Tokens", "As stored"):
        page.get_by_role("button", name=view).click()
        expect(page.locator(".body")).to_contain_text("onerror")
    page.keyboard.press("e")
    expect(page.get_by_label("User (turn 1)")).to_have_value(EVIL)
    assert page.title() != "run" and page.locator("ft-data img, ft-data script").count() == 0


def test_an_empty_page_says_what_to_do(start_studio, page):
    studio = start_studio()
    studio.open(page, tab="data")
    expect(page.get_by_role("heading", name="Start with examples")).to_be_visible()
    page.get_by_role("link", name=re.compile("House style")).click()
    expect(page.locator(".ft-guess")).to_contain_text("Conversations")
    page.get_by_role("button", name="Import", exact=True).click()
    where(page, dataset="house-style", sample=None)
    expect(page.locator(".lengths .words")).to_contain_text("There is no model on this machine yet")


def test_an_import_is_seen_after_a_reload_and_can_be_stopped(studio, page, tmp_path):
    source = tmp_path / "long.csv"
    with open(source, "w") as file:
        file.write("question,answer\n")
        file.writelines(f"Where is parcel {n} now?,It is on its way with number {n}.\n" for n in range(400_000))
    studio.open(page, tab="data", path=str(source), **{"import": "1"})
    expect(page.locator(".ft-guess")).to_contain_text("the import reads them all")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("progressbar", name="Importing long.csv")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".start-told")).to_contain_text("Nothing was imported.")
    assert "long" not in studio.workspace.names("datasets")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()
