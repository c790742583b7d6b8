"""Versions have names, users, and a way back."""

from __future__ import annotations

import json

import pytest

from studio import migrate
from studio.datasets.importing.steps import import_file
from studio.datasets.names import rename
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions import history
from studio.datasets.versions.freezing import freeze
from studio.errors import BadInput, NotFound, Refused
from studio.settings.importing import ImportSettings


@pytest.fixture
def rows(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps({"prompt": f"q{n}", "completion": f"a{n}"}) + "\n" for n in range(10)))
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return [row.row_id for row in Dataset.open(workspace, "set").rows()]


def reviews(workspace):
    return Reviews(Dataset.open(workspace, "set"))


def test_going_back_makes_a_version_and_keeps_what_is_pending(workspace, rows):
    reviews(workspace).exclude(rows[0])
    freeze(workspace, "set")
    reviews(workspace).exclude(rows[1])
    freeze(workspace, "set")
    reviews(workspace).exclude(rows[2])
    assert history.go_back(workspace, "set", 1) == 4
    dataset = Dataset.open(workspace, "set")
    assert [row.row_id for row in dataset.rows()] == rows and dataset.versions() == [1, 2, 3, 4]
    assert dataset.version_info()["made_from"] == 1 and dataset.path(4).read_bytes() == dataset.path(1).read_bytes()
    assert set(Reviews(dataset).pending()) == {rows[2]}
    freeze(workspace, "set")
    assert {row.row_id for row in Dataset.open(workspace, "set").rows()} == {*rows} - {rows[2]}
    with pytest.raises(Refused, match="latest already"):
        history.go_back(workspace, "set", 5)
    with pytest.raises(NotFound):
        history.go_back(workspace, "set", 9)
    assert not list(workspace.datasets.glob(".*importing"))


def test_a_name_is_short_and_can_be_taken_away(workspace, rows):
    assert history.name_version(workspace, "set", 1, "  as it\ncame ") == "as it came"
    assert Dataset.open(workspace, "set").version_info(1)["title"] == "as it came"
    with pytest.raises(BadInput, match="too long"):
        history.name_version(workspace, "set", 1, "x" * 81)
    with pytest.raises(NotFound):
        history.name_version(workspace, "set", 2, "x")
    assert history.name_version(workspace, "set", 1, "") == "" and Dataset.open(workspace, "set").latest == 1


def test_runs_are_found_under_every_name_the_dataset_had(workspace, rows):
    for number, name in enumerate(["set", "other", "set"]):
        folder = workspace.runs / f"run-{number}"
        folder.mkdir()
        migrate.save(folder / "settings.json", "settings", {"dataset": name, "version": 1, "name": f"try {number}"})
    (workspace.runs / "torn").mkdir()
    dataset = rename(workspace, "set", "letters")
    assert history.used_by(workspace, dataset) == {
        1: [{"id": "run-0", "name": "try 0"}, {"id": "run-2", "name": "try 2"}]
    }
