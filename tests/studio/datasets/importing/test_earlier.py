"""What a file that is imported again takes from the import before, and what is said of reviews that go astray."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.earlier import choices
from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.freezing import freeze
from studio.settings.importing import ImportSettings

RECORDS = [{"id": f"T-{n}", "prompt": f"q{n}", "completion": f"a{n}", "ward": f"w{n % 5}"} for n in range(20)]


@pytest.fixture
def bring(workspace, tmp_path):
    def bring(records=RECORDS, **given):
        source = tmp_path / "rows.jsonl"
        source.write_text("".join(json.dumps(record) + "\n" for record in records))
        made = import_file(workspace, ImportSettings(source=str(source), name="set", **given))
        # That rows stay where they were is held by test_standing.py.
        notes = [note for note in made.as_dict()["notes"] if "stay on the side" not in note]
        return Dataset.open(workspace, "set"), notes

    return bring


def review(dataset):
    """Edits one row, leaves another out and tags a third."""
    reviews = Reviews(dataset)
    first, second, third, *_ = dataset.rows()
    reviews.edit(first.row_id, [{"of": "messages", "at": 1, "text": "better"}])
    reviews.exclude(second.row_id)
    reviews.apply([{"type": "tag", "row": third.row_id, "tags": {"tone": "calm"}}])


def test_a_file_that_is_imported_without_its_key_says_what_becomes_of_the_reviews(bring):
    dataset, _ = bring(mapping=["key=id"])
    review(dataset)
    dataset, (note,) = bring()
    assert note == (
        "the reviews of 3 rows fit no row of this version, as its rows have other ids: version 1 was imported with "
        'the key “id”; import the file again with that key (--map "key=id") to have them back'
    )
    assert dataset.version_info()["written"] == [note] and not Reviews(dataset).pending()
    dataset, notes = bring(mapping=["key=id"])
    assert notes == [] and len(Reviews(dataset).pending()) == 3


def test_reviews_of_rows_that_are_gone_are_told_and_kept(bring):
    dataset, _ = bring()
    review(dataset)
    dataset, (note,) = bring(RECORDS[1:])
    assert note.startswith("the reviews of 1 row fit no row of this version: in the file these rows are changed or")
    assert len(Reviews(dataset).pending()) == 2
    _, notes = bring(append=True)
    assert notes and "reviews" not in notes[0]  # the rows that were there are all there


def test_the_next_import_is_told_how_the_columns_were_meant(bring, workspace):
    given = ["key=id", "user=Q: {prompt}", "assistant=completion", "system=Be kind."]
    dataset, _ = bring(mapping=given, group_by="ward")
    Reviews(dataset).exclude(next(dataset.rows()).row_id)
    freeze(workspace, "set")
    assert choices(Dataset.open(workspace, "set").info) == {
        "version": 1, "format": "mapped", "system": "Be kind.", "key": "id", "split": None, "group_by": "ward",
        "stratify": None, "roles": {
            "user": {"columns": ("prompt",), "template": "Q: {prompt}"},
            "assistant": {"columns": ("completion",), "template": ""},
        },
    }  # fmt: skip
    assert choices({"versions": [{"version": 1, "mapping": {}}]}) == {}
