"""Two versions differ in exactly the rows that somebody changed."""

from __future__ import annotations

import json

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions.comparing import compare, news
from studio.datasets.versions.freezing import freeze
from studio.errors import NotFound
from studio.settings.importing import ImportSettings


def put(workspace, tmp_path, records, **settings):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, ImportSettings(source=str(source), name="set", mapping=["key=id"], **settings))
    return Dataset.open(workspace, "set")


def records(count):
    return [{"id": f"r{n}", "prompt": f"q{n}", "completion": f"a{n}", "ward": n} for n in range(count)]


def test_each_change_is_found_and_nothing_else(workspace, tmp_path):
    dataset = put(workspace, tmp_path, records(40))
    rows = list(dataset.rows())
    reviews = Reviews(dataset)
    reviews.edit(rows[3].row_id, [{"of": "messages", "at": 1, "text": "better"}])
    reviews.exclude(rows[5].row_id)
    other = next(row for row in rows[6:] if row.split != "test")
    reviews.apply(
        [
            {"type": "move", "row": other.row_id, "split": "test"},
            {"type": "tag", "row": other.row_id, "tags": {"tone": "dry"}},
        ]
    )
    freeze(workspace, "set")
    found = compare(Dataset.open(workspace, "set"), 1, 2)
    assert found.counts() == {"changed": 2, "added": 0, "removed": 1}
    pairs = {pair.row_id: pair for pair in found.pairs(0, 10)}
    assert set(pairs) == {rows[3].row_id, rows[5].row_id, other.row_id}
    assert pairs[rows[3].row_id].changed() == ["messages"] and pairs[other.row_id].changed() == ["split", "tags"]
    assert pairs[rows[3].row_id].old == rows[3] and pairs[rows[3].row_id].new.messages[1]["content"] == "better"
    assert pairs[rows[5].row_id].new is None and pairs[rows[5].row_id].changed() == []
    assert [pair.what for pair in found.pairs(1, 1, "changed")] == ["changed"]
    back = compare(Dataset.open(workspace, "set"), 2, 1)
    assert back.counts() == {"changed": 2, "added": 1, "removed": 0}


def test_a_file_imported_again_shows_what_is_new(workspace, tmp_path):
    """With a key column a changed row is a changed row; the lines it stands on and its metadata are nothing."""
    old = records(20)
    put(workspace, tmp_path, old, split="train=1")
    new = [{"id": "new", "prompt": "q", "completion": "a", "ward": 0}, *old[1:]]
    new[4] = old[4] | {"completion": "other"}
    new[7] = old[7] | {"ward": 99}
    found = compare(put(workspace, tmp_path, new, split="train=1"), 1, 2)
    assert found.counts() == {"changed": 1, "added": 1, "removed": 1}
    assert found.pairs(0, 5, "changed")[0].new.messages[1]["content"] == "other"


def test_nothing_differs_from_itself_and_a_version_must_be_there(workspace, tmp_path):
    dataset = put(workspace, tmp_path, records(5))
    assert compare(dataset, 1, 1).counts() == {"changed": 0, "added": 0, "removed": 0}
    with pytest.raises(NotFound):
        compare(dataset, 1, 9)


def test_what_is_new_is_told_against_the_last_import_not_against_what_people_did(workspace, tmp_path):
    old = records(20)
    dataset = put(workspace, tmp_path, old, split="train=1")
    assert news(dataset, 1) is None
    Reviews(dataset).exclude(next(iter(dataset.rows())).row_id)
    freeze(workspace, "set")
    new = [*old[:5], old[5] | {"completion": "other"}, *old[8:], {"id": "new", "prompt": "q", "completion": "a"}]
    dataset = put(workspace, tmp_path, new, split="train=1")
    assert news(dataset, 3) == {"against": 1, "added": 1, "removed": 2, "changed": 1, "moved": 0, "unchanged": 17}
    dataset = put(workspace, tmp_path, records(22), append=True)
    assert dataset.version_info()["added_to"] == 3
    told = news(dataset, 4)
    assert told and (told["against"], told["changed"], told["removed"], told["unchanged"]) == (3, 0, 0, 19)
