"""Bad input as a person meets it on the page: each says what is wrong, why, and what to do next, and harms nothing.

The same inputs are given to the commands in tests/studio/commands and, file by file, in tests/studio/datasets.
"""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Locator, Page, expect

from studio.datasets.importing.steps import import_file
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

# What belongs to a terminal or to a program, and says nothing to a reader.
JARGON = re.compile(r"(?<!\w)--\w|Traceback|\w+Error\b|errno|ENOENT")


def merged_cells() -> bytes:
    book = openpyxl.Workbook()
    for row in (["question", "answer"], *([f"q{n}", f"a{n}"] for n in range(6))):
        book.active.append(row)
    book.active.merge_cells("A3:A5")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def records(*rows: object) -> bytes:
    return json.dumps(rows).encode()


WIDE = ",".join(f"c{n}" for n in range(6000))
# A file, and words that stand beside it on the page.
REFUSED = {
    "empty": ("a.csv", b"", "a.csv is empty."),
    "nothing but line ends": ("a.txt", b"\n\n\n", "a.txt is empty."),
    "no row": ("a.csv", b"question,answer\n", "There is no row in this file."),
    "bare numbers": ("a.json", b"[1, 2, 3]", "There is no row in this file."),
    "cut off JSON": ("a.json", b'[{"question": "a", "answer": "b"}, {"que', "It breaks off"),
    "cut off Parquet": ("a.parquet", b"PAR1" + bytes(40), "cut off or damaged"),
    "cut off spreadsheet": ("a.xlsx", merged_cells()[:900], "cut off or damaged"),
    "another encoding": ("a.csv", "question,answer\nWie heißt du?,Jürgen.\n".encode("cp1252"), "is not valid UTF-8"),
    "a picture": ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "It is a picture."),
    "a program": ("a.csv", b"MZ" + bytes(range(256)), "a.csv is no text."),
    "merged cells": ("a.xlsx", merged_cells(), "has merged cells (A3:A5)"),
    "very wide": ("a.csv", f"{WIDE}\n{WIDE}\n".encode(), "and 5,980 more"),
    "columns nobody knows": ("a.csv", b"left,right\nsome words,other words\n", "“left”, “right”"),
    "a column twice": ("a.csv", b"question,question,answer\na,b,c\n", "names a column twice"),
}
LEFT_OUT = {
    "mixed shapes": ("a.json", records({"question": "q", "answer": "a"}, 5, ["x"]), "it is a number"),
    "a column missing half the time": (
        "a.json",
        records(*({"question": "q", **({"answer": "a"} if n % 2 else {})} for n in range(20))),
        "“answer” is missing",
    ),
    "cut off lines": ("a.jsonl", b'{"question": "a", "answer": "b"}\n{"quest', "breaks off before its end"),
    "rows of other lengths": ("a.csv", b"question,answer\na,b,c,d\ne,f\n", "it has 4 cells"),
}


def faulty(notice: Locator, words: str, next_too: bool = True) -> str:
    """What is wrong with an error on the page, empty for a good one: it has what, why and next in plain words."""
    text = notice.inner_text()
    if words not in text:
        return f"does not say “{words}”: {text}"
    if not notice.locator("strong").inner_text().strip():
        return f"says not what is wrong: {text}"
    if next_too and not notice.locator(".soft").last.inner_text().strip():
        return f"says not what to do next: {text}"
    return f"{found[0]} is not for this reader: {text}" if (found := JARGON.search(text)) else ""


def choose(page: Page, name: str, data: bytes) -> None:
    page.set_input_files("#ft-file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})


@pytest.mark.parametrize("files", [REFUSED, LEFT_OUT], ids=["refused", "left out"])
def test_files_that_can_not_be_used(studio, page, files):
    troubles = {}
    for case, (name, data, words) in files.items():
        studio.open(page, tab="data", **{"import": "1"})
        choose(page, name, data)
        if files is REFUSED:
            notice = page.locator("ft-import .notice:visible").first
            expect(notice).to_be_visible()
            troubles[case] = faulty(notice, words)
            if case == "no row":
                expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
                expect(page.locator(".preview .card")).to_have_count(0)
        else:
            expect(page.locator(".ft-bad tbody"), case).to_contain_text(words)
            expect(page.locator(".ft-bad thead")).to_contain_text("Reason")
            page.get_by_role("button", name="Import", exact=True).click()
            troubles[case] = faulty(page.locator(".start-told .notice"), "Nothing is left out without your word.")
    assert not studio.workspace.names("datasets")
    assert not any(troubles.values()), "\n".join(f"{case} {said}" for case, said in troubles.items() if said)


def test_a_file_with_a_name_of_script_is_shown_by_it(studio, page):
    studio.open(page, tab="data", **{"import": "1"})
    name = '<img src=x onerror="window.ran=1">' + "n" * 200 + ".csv"
    choose(page, name, b"question,answer\n<b>Where?</b>,Here.\n")
    expect(page.locator(".ft-file")).to_contain_text("onerror")
    expect(page.locator(".preview article")).to_contain_text("<b>Where?</b>")
    assert page.locator("ft-import img").count() == 0 and page.evaluate("window.ran") is None
    assert page.evaluate("document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth")


def test_a_full_disk_is_told_and_harms_nothing(small_disk, tmp_path, start_studio, page, page_faults):
    page_faults.allow("status of 409")
    studio = start_studio(small_disk(tmp_path / "small") / "workspace")
    studio.open(page, tab="data", **{"import": "1"})
    rows = "".join(f"Where is parcel {n} now?,It is on its way with number {n}.\n" for n in range(80_000))
    choose(page, "large.csv", f"question,answer\n{rows}".encode())
    notice = page.locator("ft-import .notice:visible")
    expect(notice).to_be_visible()
    assert not faulty(notice, "The disk has not enough space")
    assert not studio.workspace.names("datasets") and not list((studio.workspace.jobs / ".uploads").glob("*/*"))
    studio.open(page)  # which goes on
    expect(page.get_by_role("heading", name="Recent runs")).to_be_visible()


# ---- Settings ----


def add(workspace: Workspace, name: str, rows: list[tuple[str, str]]) -> None:
    source = workspace.root.parent / f"{name}.jsonl"
    lines = [json.dumps({"question": asked, "answer": answer}) for asked, answer in rows]
    source.write_text("\n".join(lines), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name))


@pytest.fixture
def furnished(start_studio, tiny):
    """Datasets and models of which some can't be used."""
    studio = start_studio()
    models = studio.workspace.models
    for name in ("tiny", "no-tokenizer", "no-template", "no-weights", "other-weights"):
        shutil.copytree(tiny, models / name)
    (models / "no-tokenizer" / "tokenizer.json").unlink()
    config = json.loads((models / "no-template" / "tokenizer_config.json").read_text(encoding="utf-8"))
    del config["chat_template"]
    (models / "no-template" / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (models / "no-weights" / "model.safetensors").unlink()
    (models / "other-weights" / "model.safetensors").rename(models / "other-weights" / "pytorch_model.bin")
    add(studio.workspace, "letters", [(f"Where is letter {n}?", f"In box {n % 3}.") for n in range(60)])
    add(studio.workspace, "long", [(f"{'why ' * 60}{n}", "yes") for n in range(60)])
    return studio


# Settings that are loaded from a file, and what the page says.
SETTINGS = {
    "no such dataset": ({"dataset": "nothing"}, "There is no dataset “nothing”."),
    "a name that leads out": ({"dataset": "../letters"}, "../letters"),
    "no such model": ({"model": "nothing"}, "Press “Change”"),
    "no tokenizer": ({"model": "no-tokenizer"}, "tokenizer"),
    "no chat template": ({"model": "no-template"}, "chat template"),
    "no weights": ({"model": "no-weights"}, "no-weights"),
    "weights that could run code": ({"model": "other-weights"}, "safetensors"),
    "a wrong number": ({"epochs": "many"}, "Passes"),
    "an unknown key": ({"learnig_rate": 1}, "learnig_rate"),
    "a setting of another method": ({"method": {"name": "full", "rank": 4}}, "rank"),
    "a cut-off beyond the model": ({"cutoff": 999_999}, "512"),
    "a goal that does not fit": ({"objective": {"name": "pretraining"}}, "Choose supervised fine-tuning"),
    "rows that train nothing": ({"dataset": "long", "cutoff": 16}, "nothing to learn"),
    "a GPU that is not there": ({"device": "cuda"}, "There is no GPU here."),
    "two lengths at once": ({"epochs": 2, "max_steps": 5}, "not both"),
    "a name of 5,000 letters": ({"name": "n" * 5000}, "120"),
}


def test_settings_that_can_not_be_used(furnished, page, page_faults, tmp_path):
    page_faults.allow("status of 409")
    furnished.open(page, tab="train", dataset="letters")
    expect(page.locator(".pf-good")).to_be_visible()
    troubles = {}
    for case, (settings, words) in SETTINGS.items():
        load(page, tmp_path / "settings.json", {"dataset": "letters", "model": "tiny", **settings})
        notice = page.locator("ft-train .notice.error:visible", has_text=words).first
        try:
            expect(notice).to_be_visible(timeout=5000)
            troubles[case] = faulty(notice, words)
        except AssertionError:
            shown = page.locator("ft-train .notice:visible").all_inner_texts()
            troubles[case] = f"is not told: {shown} {page.locator('.pf-problems').inner_text()}"
        if page.locator(".pf-error .notice").count() == 0:
            expect(page.locator(".pf-start")).to_be_disabled()
        load(page, tmp_path / "settings.json", {"dataset": "letters", "model": "tiny"})
        expect(page.locator(".pf-start")).to_be_enabled()
        expect(page.locator("ft-train .notice.error:visible")).to_have_count(0)
    assert not furnished.workspace.names("runs")
    assert not any(troubles.values()), "\n".join(f"{case} {said}" for case, said in troubles.items() if said)


def load(page: Page, path: Path, settings: dict[str, object]) -> None:
    path.write_text(json.dumps(settings), encoding="utf-8")
    page.locator("[data-load]").set_input_files(path)
    page.wait_for_function("document.querySelector('.pf-state').textContent === ''")
