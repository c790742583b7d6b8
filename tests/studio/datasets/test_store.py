"""Reading datasets back: streamed, paged, searched, counted; damage told in words."""

from __future__ import annotations

import json
import os

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset, connect, list_datasets
from studio.errors import Broken, NotFound
from studio.settings.importing import ImportSettings

SIDES = ["train", "train", "test"]


@pytest.fixture
def dataset(workspace, tmp_path):
    source = tmp_path / "a.jsonl"
    with open(source, "w", encoding="utf-8") as file:
        for n in range(3000):
            turns = [{"role": "user", "content": f"Number {n}?"}, {"role": "assistant", "content": f'Say "{n}"\nÜber'}]
            file.write(json.dumps({"messages": turns, "split": SIDES[n % 3], "note": "assistant"}) + "\n")
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


def lines(page):
    return [row.source_line for row in page.rows]


def test_pages_are_in_the_files_order(dataset):
    assert lines(dataset.page(None, 0, 3)) == [1, 2, 3]
    assert lines(dataset.page(1, 2998, 50)) == [2999, 3000]
    assert dataset.page(1, 5000, 50).rows == []
    page = dataset.page(None, 10, 2, split="test")
    assert (lines(page), page.total) == ([33, 36], 1000)
    assert page.rows == [row for row in dataset.rows() if row.source_line in (33, 36)]


def test_search_looks_into_what_is_said_in_any_case_and_not_into_its_keys(dataset):
    assert lines(dataset.page(None, 0, 9, search="number 777?")) == [778]
    assert lines(dataset.page(None, 0, 9, search='"777"\nüber')) == [778]
    assert dataset.page(None, 0, 9, search="content").total == 0
    assert dataset.page(None, 0, 9, search="assistant").total == 0
    assert dataset.page(None, 0, 9, search="%").total == 0
    row = next(dataset.rows())
    assert dataset.page(None, 0, 9, search=row.row_id).rows == [row]
    assert dataset.page(None, 0, 2, search="number 77", split="test").total == len(
        [n for n in range(3000) if str(n).startswith("77") and n % 3 == 2]
    )


def test_counts_and_rows_by_side(dataset):
    assert dataset.counts() == {"train": 2000, "validation": 0, "test": 1000}
    assert sum(1 for _ in dataset.rows(split="test")) == 1000
    assert dataset.versions() == [1] and dataset.latest == 1


def test_what_is_not_there(dataset, workspace):
    with pytest.raises(NotFound, match="no version 7"):
        list(dataset.rows(7))
    with pytest.raises(NotFound):
        Dataset.open(workspace, "none")


@pytest.mark.parametrize("keep", [0, 4, 1000])
def test_a_damaged_version_says_so(dataset, keep):
    path = dataset.path(1)
    os.truncate(path, keep)
    for use in (lambda: list(dataset.rows()), dataset.counts, lambda: dataset.page(None, 0, 5)):
        with pytest.raises(Broken) as caught:
            use()
        assert str(path) in caught.value.why and caught.value.next


def test_a_missing_version_says_so(dataset):
    dataset.path(1).unlink()
    with pytest.raises(Broken, match="missing"):
        dataset.counts()


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{", '{"format": 1}', '{"format": 1, "versions": []}', '{"format": 99}']
)
def test_a_broken_dataset_hides_no_other(dataset, workspace, text):
    other = workspace.datasets / "broken"
    other.mkdir()
    if text is not None:
        (other / "dataset.json").write_text(text)
    listed = list_datasets(workspace)
    assert [item["name"] for item in listed] == ["broken", "set"]
    assert all(listed[0]["error"][key] for key in ("what", "why", "next"))
    assert (listed[1]["rows"], listed[1]["version"], listed[1]["format"]) == (3000, 1, "messages")


def test_duckdb_fetches_no_extension():
    with connect() as connection:
        for option in ("autoinstall_known_extensions", "autoload_known_extensions"):
            assert connection.execute(f"SELECT current_setting('{option}')").fetchone() == (False,)


def test_deleting_and_restoring_keeps_everything(dataset, workspace):
    before = list(dataset.rows())
    workspace.delete("datasets", "set")
    assert list_datasets(workspace) == []
    workspace.restore("datasets", "set")
    assert list(Dataset.open(workspace, "set").rows()) == before


@pytest.mark.parametrize("search", ["[.*(\\", "“x”", "a\0b", "x" * 5000, "\\n", "{}", "'; --", "\U0001f642"])
def test_a_search_is_for_these_very_words(dataset, search):
    assert dataset.page(None, 0, 9, search=search).total == 0


def test_rows_by_their_ids_in_the_files_order(dataset):
    rows = list(dataset.rows())
    wanted = [rows[2999].row_id, rows[5].row_id, "none"]
    assert list(dataset.find(None, wanted).values()) == [rows[5], rows[2999]]
    assert dataset.row(1, rows[7].row_id) == rows[7]
    with pytest.raises(NotFound, match="no row none"):
        dataset.row(None, "none")
    assert dataset.page(None, 1, 9, among=wanted).rows == [rows[2999]]


def test_places_and_ids_answer_each_other(dataset):
    ids = [row.row_id for row in dataset.rows()]
    asked = [ids[3], "not there", ids[0], ids[3]]
    assert dataset.places(None, asked).tolist() == [3, -1, 0, 3] and dataset.places(None, []).tolist() == []
    assert dataset.numbers(None, asked) == {ids[3]: 3, ids[0]: 0} and dataset.has(None, asked) == {ids[0], ids[3]}
    assert dataset.ids(None, [3, 0, len(ids), 3]) == [ids[3], ids[0], ids[3]] and dataset.ids(None, []) == []


def test_the_place_of_a_row_among_those_that_match(dataset):
    rows = list(dataset.rows())
    here = dataset.place(None, rows[0].row_id)
    assert (here.number, here.total, here.previous, here.next) == (1, 3000, None, rows[1].row_id)
    tests = [row for row in rows if row.split == "test"]
    here = dataset.place(None, tests[4].row_id, split="test")
    assert (here.number, here.total, here.previous, here.next) == (5, 1000, tests[3].row_id, tests[5].row_id)
    found = dataset.page(None, 0, 99, search="number 77").rows
    here = dataset.place(None, found[-1].row_id, search="number 77")
    assert (here.number, here.total, here.previous, here.next) == (len(found), len(found), found[-2].row_id, None)


def test_a_sample_is_spread_over_the_whole(dataset):
    assert [row.source_line for row in dataset.sample(None, 3)] == [1, 1001, 2001]
    assert len(dataset.sample(None, 5000)) == 3000 and len(dataset.sample(None, 2999)) == 1500


def test_groups_by_label_and_tag(workspace, tmp_path):
    source = tmp_path / "a.csv"
    source.write_text("text,label,tone\n" + "".join(f"text {n},{'ab'[n % 4 == 0]},calm\n" for n in range(20)))
    import_file(workspace, ImportSettings(source=str(source), name="labels"))
    found = Dataset.open(workspace, "labels")
    assert found.groups(None) == {"label": [("a", 15), ("b", 5)], "tone": [("calm", 20)]}
    assert found.groups(None, most=1)["label"] == [("a", 15)]
