"""A name of 5,000 characters: beside its field it is said that it is too long, nothing is cut and nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.datasets.store import Dataset
from tests.sets import make_set

LONG = "a" * 5000


@pytest.fixture(scope="module")
def dataset(studio_of_file) -> Dataset:
    rows = [
        {"messages": [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a"}]} for n in range(3)
    ]
    return make_set(studio_of_file.workspace, "named", rows)


def renaming(page: Page) -> Locator:
    page.get_by_label("More for named").click()
    page.get_by_role("button", name="Rename").click()
    return page.get_by_label("New name")


def naming(page: Page) -> Locator:
    page.get_by_role("button", name="Name version 1").click()
    return page.get_by_label("Name of version 1")


def reviewing(page: Page) -> Locator:
    return page.get_by_label("Your name")


def tagging(page: Page) -> Locator:
    page.get_by_text("Move, tag or leave out many rows").click()
    page.get_by_label("Value of the tag").fill("dry")
    return page.get_by_label("Tag", exact=True)


FIELDS = {"": (renaming, 64), "versions": (naming, 80), "review": (reviewing, 80), "rows": (tagging, 200)}


@pytest.mark.parametrize("part", FIELDS)
def test_it_is_said_beside_the_field(studio, page, dataset, part):
    field_of, room = FIELDS[part]
    studio.open(page, tab="data", dataset="named", **({"part": part} if part not in ("", "rows") else {}))
    field = field_of(page)
    asked: list[str] = []
    page.on("request", lambda request: request.method == "POST" and asked.append(request.url))
    field.fill(LONG)
    page.keyboard.press("Enter")
    told = page.locator(".field-fault")
    expect(told).to_contain_text(f"It has 5,000 characters; there is room for {room}.")
    expect(field).to_have_value(LONG)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    assert not asked
    box, below = field.bounding_box(), told.bounding_box()
    assert box and below and below["y"] >= box["y"] + box["height"] - 1  # under the field, where it is read
    field.fill(LONG[:room])
    expect(told).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_an_import_says_it_too_and_keeps_what_was_typed(studio, page, tmp_path):
    source = Path(tmp_path / "few.csv")
    source.write_text("question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(5)))
    studio.open(page, tab="data", **{"import": "1"})
    page.locator("input[type=file]").first.set_input_files(source)
    field = page.get_by_label("Name of the dataset")
    expect(field).to_have_value("few")
    field.fill(LONG)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".field-fault")).to_contain_text("there is room for 64")
    expect(field).to_have_value(LONG)
    assert "few" not in studio.workspace.names("datasets")
