"""Files that nobody on this project wrote, taken all the way in a real browser, as a person would.

Each is imported with the guess that is shown, looked at by the doctor, one of its findings fixed and the fix taken
back, some rows judged by keys, a split planned and made, and all of it frozen; then the disk is looked at.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio import logs
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.rows import Row
from studio.datasets.splitting.grouping import text_of
from studio.datasets.store import Dataset

EDITED = "Written by a person in the queue."


@dataclass(frozen=True)
class Real:
    """What is in a file, and what the pages say of it.

    Args:
        guess: how the import page names what it recognised.
        first: words of its first row.
        finding, deed: a finding of the doctor with a fix, and the button of that fix; none where all is well.
        path: whether the file is named by its path on the machine, instead of being uploaded.
        sent: whether the fix can only send the rows to a person.
    """

    guess: str
    first: str
    finding: str = ""
    deed: str = ""
    path: bool = False
    sent: bool = False


FILES = {
    "alpaca_en_demo.json": Real("Alpaca", "Describe a process of making crepes.", "duplicates", "Leave out"),
    "glaive_toolcall_en_demo.json": Real("ShareGPT", "I have some ingredients", "emails", "Mask in"),
    "dpo_en_demo.json": Real("Better and worse answers", "a character named Angela", "encoding", "Mend"),
    "kto_en_demo.json": Real(
        "Answers judged good or bad", "going after spyware", "special_tokens", "Mend", path=True, sent=True
    ),
    "wiki_demo_200k.txt": Real("Plain text", "Anarchism is a political philosophy", path=True),
}


# The quick tests have one by upload and one by path.
LONG = ("glaive_toolcall_en_demo.json", "dpo_en_demo.json", "wiki_demo_200k.txt")


@pytest.mark.parametrize("file", [pytest.param(one, marks=[pytest.mark.full] if one in LONG else []) for one in FILES])
def test_from_the_file_to_a_frozen_version(studio, page, real_data, tiny, file):
    if not (studio.workspace.models / "tiny").exists():
        shutil.copytree(tiny, studio.workspace.models / "tiny")
    source, name, real = real_data / file, Path(file).stem, FILES[file]
    dataset = imported(studio, page, source, name, real)
    came = list(dataset.rows())
    checked_against_the_file(source, came)
    doctored(page, dataset, real)
    judged = reviewed(page, dataset)
    split(page, dataset)
    moves = {row: change.split for row, change in Reviews(dataset).pending().items() if change.split}

    page.get_by_role("button", name="Freeze version 2").click()
    expect(page.locator(".ft-dataset > .told")).to_contain_text("Version 2 was made from version 1")
    frozen = Dataset.open(studio.workspace, name)
    assert frozen.versions() == [1, 2] and list(frozen.rows(1)) == came
    assert Reviews(frozen).pending() == {}
    rows = {row.row_id: row for row in frozen.rows(2)}
    assert list(rows) == [row.row_id for row in came if row.row_id != judged["discarded"]]
    assert {row: rows[row].split for row in moves if row in rows} == {
        row: side for row, side in moves.items() if row in rows
    }
    assert EDITED in repr(rows[judged["edited"]])
    same = [row for row in came if row.row_id in rows and row.row_id != judged["edited"]]
    assert all(text_of(rows[row.row_id]) == text_of(row) for row in same)
    sides: dict[str, set[str]] = {}
    for row in rows.values():
        sides.setdefault(text_of(row), set()).add(row.split)
    assert all(len(stands_on) == 1 for stands_on in sides.values())


def imported(studio, page: Page, source: Path, name: str, real: Real) -> Dataset:
    """Imports a file as the page takes it, changing nothing of the guess."""
    studio.open(page, tab="data")
    page.get_by_role("link", name="Import a file").first.click()
    if real.path:
        page.get_by_label("Its path").fill(str(source))
        page.get_by_label("Its path").press("Enter")
    else:
        page.set_input_files("#ft-file", source)
    expect(page.locator(".ft-guess")).to_contain_text(real.guess)
    expect(page.locator(".preview article").first).to_contain_text(real.first)
    expect(page.locator(".ft-bad")).to_have_count(0)
    expect(page.get_by_label("Name of the dataset")).to_have_value(name)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(f"dataset={name}"))
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.locator("[data-row]").first).to_contain_text(real.first)
    return Dataset.open(studio.workspace, name)


def checked_against_the_file(source: Path, rows: list[Row]) -> None:
    """Nothing of the file is missing: every record is a row, and every word of a text is in one."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".json":
        assert [row.source_line for row in rows] == list(range(1, len(json.loads(text)) + 1))
    else:
        assert Counter(" ".join(row.text or "" for row in rows).split()) == Counter(text.split())
    assert {row.split for row in rows} == {"train", "validation", "test"}


def part(page: Page, name: str) -> None:
    page.get_by_label("Parts of the dataset").get_by_role("link", name=name, exact=True).click()


def doctored(page: Page, dataset: Dataset, real: Real) -> None:
    """Lets the doctor look; takes one fix, and takes it back."""
    part(page, "Doctor")
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.locator(".dr-finding, .dr-well").first).to_be_visible()
    if not real.finding:
        expect(page.get_by_role("heading", name="All is well")).to_be_visible()
        return
    card = page.locator(f".dr-finding[data-kind={real.finding}]")
    rows = card.locator(".chip").first.inner_text()
    card.get_by_role("button", name=f"{real.deed} {rows}").click()
    expect(card).to_contain_text(f"{'Sent to review' if real.sent else 'Fixed'}: {rows}")
    assert len(Reviews(dataset).pending()) == (0 if real.sent else int(rows.split()[0]))
    card.get_by_role("button", name="Undo").click()
    expect(card.get_by_role("button", name=f"{real.deed} {rows}")).to_be_visible()
    assert Reviews(dataset).pending() == {}


def reviewed(page: Page, dataset: Dataset) -> dict[str, str]:
    """Judges the first rows by keys; what became of which row."""
    first, second, third, fourth = (row.row_id for row in dataset.page(None, 0, 4).rows)
    part(page, "Review")
    page.get_by_label("Your name").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Row 1", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Row 2", exact=True)).to_be_visible()
    page.keyboard.press("Backspace")
    expect(page.get_by_role("heading", name="Row 3", exact=True)).to_be_visible()
    page.keyboard.press("e")
    page.locator(".rv-said textarea").last.fill(EDITED)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Row 4", exact=True)).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator(".rv-done")).to_contain_text("3 of")
    for _ in range(200):  # what was judged is on its way to the disk
        judged = [line for line in logs.read(Reviews(dataset).path)[0] if "status" in line and "by" in line]
        if len(judged) == 4:
            break
        page.wait_for_timeout(50)
    assert [(line["row"], line["status"], line["by"]) for line in judged] == [
        (first, "accepted", "Ann"), (second, "discarded", "Ann"), (third, "accepted", "Ann"), (fourth, "draft", "Ann"),
    ]  # fmt: skip
    return {"accepted": first, "discarded": second, "edited": third}


def split(page: Page, dataset: Dataset) -> None:
    """Plans a split, and makes it."""
    part(page, "Split")
    page.get_by_label("Held out").fill("20")
    page.get_by_label("Training").fill("70")
    page.get_by_role("button", name="Plan the split").click()
    plan = page.get_by_role("region", name="The plan")
    expect(plan.locator(".chip").first).to_have_text("Clean")
    move = plan.get_by_role("button", name=re.compile("^Move "))
    rows = int(move.inner_text().replace(",", "").split()[1])
    move.click()
    expect(page.locator(".sp > .told")).to_contain_text("moved")
    assert sum(change.split is not None for change in Reviews(dataset).pending().values()) == rows > 0
