"""Renaming, deleting, and finding a free name."""

from __future__ import annotations

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.names import delete, free_name, rename
from studio.datasets.store import Dataset, list_datasets
from studio.datasets.versions.publishing import hold
from studio.errors import BadInput, Busy, NotFound, Refused
from studio.settings.importing import ImportSettings


@pytest.fixture
def put(workspace, tmp_path):
    def make(name, file="rows.csv"):
        source = tmp_path / file
        source.write_text("question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(5)))
        import_file(workspace, ImportSettings(source=str(source), name=name))
        return Dataset.open(workspace, name)

    return make


def test_a_renamed_dataset_is_found_under_both_names(workspace, put):
    rows = list(put("old").rows())
    assert rename(workspace, "old", "new").info["name"] == "new"
    assert [item["name"] for item in list_datasets(workspace)] == ["new"]
    assert list(Dataset.open(workspace, "new").rows()) == list(Dataset.open(workspace, "old").rows()) == rows
    assert rename(workspace, "new", "newer").info["formerly"] == ["old", "new"]
    assert Dataset.open(workspace, "old").name == "newer"
    assert rename(workspace, "newer", "old").info["formerly"] == ["new", "newer"]


def test_names_that_can_t_be_given(workspace, put):
    put("one")
    put("two")
    with pytest.raises(Refused, match="can't be renamed"):
        rename(workspace, "one", "two")
    for bad in ("", "../x", "a/b", "x" * 5000, ".hidden", "con"):
        with pytest.raises(BadInput) as caught:
            rename(workspace, "one", bad)
        assert caught.value.next and len(str(caught.value)) < 1000
    assert workspace.names("datasets") == ["one", "two"]
    with pytest.raises(NotFound):
        rename(workspace, "none", "three")


def test_nothing_is_renamed_or_deleted_under_an_import(workspace, put):
    put("one")
    with hold(workspace, "one"):
        with pytest.raises(Busy):
            rename(workspace, "one", "other")
        with pytest.raises(Busy):
            delete(workspace, "one")
    delete(workspace, "one")
    assert workspace.names("datasets") == [] and workspace.restore("datasets", "one")


def test_a_free_name_is_that_of_the_file_or_of_what_was_made_of_it(workspace, put):
    assert free_name(workspace, "Meine Daten (2).csv") == "Meine-Daten-2"
    assert free_name(workspace, "日本語.csv") == "data"
    put("rows")
    assert free_name(workspace, "rows.csv") == "rows"
    assert free_name(workspace, "rows.jsonl") == free_name(workspace, "ROWS.jsonl").lower() == "rows-2"
    (workspace.datasets / "broken").mkdir()
    assert free_name(workspace, "broken.csv") == "broken-2"
