"""A version made from reviews has them all; the one before stays as it was."""

from __future__ import annotations

import json
import os
import threading

import pytest

from studio.datasets.importing.steps import import_file
from studio.datasets.reviewing.reviews import Reviews
from studio.datasets.store import Dataset
from studio.datasets.versions import freezing, history
from studio.datasets.versions.freezing import freeze
from studio.datasets.versions.publishing import hold
from studio.errors import Busy, Refused
from studio.settings.importing import ImportSettings

ROWS = 9000  # more than one batch


@pytest.fixture
def dataset(workspace, tmp_path):
    source = tmp_path / "rows.jsonl"
    with open(source, "w") as file:
        for n in range(ROWS):
            side = "test" if n % 10 == 0 else "train"
            file.write(json.dumps({"prompt": f"q{n}", "completion": f"a{n}", "split": side, "domain": "d"}) + "\n")
    import_file(workspace, ImportSettings(source=str(source), name="set"))
    return Dataset.open(workspace, "set")


def test_the_new_version_has_every_change_and_nothing_else(dataset, workspace):
    rows, before = list(dataset.rows()), dataset.path(1).read_bytes()
    reviews = Reviews(dataset)
    for row in (rows[0], rows[8999]):
        reviews.edit(row.row_id, [{"of": "messages", "at": 1, "text": "Grüße\n“neu”"}])
    reviews.exclude(rows[10].row_id)
    reviews.edit(rows[11].row_id, [{"of": "messages", "at": 1, "text": "never mind"}])
    reviews.exclude(rows[11].row_id)
    assert freeze(workspace, "set") == 2
    new = Dataset.open(workspace, "set")
    assert (new.versions(), new.latest) == ([1, 2], 2)
    assert new.path(1).read_bytes() == before and list(new.rows(1)) == rows
    made = list(new.rows(2))
    assert [row.row_id for row in made] == [row.row_id for row in rows if row not in (rows[10], rows[11])]
    changed = [
        new_row for old, new_row in zip([r for r in rows if r not in rows[10:12]], made, strict=True) if old != new_row
    ]
    assert [(row.source_line, row.messages[-1]["content"]) for row in changed] == [
        (1, "Grüße\n“neu”"),
        (9000, "Grüße\n“neu”"),
    ]
    entry = new.version_info(2)
    assert (entry["rows"], entry["edited"], entry["excluded"], entry["made_from"]) == (ROWS - 2, 2, 2, 1)
    assert entry["counts"] == new.counts(2) == {"train": 8099, "validation": 0, "test": 899}
    assert Reviews(new).pending() == {}


def test_what_is_done_after_a_version_is_pending_again_and_what_is_in_it_can_t_be_undone(dataset, workspace):
    one, other = [row.row_id for row in dataset.page(None, 0, 2).rows]
    Reviews(dataset).exclude(one)
    freeze(workspace, "set")
    reviews = Reviews(Dataset.open(workspace, "set"))
    with pytest.raises(Refused):
        reviews.undo()
    reviews.exclude(other)
    assert set(reviews.pending()) == {other}
    assert freeze(workspace, "set") == 3
    assert Dataset.open(workspace, "set").version_info()["rows"] == ROWS - 2


def test_there_must_be_something_to_freeze_and_something_left(dataset, workspace):
    with pytest.raises(Refused, match="nothing to freeze"):
        freeze(workspace, "set")
    single = workspace.root / "one.jsonl"
    single.write_text('{"text": "alone"}\n')
    import_file(workspace, ImportSettings(source=str(single), name="one"))
    alone = Dataset.open(workspace, "one")
    Reviews(alone).exclude(next(alone.rows()).row_id)
    with pytest.raises(Refused, match="nothing to freeze") as caught:
        freeze(workspace, "one")
    assert "Every row" in caught.value.why and Dataset.open(workspace, "one").versions() == [1]


def test_an_import_at_work_comes_first(dataset, workspace):
    Reviews(dataset).exclude(next(dataset.rows()).row_id)
    with hold(workspace, "set"), pytest.raises(Busy):
        freeze(workspace, "set")
    assert freeze(workspace, "set") == 2


def test_two_at_once_make_one_version(dataset, workspace):
    Reviews(dataset).exclude(next(dataset.rows()).row_id)
    told = []

    def run():
        try:
            told.append(freeze(workspace, "set"))
        except (Busy, Refused) as error:
            told.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(2) == 1 and Dataset.open(workspace, "set").versions() == [1, 2]


def test_a_failure_leaves_the_dataset_as_it_was(dataset, workspace, monkeypatch):
    Reviews(dataset).exclude(next(dataset.rows()).row_id)
    before = {path: path.stat().st_mtime_ns for path in dataset.folder.rglob("*")}

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", full)
        with pytest.raises(OSError, match="No space"):
            freeze(workspace, "set")
    assert {path: path.stat().st_mtime_ns for path in dataset.folder.rglob("*")} == before
    assert not list(workspace.datasets.glob(".*importing"))
    assert freeze(workspace, "set") == 2


def test_an_undo_while_a_version_is_written_is_not_lost(dataset, workspace, monkeypatch):
    first, other = [row.row_id for row in dataset.page(None, 0, 2).rows]
    Reviews(dataset).exclude(first)
    Reviews(dataset).exclude(other)
    write, done = freezing._write, []

    def undone_meanwhile(*given):
        made = write(*given)
        if not done:
            done.append(Reviews(Dataset.open(workspace, "set")).undo()["row"])
        return made

    monkeypatch.setattr(freezing, "_write", undone_meanwhile)
    assert freeze(workspace, "set") == 2 and done == [other]
    new = Dataset.open(workspace, "set")
    assert new.has(2, [first, other]) == {other} and new.version_info()["excluded"] == 1


def test_an_undo_that_comes_too_late_is_refused(dataset, workspace):
    stale = Reviews(dataset)
    stale.exclude(next(dataset.rows()).row_id)
    freeze(workspace, "set")
    with pytest.raises(Refused, match="nothing to undo"):
        stale.undo()


def test_a_version_does_not_bear_the_name_of_the_one_before(dataset, workspace):
    history.name_version(workspace, "set", 1, "As it came")
    Reviews(Dataset.open(workspace, "set")).exclude(next(dataset.rows()).row_id)
    freeze(workspace, "set")
    history.go_back(workspace, "set", 1)
    Reviews(Dataset.open(workspace, "set")).exclude(next(dataset.rows()).row_id)
    freeze(workspace, "set")
    entry = Dataset.open(workspace, "set").version_info(4)
    assert not entry.get("title") and not entry.get("back")
