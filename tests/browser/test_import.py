"""The import page in a real browser: several files, a document, adding to a dataset, merging, a recipe."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import docx
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import expect

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.settings.importing import ImportSettings
from tests.backend import fake_hub
from tests.backend.fake_hub import Repo


def jsonl(numbers: range, **more: str) -> bytes:
    rows = ({"question": f"Where is {n}?", "answer": "Here."} | more for n in numbers)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(count: int) -> bytes:
    table = io.BytesIO()
    rows = [{"question": f"Where is {n}?", "answer": "Here."} for n in range(count)]
    pq.write_table(pa.Table.from_pylist(rows), table)
    return table.getvalue()


def upload(page, *files: tuple[str, bytes]) -> None:
    page.set_input_files(
        "#ft-file", [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    )


def handbook() -> bytes:
    document = docx.Document()
    for number in range(1, 5):
        document.add_heading(f"Chapter {number}", 1)
        document.add_paragraph(f"Rest is what chapter {number} is about. " * 40)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def test_several_files_are_one_dataset_and_their_names_say_the_sides(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("train.jsonl", jsonl(range(30))), ("test.jsonl", jsonl(range(100, 110))))
    expect(page.locator(".ft-guess")).to_contain_text("read from 2 files (jsonl)")
    expect(page.locator(".ft-guess")).to_contain_text("30 training, 0 validation, 10 held out")
    expect(page.locator(".preview article").first).to_contain_text("test.jsonl, line 1")
    page.get_by_label("Name of the dataset").fill("both")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("dataset=both"))
    assert Dataset.open(studio.workspace, "both").counts() == {"train": 30, "validation": 0, "test": 10}
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("train.jsonl", jsonl(range(29))), ("test.jsonl", jsonl([29, *range(100, 110)])))
    page.get_by_label("Name of the dataset").fill("both")
    expect(page.locator(".exists")).to_contain_text("this becomes its next version")
    page.get_by_role("button", name="Import", exact=True).click()
    told = page.locator(".ft-toast")
    expect(told).to_contain_text("0 added, 0 gone, 0 changed, 1 moved to another side")
    expect(told.get_by_role("button", name="See what is new")).to_be_visible()


def test_a_name_with_spaces_becomes_one_that_can_be_had(studio, page, page_faults):
    page_faults.allow("409", "400")
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("rows.jsonl", jsonl(range(4))))
    name = page.get_by_label("Name of the dataset")
    name.fill("Ward messages 2026")
    name.blur()
    expect(name).to_have_value("Ward-messages-2026")
    name.fill("病棟")  # nothing near it
    page.get_by_role("button", name="Import", exact=True).click()
    told = page.locator(".name-told")
    expect(told).to_contain_text("can't be used as a dataset name")
    expect(told).not_to_contain_text("name:")
    name.fill("My rows")
    expect(told).to_be_empty()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("ft-dataset h1")).to_have_text("My-rows")


def test_a_row_of_the_preview_says_that_it_goes_on_and_opens(studio, page):
    turns = [{"role": role, "content": f"Turn {n}."} for n, role in enumerate(("user", "assistant") * 4)]
    long = [{"role": "user", "content": "A line.\n" * 9}, {"role": "assistant", "content": "The last."}]
    studio.open(page, tab="data", **{"import": "1"})
    upload(
        page, ("talk.jsonl", "".join(json.dumps({"messages": one}) + "\n" for one in (turns, long, turns[:2])).encode())
    )
    first, second, third = (page.locator(".preview article").nth(at) for at in range(3))
    expect(first).to_contain_text("and 4 more turns")
    expect(third.get_by_role("button")).to_have_count(0)  # nothing of it is cut
    show = first.get_by_role("button", name="Show it whole")
    show.focus()
    page.keyboard.press("Enter")
    expect(first).to_contain_text("Turn 7.")
    expect(first).not_to_contain_text("more turns")
    expect(first.get_by_role("button", name="Show it short")).to_be_focused()
    clamped = "(text) => text.scrollHeight > text.clientHeight + 1"
    assert second.locator(".words").first.evaluate(clamped)
    second.get_by_role("button", name="Show it whole").click()
    expect(second.get_by_role("button", name="Show it short")).to_be_visible()
    assert not second.locator(".words").first.evaluate(clamped)
    page.keyboard.press("Enter")
    expect(second.get_by_role("button", name="Show it whole")).to_be_focused()


def test_a_document_shows_what_it_will_become(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("Handbook.docx", handbook()))
    expect(page.get_by_role("heading", name="The first pieces")).to_be_visible()
    article = page.locator(".preview article").first
    expect(article).to_contain_text("paragraph 1")
    expect(article).to_contain_text("Chapter 1")
    expect(page.locator(".ft-guess")).to_contain_text("4 rows")
    page.get_by_label("At most").fill("500")
    page.get_by_label("Overlap").fill("100")
    expect(page.locator(".ft-guess")).to_contain_text("rows of up to 500 characters")
    expect(page.locator(".ft-guess")).not_to_contain_text("4 rows")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("dataset=Handbook"))
    rows = list(Dataset.open(studio.workspace, "Handbook").rows())
    assert len(rows) > 8 and all(len(row.text or "") <= 500 for row in rows)
    assert {row.extra["heading"] for row in rows} == {f"Chapter {number}" for number in range(1, 5)}


def test_rows_are_added_to_a_dataset_and_datasets_are_merged(studio, page, tmp_path):
    few = [(f"few-{n}", range(1)) for n in range(6)]
    for name, numbers in (("one", range(20)), ("two", range(15, 40)), *few):
        source = tmp_path / f"{name}.jsonl"
        source.write_bytes(jsonl(numbers))
        import_file(studio.workspace, ImportSettings(source=[str(source)], name=name))
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("more.jsonl", jsonl(range(18, 25), ward="A")))
    balance = page.get_by_label("In balance on every side")
    page.get_by_label("Kept on one side: rows with the same").select_option("ward")
    page.get_by_label("Name of the dataset").fill("one")
    page.get_by_label("Add to the rows of “one”").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Add to the rows of “one”")).to_be_focused()
    expect(balance).to_have_count(0)  # the rows that are there keep their sides
    expect(page.get_by_text("on its Split page")).to_be_visible()
    page.get_by_label("Name of the dataset").fill("one more")
    expect(balance).to_be_visible()
    page.get_by_label("Name of the dataset").fill("one")
    expect(balance).to_have_count(0)
    expect(page.locator(".exists")).to_contain_text("are not doubled")
    page.get_by_label("Keep equal rows").check()
    expect(page.locator(".exists")).to_contain_text("are taken in again")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("dataset=one"))
    dataset = Dataset.open(studio.workspace, "one")
    assert dataset.versions() == [1, 2] and dataset.version_info()["rows"] == 27
    told = page.locator(".ft-toast")
    expect(told).to_contain_text("Against version 1, imported before: 7 added, 0 gone, 0 changed, 20 unchanged.")
    told.get_by_role("button", name="See what is new").click()
    page.wait_for_url(re.compile("part=versions.*old=1.*new=2"))
    expect(page.get_by_role("button", name="Added 7")).to_be_visible()

    studio.open(page, tab="data", **{"import": "1"})
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Too few datasets")
    expect(page.locator(".ft-merge > label")).to_have_count(6)
    page.locator(".ft-merge summary").click()
    page.get_by_label("one", exact=True).check()
    page.get_by_label("two", exact=True).check()
    page.get_by_label("Keep equal rows").check()
    page.get_by_label("Name of the new dataset").fill("all")
    page.get_by_role("button", name="Merge", exact=True).click()
    page.wait_for_url(re.compile("dataset=all"))
    assert Dataset.open(studio.workspace, "all").version_info()["rows"] == 52


def test_a_recipe_with_several_datasets_asks_which_is_meant(studio, page, tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps([{"q": f"What is {n}?", "a": "A number."} for n in range(12)]))
    columns = {"prompt": "q", "response": "a"}
    said = {"one": {"file_name": "a.json", "columns": columns}, "other": {"hf_hub_url": "org/other"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(said))
    studio.open(page, tab="data", path=str(tmp_path / "dataset_info.json"), **{"import": "1"})
    expect(page.get_by_role("alert")).to_contain_text("There are: one, other")
    page.get_by_label("Which dataset of the file").select_option("one")
    expect(page.locator(".preview article").first).to_contain_text("What is 0?")
    expect(page.locator(".ft-guess")).to_contain_text("read as LLaMA-Factory reads a.json")


def test_rows_of_one_patient_are_kept_on_one_side(studio, page):
    rows = "".join(f"Case {n}: what now?,Rest {n},P{n // 4},{'AB'[n // 4 % 2]}\n" for n in range(80))
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("visits.csv", f"question,answer,patient,ward\n{rows}".encode()))
    page.get_by_label("Kept on one side: rows with the same").select_option("patient")
    page.get_by_label("In balance on every side").select_option("ward")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("dataset=visits"))
    dataset = Dataset.open(studio.workspace, "visits")
    assert dataset.counts() == {"train": 64, "validation": 8, "test": 8}
    assert len({(row.extra["patient"], row.split) for row in dataset.rows()}) == 20
    for ward in "AB":
        assert sum(row.split == "test" and row.extra["ward"] == ward for row in dataset.rows()) == 4


def test_a_file_that_is_imported_again_keeps_its_key(studio, page):
    def rows(answer: str) -> bytes:
        lines = (f"V{n},Case {n}?,{answer},P{n // 4}\n" for n in range(40))
        return "".join(["id,question,answer,patient\n", *lines]).encode()

    source = studio.workspace.root.parent / "checkups.csv"
    source.write_bytes(rows("Rest."))
    choices = {"mapping": ["key=id"], "group_by": "patient"}
    import_file(studio.workspace, ImportSettings(source=str(source), name="checkups", **choices))
    before = {row.row_id for row in Dataset.open(studio.workspace, "checkups").rows()}
    studio.open(page, tab="data", **{"import": "1"})
    held = []
    page.route("**/studio/imports/before?*", lambda route: held.append(route))
    with page.expect_request("**/studio/imports/before?*"):
        upload(page, ("checkups.csv", rows("Rest and drink.")))
    name, told = page.get_by_label("Name of the dataset"), page.locator(".exists")
    name.select_text()
    held.pop().continue_()
    expect(told).to_contain_text("last import of “checkups” (version 1): key: “id”, kept on one side: “patient”.")
    key = page.get_by_label("Key: a column that names each row for good")
    expect(key).to_have_value("id")
    page.unroute("**/studio/imports/before?*")
    page.keyboard.type("checkups")  # over what was marked before the form was drawn anew
    expect(name).to_have_value("checkups")
    key.select_option("None")
    expect(told).to_contain_text("Without it the rows get other ids")
    key.select_option("id")
    expect(told).not_to_contain_text("other ids")
    name.fill("others")  # there what was taken is let go
    name.blur()
    expect(key).to_have_value("")
    starts = []
    page.on("request", lambda request: starts.append(request) if request.url.endswith("/imports/start") else None)
    name.fill("checkups")
    name.press("Enter")  # what is taken over only now is seen first
    expect(page.locator(".start-told")).to_contain_text("taken from the last import of “checkups”: key: “id”")
    expect(key).to_have_value("id")
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_enabled()
    assert not starts
    page.locator(".ft-form").evaluate("(form) => { form.requestSubmit(); form.requestSubmit(); }")
    page.wait_for_url(re.compile("dataset=checkups"))
    assert len(starts) == 1
    again = Dataset.open(studio.workspace, "checkups")
    assert again.latest == 2 and {row.row_id for row in again.rows()} == before
    assert again.version_info()["group_by"] == "patient"


def test_what_is_offered_no_longer_is_not_asked_for(studio, page):
    rows = "".join(f"Message {n},{'AB'[n % 2]},{n // 4}\n" for n in range(40))
    studio.open(page, tab="data", **{"import": "1"})
    upload(page, ("notes.csv", f"text,kind,label\n{rows}".encode()))
    page.get_by_label("Each row is").select_option("Texts and labels")
    page.get_by_label("Its label").select_option("kind")
    balance = page.get_by_label("In balance on every side")
    expect(balance.locator("option")).to_have_text(["None", "The label"])
    balance.select_option("The label")
    page.get_by_label("Each row is").select_option("Plain text")
    expect(balance.locator("option")).to_have_text(["None", "kind", "label"])  # a column like others
    expect(balance).to_have_value("label")
    page.get_by_label("The text").select_option("label")
    expect(balance).to_have_value("")
    with page.expect_request("**/studio/imports/start") as asked:
        page.get_by_role("button", name="Import", exact=True).click()
    assert asked.value.post_data_json["stratify"] is None
    page.wait_for_url(re.compile("dataset=notes"))


def test_an_empty_field_is_said_and_gets_the_focus(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    for form, field, words in (
        ("path", "#ft-path", "Type where a file or folder lies"),
        ("paste", "#ft-paste", "Paste some rows"),
        ("hub", "#ft-hub", "Type the name of a dataset"),
    ):
        page.locator(f"[data-form={form}] button.ft-button").last.click()
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        expect(page.locator(field)).to_be_focused()


def test_a_dataset_of_the_hub_comes_by_its_button(start_studio, page, page_faults, monkeypatch):
    """Looked up, one of its configurations and splits chosen, fetched, read and imported; a wrong name is told."""
    page_faults.allow("409")
    card = {"configs": [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in ("de", "en")]}
    files = {"de/train.parquet": parquet(5), "en/train.parquet": parquet(20), "README.md": b"# Places"}
    with fake_hub.serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        hub.repos["datasets/org/places"] = Repo(files, card=card | {"license": "cc-by-4.0"})
        studio = start_studio()
        studio.open(page, tab="data", **{"import": "1"})
        form = page.locator("[data-form=hub]")
        form.get_by_role("button", name="Look it up").click()
        expect(page.get_by_text("The field is empty.")).to_be_visible()
        form.get_by_label("Dataset").fill("org/none")
        form.get_by_role("button", name="Look it up").click()
        expect(page.locator("ft-import [role=alert]")).to_contain_text("org/none")
        form.get_by_label("Dataset").fill("https://huggingface.co/datasets/org/places")
        form.get_by_role("button", name="Look it up").click()
        expect(form).to_contain_text("Licence cc-by-4.0")
        form.get_by_label("Configuration").select_option("en")
        form.get_by_label("Split").select_option("train")
        form.get_by_role("button", name="Fetch").click()
        expect(page.locator(".ft-guess")).to_contain_text("20 rows")
        page.get_by_label("Name of the dataset").fill("places")
        page.get_by_role("button", name="Import", exact=True).click()
        page.wait_for_url(re.compile("dataset=places"))
        assert sum(Dataset.open(studio.workspace, "places").counts().values()) == 20
